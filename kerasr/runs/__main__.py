"""List the runs: `python -m kerasr.runs`."""

import datetime
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from kerasr.core import atomic
from kerasr.core.cli import command_line, parse, run_command
from kerasr.core.console import confirm, make_console, visible
from kerasr.core.locks import hold_run
from kerasr.core.timing import format_age
from kerasr.errors import UserError
from kerasr.runs.facts import CHECKPOINT, FACTS
from kerasr.runs.listing import describe_run

DESCRIPTION = """
The runs under a folder, with score, size and age; those whose process is gone, with the command that goes on.

  python -m kerasr.runs
  python -m kerasr.runs elsewhere --json
  python -m kerasr.runs --clean        remove runs that never ended, and the checkpoints of those that did
"""
# Whoever has stopped a training by mistake, or whose machine went down, finds it here for so long.
RECENT_SECONDS = 3600.0


@dataclass(frozen=True)
class RunsConfig:
    """What to list."""

    folder: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="FOLDER")] = None
    """The folder that holds the runs; runs/ where not given."""
    out: str | None = None
    """The same, as kerasr.train calls it."""
    clean: bool = False
    """Remove runs that were interrupted and rest for an hour (they can be resumed until then), and the checkpoints of
    those that ended, after asking; and what killed processes have left half written."""
    yes: bool = False
    """Do not ask."""
    json: bool = False
    """One JSON object a run, for programs."""


def main(argv: list[str]) -> None:
    """Parse the arguments and list, or clean."""
    config = parse(RunsConfig, argv, command="runs", description=DESCRIPTION)
    if config.folder and config.out:
        raise UserError("settings-conflict", f"both {config.folder} and --out {config.out} are given: name one folder")
    out = config.folder or config.out or "runs"
    # A name with a dot is a folder that was being filled.
    rows = [describe_run(path.parent) for path in sorted(Path(out).glob(f"[!.]*/{FACTS}"))]
    rows.sort(key=lambda row: row["started"])
    if config.json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif not rows:
        print(f"no runs in {out}; {command_line('train')} makes one")
    else:
        print_table(rows)
    if config.clean:
        sweep(out)
        clean(rows, ask=not config.yes)


def print_table(rows: list[dict[str, Any]]) -> None:
    """The runs, oldest first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    # What a person copies from here is the run's path: other columns give way first.
    table.add_column("run", min_width=max(len(row["run"]) for row in rows), no_wrap=True)
    table.add_column("model")
    table.add_column("status")
    table.add_column("score", justify="right")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    for row in rows:
        size = f"{row['bytes'] / 1e6:.1f} MB"
        table.add_row(row["run"], row["model"] or "-", row["status"], row["score"] or "-", size, age(row["started"]))
    console = make_console()
    console.print(table)
    for row in rows:
        if row["resume"]:
            console.print(f"to go on: {row['resume']}", soft_wrap=True)


def age(started: str) -> str:
    """How long ago an ISO time was."""
    try:
        seconds = (datetime.datetime.now().astimezone() - datetime.datetime.fromisoformat(started)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: it names no time zone.
        return "-"
    return format_age(seconds)


def sweep(out: str) -> None:
    """Remove what killed processes have left half written in the folder and in its runs."""
    swept = [path for folder, _, _ in os.walk(out) for path in atomic.sweep(folder)]
    if swept:
        print(f"removed {len(swept)} half-written files and folders of processes that are gone")


def clean(rows: list[dict[str, Any]], *, ask: bool) -> None:
    """Remove what no one is likely to want again, saying what and how much.

    What is being trained, what was written to within `RECENT_SECONDS`, and what says nothing readable of itself, which
    may be worth saving, stays.

    Raises:
        UserError: there is no terminal to ask on.
    """
    interrupted = [row for row in rows if row["status"] == "interrupted"]
    recent = [row for row in interrupted if time.time() - row["changed"] < RECENT_SECONDS]
    unfinished = [row for row in interrupted if row not in recent]
    checkpoints = [Path(row["run"], CHECKPOINT) for row in rows if row["status"] == "done"]
    checkpoints = [path for path in checkpoints if path.exists()]
    size = sum(row["bytes"] for row in unfinished) + sum(path.stat().st_size for path in checkpoints)
    for row in rows:
        if row["status"] == "training":
            print(visible(f"{row['run']}: is being trained: it stays"))
    for row in recent:
        print(visible(f"{row['run']}: was written to within the hour: it stays"))
    what = f"{len(unfinished)} unfinished runs and {len(checkpoints)} checkpoints, {size / 1e6:.1f} MB"
    if not unfinished and not checkpoints:
        print("nothing to clean")
        return
    for row in unfinished:
        print(visible(f"unfinished: {row['run']}"))
    if not ask or confirm(f"remove {what}?"):
        for row in unfinished:
            # Somebody may have gone on with it while we were asking.
            with hold_run(Path(row["run"])):
                shutil.rmtree(row["run"])
        for path in checkpoints:
            path.unlink()
        print(f"removed {what}")


if __name__ == "__main__":
    run_command(main)
