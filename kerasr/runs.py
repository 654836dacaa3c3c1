"""List the runs: `python -m kerasr.runs`."""

import contextlib
import datetime
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.prompt import Confirm
from rich.table import Table

from kerasr.cli import parse, run_command
from kerasr.console import make_console

DESCRIPTION = """
The runs under a folder, with score, size and age.

  python -m kerasr.runs
  python -m kerasr.runs --out elsewhere --json
  python -m kerasr.runs --clean        remove runs that never ended, and the checkpoints of those that did
"""

# A training writes a checkpoint each half minute, and more seldom only where somebody has asked for that.
RECENT_SECONDS = 3600.0


@dataclass(frozen=True)
class RunsConfig:
    """What to list."""

    out: str = "runs"
    """The folder that holds the runs."""
    clean: bool = False
    """Remove runs that never ended and rest for an hour (they can be resumed until then), and the checkpoints of those
    that did, after asking."""
    yes: bool = False
    """Do not ask."""
    json: bool = False
    """One JSON object a run, for programs."""


def main(argv: list[str]) -> None:
    """Parse the arguments and list, or clean."""
    config = parse(RunsConfig, argv, command="runs", description=DESCRIPTION)
    # A name with a dot is a folder that was being filled.
    rows = [describe_run(path.parent) for path in sorted(Path(config.out).glob("[!.]*/run.json"))]
    rows.sort(key=lambda row: row["started"])
    if config.json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif not rows:
        print(f"no runs in {config.out}; python -m kerasr.train makes one")
    else:
        print_table(rows)
    if config.clean:
        clean(rows, ask=not config.yes)


def describe_run(path: Path) -> dict[str, Any]:
    """What a run's files say, without loading it: any version's run can be listed."""
    facts, files = _read(path / "run.json"), _files(path)
    config = _read(path / "config.json")
    return {
        "run": str(path),
        "status": facts.get("status", "unknown"),
        "started": facts.get("started", ""),
        "recipe": config.get("recipe"),
        "model": config.get("model"),
        "accuracy": _read(path / "metrics.json").get("accuracy"),
        "bytes": sum(file.st_size for file in files),
        "changed": max((file.st_mtime for file in files), default=0.0),
    }


def _files(path: Path) -> list[os.stat_result]:
    """Size and time of each file; one that a training puts in another's place may be gone meanwhile."""
    found = []
    for file in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if file.is_file():
                found.append(file.stat())
    return found


def print_table(rows: list[dict[str, Any]]) -> None:
    """The runs, oldest first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    # What a person copies from here is the run's path: other columns give way first.
    table.add_column("run", min_width=max(len(row["run"]) for row in rows), overflow="fold")
    table.add_column("model")
    table.add_column("status")
    table.add_column("accuracy", justify="right")
    table.add_column("size", justify="right")
    table.add_column("age", justify="right")
    for row in rows:
        score = "-" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
        size = f"{row['bytes'] / 1e6:.1f} MB"
        table.add_row(row["run"], row["model"], row["status"], score, size, age(row["started"]))
    make_console().print(table)


def age(started: str) -> str:
    """How long ago an ISO time was."""
    try:
        seconds = (datetime.datetime.now().astimezone() - datetime.datetime.fromisoformat(started)).total_seconds()
    except ValueError:
        return "-"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def clean(rows: list[dict[str, Any]], *, ask: bool) -> None:
    """Remove what no one is likely to want again, saying what and how much.

    What was written to within `RECENT_SECONDS` may be a training that goes on, and what says nothing readable of itself
    may be worth saving: both stay.
    """
    begun = [row for row in rows if row["status"] == "training"]
    recent = [row for row in begun if time.time() - row["changed"] < RECENT_SECONDS]
    unfinished = [row for row in begun if row not in recent]
    checkpoints = [Path(row["run"], "checkpoint.npz") for row in rows if row["status"] == "done"]
    checkpoints = [path for path in checkpoints if path.exists()]
    size = sum(row["bytes"] for row in unfinished) + sum(path.stat().st_size for path in checkpoints)
    for row in recent:
        print(f"{row['run']}: was written to within the hour, and may still be trained: it stays")
    what = f"{len(unfinished)} unfinished runs and {len(checkpoints)} checkpoints, {size / 1e6:.1f} MB"
    if not unfinished and not checkpoints:
        print("nothing to clean")
        return
    for row in unfinished:
        print(f"unfinished: {row['run']}")
    if not ask or Confirm.ask(f"remove {what}?"):
        for row in unfinished:
            shutil.rmtree(row["run"])
        for path in checkpoints:
            path.unlink()
        print(f"removed {what}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    run_command(main)
