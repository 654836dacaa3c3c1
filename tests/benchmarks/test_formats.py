"""The formats' benchmark: nothing is measured twice, and its tables are those of the results."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def formats(tmp_path, monkeypatch):
    """The script, which writes elsewhere and whose measurements take no time."""
    script = runpy.run_path(str(ROOT / "benchmarks" / "formats.py"))
    inside = script["main"].__globals__
    monkeypatch.setitem(inside, "RESULTS", tmp_path / "results")
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
        return "\n".join(script["tables"]().values())

    run.measured = measured
    return run


def test_nothing_is_measured_twice_and_the_tables_have_all(formats):
    formats("--models", "CRNN")
    tables = formats("--models", "CRNN", "DSCNN")
    assert formats.measured == ["CRNN", "DSCNN"]
    for row in (
        "123 | 123 | 123 | - | 123 |",
        "1.3 | 1.3 | 1.3 | - | 1.3 |",
        "1.0 (6) | 1.0 (6) | 1.0 (6) | - | 1.0 (6) |",
    ):
        for model in ("CRNN", "DSCNN"):
            assert f"| {model} | 10 | 95.0% | {row}" in tables


def test_tables_alone_measure_nothing(formats):
    tables = formats("--models", "CRNN")
    assert formats("--table") == tables
    formats("--models", "CRNN", "--again")
    assert formats.measured == ["CRNN", "CRNN"]
