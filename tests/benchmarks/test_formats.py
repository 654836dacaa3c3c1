"""The formats' benchmark: nothing is measured twice, and the page's tables are those of the results."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def formats(tmp_path, monkeypatch):
    """The script, which writes elsewhere and whose measurements take no time."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = runpy.run_path(str(ROOT / "benchmarks" / "formats.py"))
    inside = script["main"].__globals__
    monkeypatch.setitem(inside, "RESULTS", tmp_path / "results")
    page = tmp_path / "formats.md"
    page.write_text(f"before\n{inside['BEGIN']}\nold\n{inside['END']}\nafter\n")
    monkeypatch.setitem(inside, "PAGE", page)
    measured = []

    def measure(model, folder, wanted):
        measured.append(model)
        check = {"size": 123_456, "milliseconds": 1.26, "num_clips": 300, "agreement": 0.98}
        check |= {"accuracy_before": 0.95, "accuracy_after": 0.94}
        found = dict.fromkeys(inside["FORMATS"], check)
        return {
            "model": model,
            "epochs": 10,
            "accuracy": 0.95,
            "formats": {**found, "LiteRT int8": {"refused": "loop"}},
        }

    monkeypatch.setitem(inside, "measure", measure)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["formats.py", *arguments])
        script["main"]()
        return page.read_text()

    run.measured = measured
    return run


def test_nothing_is_measured_twice_and_the_page_has_the_tables(formats):
    formats("--models", "CRNN")
    page = formats("--models", "CRNN", "DSCNN")
    assert formats.measured == ["CRNN", "DSCNN"]
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "old" not in page
    for row in (
        "123 | 123 | 123 | - | 123 |",
        "1.3 | 1.3 | 1.3 | - | 1.3 |",
        "1.0 (6) | 1.0 (6) | 1.0 (6) | - | 1.0 (6) |",
    ):
        for model in ("CRNN", "DSCNN"):
            assert f"| {model} | 10 | 95.0% | {row}" in page


def test_tables_alone_measure_nothing(formats):
    page = formats("--models", "CRNN")
    assert formats("--table") == page
    formats("--models", "CRNN", "--again")
    assert formats.measured == ["CRNN", "CRNN"]
