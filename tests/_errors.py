"""What a test says of an error: which fault it is, and whom it names; not how it is worded."""

import pytest

from kerasr.errors import UserError


def raises(code: str, match: str | None = None):
    """`pytest.raises` of a UserError with that code; `match` is for the file or the value that it names."""
    return pytest.raises(UserError, match=match, check=lambda error: error.code == code)
