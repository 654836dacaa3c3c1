"""What the tests of exports share."""

import pytest

from kerasr.exporters import files


@pytest.fixture
def converted_here(monkeypatch):
    """Files are converted in this process, where TensorFlow is imported already: half a table's time.

    Who exports has a process of its own for it, as the other tests have.
    """

    def convert(run, file, kind, *options):
        files.main(kind, str(run.path), str(file), *options)

    monkeypatch.setattr(files, "_convert_apart", convert)
