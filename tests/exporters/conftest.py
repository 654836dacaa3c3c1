"""What the tests of exports share."""

import pytest


@pytest.fixture
def converted_here(convert_here, monkeypatch):
    """Files are converted in this process."""
    convert_here(monkeypatch)
