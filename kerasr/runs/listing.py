"""What a list of runs says of each."""

import contextlib
import os
from pathlib import Path
from typing import Any, TypeVar

from kerasr.config import read_json
from kerasr.core.cli import command_line
from kerasr.core.locks import is_held
from kerasr.errors import UserError
from kerasr.runs.facts import CONFIG, FACTS, METRICS

T = TypeVar("T")


def describe_run(path: Path) -> dict[str, Any]:
    """What a run's files say, without loading it: any version's run can be listed."""
    facts, files = _read(path / FACTS), _files(path)
    config, metrics = _read(path / CONFIG), _read(path / METRICS)
    status = _field(facts, "status", str) or "unknown"
    if status == "training" and is_held(path) is False:
        status = "interrupted"
    return {
        "run": str(path),
        "status": status,
        "resume": _resume(path, config) if status == "interrupted" else None,
        "started": _field(facts, "started", str) or "",
        "recipe": _field(config, "recipe", str),
        "model": _model(config),
        "accuracy": _field(metrics, "accuracy", float),
        "score": _score(metrics),
        "bytes": sum(file.st_size for file in files),
        "changed": max((file.st_mtime for file in files), default=0.0),
    }


def _resume(path: Path, config: dict[str, Any]) -> str:
    """The command that goes on, with the packages that the run says it needs."""
    imports = _field(_field(config, "runtime", dict) or {}, "imports", list) or []
    return command_line("train", "--resume", path, imports=[name for name in imports if isinstance(name, str)])


def _model(config: dict[str, Any]) -> str | None:
    """The architecture: of a format before the third, a setting of its own."""
    group = _field(config, "model", dict)
    return _field(config, "model", str) if group is None else _field(group, "name", str)


def _score(metrics: dict[str, Any]) -> str | None:
    """The headline, as the task says it."""
    from kerasr.core.scores import format_score

    # (Whatever stands in the file: a run that says nothing readable of itself is listed, too.)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return format_score(metrics)
    accuracy = _field(metrics, "accuracy", float)
    return None if accuracy is None else f"{accuracy:.1%}"


def _files(path: Path) -> list[os.stat_result]:
    """Size and time of each file; one that a training puts in another's place may be gone meanwhile."""
    found = []
    for file in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if file.is_file():
                found.append(file.stat())
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, UserError):
        return {}


def _field(values: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """What stands under a name, where it is of the kind that belongs there."""
    value = values.get(name)
    return value if isinstance(value, kind) else None
