"""Work over many recordings: threads that keep memory small, and progress, shown only when it takes a while."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kerasr.core.console import is_watched, make_console
from kerasr.core.timing import format_seconds

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE_SECONDS = 1.0
# Between two lines of progress where there is no terminal for a bar.
LINE_SECONDS = 15.0
_THREADS = 8
# Items handed to a thread at once: a future an item would cost more memory than the result.
_CHUNK = 64


class ProgressBar:
    """A progress bar on stderr that appears after a second, and stays away from what is quicker.

    Where stderr is no terminal, it is a line every `LINE_SECONDS`.

    Use as a context manager; call `advance` with the number of steps just done.
    """

    def __init__(self, description: str, total: float | None, *, in_bytes: bool = False) -> None:
        screen = console()
        unit = TextColumn("{task.fields[megabytes]}", markup=False) if in_bytes else MofNCompleteColumn()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            unit,
            TimeRemainingColumn(),
            console=screen,
            transient=True,
        )
        self._task = self._progress.add_task(description, total=total, megabytes="")
        self._started = self._written = time.monotonic()
        self._description = description
        self._in_bytes = in_bytes
        self._screen = screen
        # In a log file a bar is only litter, and a notebook without ipywidgets shows a warning in its place.
        self._has_bar = screen.is_terminal and not screen.is_jupyter
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._shown:
            self._progress.stop()

    def advance(self, steps: float) -> None:
        """Count `steps` more."""
        self._progress.advance(self._task, steps)
        if self._in_bytes:
            self._progress.update(self._task, megabytes=f"{self._progress.tasks[0].completed / 1e6:.0f} MB")
        now = time.monotonic()
        if not self._has_bar and now - self._written > LINE_SECONDS:
            self._written = now
            print_progress(self._screen, f"{self._description}: {self._standing(now - self._started)}")
        if self._has_bar and not self._shown and now - self._started > _PATIENCE_SECONDS:
            self._progress.start()
            self._shown = True

    def _standing(self, seconds: float) -> str:
        """What is done after so many seconds, and how long the rest takes at that rate."""
        task = self._progress.tasks[0]
        if self._in_bytes:
            done = task.fields["megabytes"]
        else:
            done = f"{task.completed:,.0f}" + (f" of {task.total:,.0f}" if task.total else "")
        left = seconds * ((task.total or 0) / max(task.completed, 1e-9) - 1)
        return f"{done}, about {format_seconds(left)} left" if left > 0 else done


def console() -> Console:
    """Where notices go: stderr, so that a command's answer on stdout stays clean."""
    return make_console(stderr=True, soft_wrap=True)


def print_progress(screen: Console, line: str) -> None:
    """Print how far something is; behind the time of day where nobody looks on."""
    stamp = "" if is_watched(screen) else time.strftime("%Y-%m-%d %H:%M:%S  ")
    screen.print(f"{stamp}{line}", soft_wrap=True)


def map_threaded(work: Callable[[T], R], items: Sequence[T], description: str) -> Iterator[R]:
    """`work` of each item, in order, computed by a few threads a few chunks ahead."""
    chunks = (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
    with ProgressBar(description, len(items)) as progress, ThreadPoolExecutor(_THREADS) as pool:
        for results in _ahead(pool, lambda chunk: [work(item) for item in chunk], chunks):
            yield from results
            progress.advance(len(results))


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`pool.map` that keeps at most twice as many items under way as there are threads."""
    items = iter(items)
    waiting = [pool.submit(work, item) for item in islice(items, 2 * _THREADS)]
    while waiting:
        yield waiting.pop(0).result()
        waiting.extend(pool.submit(work, item) for item in islice(items, 1))
