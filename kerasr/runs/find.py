"""Where a run is: looked up before any framework is imported, so that a mistyped name is answered at once."""

import os
import reprlib
from pathlib import Path

from kerasr.core.cli import command_line
from kerasr.errors import UserError
from kerasr.presets import list_presets, preset_folder
from kerasr.runs.facts import FACTS


def find_run(path: str | os.PathLike[str]) -> Path:
    """The folder of a run, or else of the preset of that name; its files are not read.

    Raises:
        UserError: there is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise UserError("run-not-found", f"{reprlib.repr(path)} is no path: name a run's folder or a preset")
    path = Path(path)
    if (path / FACTS).exists():
        return path
    if preset := preset_folder(os.fspath(path)):
        return preset
    presets = f", and the presets are {', '.join(list_presets())}" if list_presets() else ""
    raise UserError(
        "run-not-found",
        f"{path}: no run is here (a run's folder holds {FACTS}); {command_line('runs')} lists them{presets}",
    )
