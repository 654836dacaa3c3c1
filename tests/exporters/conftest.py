"""What the tests of exports share."""

import importlib

import pytest


@pytest.fixture
def converted_here(monkeypatch):
    """Files are converted in this process, where TensorFlow is imported already: half a table's time.

    Who exports has a process of its own for it, as the other tests have.
    """

    def convert(run, file, kind, *options):
        file.write_bytes(importlib.import_module(f"kerasr.exporters.{kind}").convert(run, *options))

    monkeypatch.setattr("kerasr.exporters.files._convert_apart", convert)
