"""List what is kept in the cache, and clean it: `python -m kerasr.cache`."""

import time
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro
from rich.filesize import decimal
from rich.table import Table

from kerasr.core import atomic
from kerasr.core.cli import parse, run_command
from kerasr.core.console import confirm, make_console
from kerasr.core.timing import format_age
from kerasr.data.corpora import cache_folder
from kerasr.data.corpora.cache_listing import KINDS, OTHER, CachedFolder, list_cache, remove_cached

DESCRIPTION = """
The cache: downloaded corpora and clips that were made, with kind, size and last use, the oldest first.

  python -m kerasr.cache
  python -m kerasr.cache --clean                      remove what can be downloaded or made again
  python -m kerasr.cache negatives voices --clean     these kinds alone
"""


@dataclass(frozen=True)
class CacheConfig:
    """What to list."""

    kinds: Annotated[
        tyro.conf.Positional[tuple[Literal["corpus", "negatives", "silence", "voices"], ...]],
        tyro.conf.arg(metavar="[KIND ...]", help_behavior_hint="(default: all)"),
    ] = ()
    """Only these: corpus, negatives (of a detector), silence (of Speech Commands), voices (synthetic ones)."""
    clean: bool = False
    """Remove them, after asking; what a running process reads, and what cannot be had again, stays."""
    yes: bool = False
    """Do not ask."""


def main(argv: list[str]) -> None:
    """Parse the arguments and list, or clean."""
    config = parse(CacheConfig, argv, command="cache", description=DESCRIPTION)
    found = [folder for folder in list_cache() if not config.kinds or folder.kind in config.kinds]
    if found:
        print_table(found)
    print(f"{cache_folder()} (KERASR_CACHE names another): {count(found)}")
    if config.clean:
        clean(found, ask=not config.yes)


def print_table(found: list[CachedFolder]) -> None:
    """The folders, those that were not used for longest first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("folder", overflow="fold")
    table.add_column("kind")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("last use", justify="right", no_wrap=True)
    for folder in found:
        used = "now" if folder.in_use else f"{format_age(time.time() - folder.used)} ago"
        table.add_row(folder.name, folder.kind, decimal(folder.num_bytes), used)
    make_console().print(table)


def clean(found: list[CachedFolder], *, ask: bool) -> None:
    """Remove what can be had again and no running process reads, saying what that is and how it comes back.

    Raises:
        UserError: there is no terminal to ask on.
    """
    if swept := atomic.sweep(cache_folder()):
        print(f"removed {len(swept)} half-written files and folders of processes that are gone")
    for folder in found:
        if folder.in_use:
            print(f"{folder.name}: a running process reads it: it stays")
        elif folder.kind == OTHER:
            print(f"{folder.name}: kerasr did not put it there: it stays")
    idle = [folder for folder in found if not folder.in_use and folder.kind != OTHER]
    if not idle:
        print("nothing to clean")
        return
    for kind, again in KINDS.items():
        if some := [folder for folder in idle if folder.kind == kind]:
            print(f"{kind}: {count(some)}, {again} by the next command that needs it")
    print("a training that was interrupted cannot go on without its clips")
    if not ask or confirm(f"remove {count(idle)}?"):
        removed = [folder for folder in idle if remove_cached(folder)]
        print(f"removed {count(removed)}")


def count(folders: list[CachedFolder]) -> str:
    """How many, and how large."""
    noun = "folder" if len(folders) == 1 else "folders"
    return f"{len(folders)} {noun}, {decimal(sum(folder.num_bytes for folder in folders))}"


if __name__ == "__main__":
    run_command(main)
