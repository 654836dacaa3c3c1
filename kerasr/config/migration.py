"""Settings of runs of earlier formats, as today's."""

from typing import Any

from kerasr.config.train import path_of
from kerasr.errors import UserError

# Counted up when a run's files change in a way that another kerasr cannot read.
FORMAT = 3


def migrate(values: dict[str, Any], version: int) -> dict[str, Any]:
    """The settings of a run of an earlier format, as this one writes them."""
    for older in range(version, FORMAT):
        values = _MIGRATIONS[older](values)
    return values


def _rename(values: dict[str, Any]) -> dict[str, Any]:
    """Format 2 calls the speeds of test-time augmentation so."""
    return {"tta_speeds" if name == "hear_at" else name: value for name, value in values.items()}


def _group(values: dict[str, Any]) -> dict[str, Any]:
    """Format 3 has its settings in groups, and calls what computes a recurrent layer its implementation."""
    groups: dict[str, Any] = {}
    for name, value in values.items():
        if name == "model_options" and isinstance(value, dict):
            value = {"implementation" if option == "kernel" else option: kept for option, kept in value.items()}
        if name in ("recipe", "features", "augment", "optimizer"):
            groups[name] = value
            continue
        try:
            group, setting = path_of(name).split(".", 1)
        except UserError:
            # The check of the whole says what is wrong with it.
            groups[name] = value
        else:
            groups.setdefault(group, {})[setting] = value
    if values.get("recipe") == "wakeword":
        # Before there were names of tasks, the recipe's was known by the word that is wanted.
        groups.setdefault("task", {}).setdefault("name", "detect")
    return groups


_MIGRATIONS = {1: _rename, 2: _group}
