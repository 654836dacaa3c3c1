"""List what is kept in the cache, and clean it: `python -m kerasr.cache`."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.filesize import decimal
from rich.table import Table

from kerasr.core import atomic
from kerasr.core.cli import parse, run_command
from kerasr.core.console import confirm, make_console, visible
from kerasr.core.timing import format_age
from kerasr.data.corpora import cache_folder
from kerasr.data.corpora.cache_listing import KINDS, OTHER, CachedFolder, list_cache, remove_cached
from kerasr.data.manifest import read_manifest
from kerasr.errors import UserError
from kerasr.runs.facts import FACTS, MANIFEST

# So many runs are named that need a folder.
MAX_RUNS = 3

DESCRIPTION = """
The cache: downloaded corpora and clips that were made, with kind, size, last use and the number of runs that have
recordings there, the oldest first.

  python -m kerasr.cache
  python -m kerasr.cache --clean                      remove what no run needs and can be downloaded or made again
  python -m kerasr.cache negatives voices --clean     these kinds alone
  python -m kerasr.cache --clean --needed             what runs need, too
"""


@dataclass(frozen=True)
class CacheConfig:
    """What to list."""

    kinds: Annotated[
        tyro.conf.Positional[tuple[Literal["corpus", "converted", "negatives", "silence", "voices"], ...]],
        tyro.conf.arg(metavar="[KIND ...]", help_behavior_hint="(default: all)"),
    ] = ()
    """Only these: corpus, converted (recordings without a header, segments of long ones), negatives (of a detector),
    silence (of Speech Commands), voices (synthetic ones)."""
    clean: bool = False
    """Remove them, after asking; what a run needs, a running process reads, or cannot be had again, stays."""
    needed: bool = False
    """Clean also what runs need; they cannot be resumed or measured until it is downloaded or made again."""
    runs: str = "runs"
    """Where the runs are: all the folders in this one are looked through."""
    yes: bool = False
    """Do not ask."""


def main(argv: list[str]) -> None:
    """Parse the arguments and list, or clean."""
    config = parse(CacheConfig, argv, command="cache", description=DESCRIPTION)
    found = [folder for folder in list_cache() if not config.kinds or folder.kind in config.kinds]
    needs = find_needs(config.runs)
    if found:
        print_table(found, needs)
    print(f"{cache_folder()} (KERASR_CACHE names another): {count(found)}")
    if config.clean:
        clean(found, {} if config.needed else needs, ask=not config.yes)


def find_needs(runs: str) -> dict[str, list[str]]:
    """Which runs have recordings in the cache, by the name of the cache's folder.

    Args:
        runs: the folder that holds the runs, at any depth.
    """
    cache, needs = Path(cache_folder()), defaultdict(list)
    for facts in sorted(Path(runs).rglob(FACTS)):
        # A run whose list of recordings is damaged is refused by every command that would read them.
        with contextlib.suppress(UserError, OSError):
            paths = [Path(item.path) for item in read_manifest(facts.with_name(MANIFEST)).utterances]
            for name in {path.relative_to(cache).parts[0] for path in paths if path.is_relative_to(cache)}:
                needs[name].append(str(facts.parent))
    return needs


def print_table(found: list[CachedFolder], needs: Mapping[str, Sequence[str]]) -> None:
    """The folders, those that were not used for longest first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("folder", overflow="fold")
    table.add_column("kind")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("last use", justify="right", no_wrap=True)
    table.add_column("runs", justify="right")
    for folder in found:
        used = "now" if folder.in_use else f"{format_age(time.time() - folder.used)} ago"
        table.add_row(folder.name, folder.kind, decimal(folder.num_bytes), used, str(len(needs.get(folder.name, ()))))
    make_console().print(table)


def clean(found: list[CachedFolder], needs: Mapping[str, Sequence[str]], *, ask: bool) -> None:
    """Remove what can be had again and nobody needs or reads, saying what that is and how it comes back.

    Args:
        found: the folders to choose from.
        needs: the runs that keep a folder from it, by its name.
        ask: wait for a yes on the terminal.

    Raises:
        UserError: there is no terminal to ask on.
    """
    if swept := atomic.sweep(cache_folder()):
        print(f"removed {len(swept)} half-written files and folders of processes that are gone")
    for folder in found:
        if folder.in_use:
            print(visible(f"{folder.name}: a running process reads it: it stays"))
        elif folder.kind == OTHER:
            print(visible(f"{folder.name}: kerasr did not put it there: it stays"))
        elif runs := needs.get(folder.name):
            text = f"{folder.name}: {_some(runs)} cannot be resumed or measured without it: it stays, but for --needed"
            print(visible(text))
    idle = [folder for folder in found if not (folder.in_use or folder.kind == OTHER or folder.name in needs)]
    if not idle:
        print("nothing to clean")
        return
    for kind, again in KINDS.items():
        if some := [folder for folder in idle if folder.kind == kind]:
            print(f"{kind}: {count(some)}, {again} by the next command that needs it")
    if not ask or confirm(f"remove {count(idle)}?"):
        removed = [folder for folder in idle if remove_cached(folder)]
        print(f"removed {count(removed)}")


def _some(runs: Sequence[str]) -> str:
    return ", ".join(runs[:MAX_RUNS]) + (f" and {len(runs) - MAX_RUNS} more runs" if len(runs) > MAX_RUNS else "")


def count(folders: list[CachedFolder]) -> str:
    """How many, and how large."""
    noun = "folder" if len(folders) == 1 else "folders"
    return f"{len(folders)} {noun}, {decimal(sum(folder.num_bytes for folder in folders))}"


if __name__ == "__main__":
    run_command(main)
