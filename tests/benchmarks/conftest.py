"""Scripts of benchmarks/ find what stands beside them."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
