"""Settings of runs of earlier formats, as today's."""

from typing import Any

# Counted up when a run's files change in a way that another kerasr cannot read.
FORMAT = 2

# Settings that have another name since the format after this one.
_RENAMED = {1: {"hear_at": "tta_speeds"}}


def migrate(values: dict[str, Any], version: int) -> dict[str, Any]:
    """The settings of a run of an earlier format under the names that they have now."""
    for older in range(version, FORMAT):
        values = {_RENAMED[older].get(name, name): value for name, value in values.items()}
    return values
