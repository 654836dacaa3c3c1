"""The terminal, where names and words are data: printed as they are, whatever somebody has called them."""

import os
import unicodedata
from collections.abc import Iterator
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.prompt import Confirm
from rich.segment import Segment

from kerasr.errors import UserError

# Sets a word apart from the direction of what surrounds it, by the word's own first letter; and the end of that.
ISOLATE, END_ISOLATE = "\u2068", "\u2069"

# Columns where there is no terminal: no sentence and no row of a table is broken in a file or a pipe.
UNBROKEN = 10_000

# Unicode's classes of what runs from right to left, or makes what follows do so.
_RIGHT_TO_LEFT = {"R", "AL", "AN", "RLE", "RLO", "RLI"}

# What a terminal would obey rather than show (ESC begins a command to it), and a sign of the same width for each.
_CONTROLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
_CONTROLS |= dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def visible(text: str) -> str:
    """`text` with a sign in the place of each character that a terminal would obey, but for tabs and line ends."""
    return text.translate(_CONTROLS)


class _Console(Console):
    """Shows the characters of names that a terminal would obey; the styles' own are written later."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The parts of something to print."""
        for part in super().render(renderable, options):
            yield part if part.control else Segment(visible(part.text), part.style)


def make_console(*, stderr: bool = False, file: IO[str] | None = None, soft_wrap: bool = False) -> Console:
    """A console that takes no name for markup (`[b]`), an emoji (`:smile:`) or a command to the terminal (ESC).

    What has a style is a `rich.text.Text`.

    Args:
        stderr: write to the standard error, not to the standard output.
        file: write here instead.
        soft_wrap: leave it to the terminal to break lines, so that a path can be copied whole.
    """
    console = _Console(stderr=stderr, file=file, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)
    if not (is_watched(console) or "COLUMNS" in os.environ):
        console.width = UNBROKEN
    return console


def is_watched(console: Console) -> bool:
    """Whether somebody looks on as it is written: in a terminal or a notebook, not in a file or a pipe."""
    return console.is_terminal or console.is_jupyter


def confirm(question: str) -> bool:
    """Ask before something is removed.

    Raises:
        UserError: there is no terminal to ask on.
    """
    try:
        return Confirm.ask(question, console=make_console())
    except EOFError:
        raise UserError(
            "setting-missing", "--clean asks before it removes, and nobody can answer here: add --yes"
        ) from None


def isolate(text: str) -> str:
    """`text` so that it displaces no number or comma beside it: as it is, or between isolates if it runs right to left.

    Good in a terminal, a picture and a page; not for a path or a command, which somebody may copy.
    """
    runs_left = any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)
    return f"{ISOLATE}{text}{END_ISOLATE}" if runs_left else text
