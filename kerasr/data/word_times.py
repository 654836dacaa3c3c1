"""When each word of a recording's text begins and ends, where an alignment says so."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasr.data.manifest import Utterance

# The column of a manifest in which they stand.
WORD_TIMES = "word_times"


class TimedWord(NamedTuple):
    """A word of an alignment.

    Attributes:
        text: the word.
        start: when it begins, in seconds.
        end: when it ends.
    """

    text: str
    start: float
    end: float


def format_times(words: Sequence[TimedWord]) -> dict[str, str]:
    """The times of words as an utterance's extra fact: `0.92-1.2 1.2-1.44`."""
    return {WORD_TIMES: " ".join(f"{word.start:g}-{word.end:g}" for word in words)}


def parse_times(item: Utterance) -> np.ndarray | None:
    """The times of a recording's words, `(words, 2)` in seconds; None where it brings none.

    Raises:
        ValueError: they are no pairs of times that follow one another.
    """
    if WORD_TIMES not in item.extra:
        return None
    times = np.array([pair.split("-") for pair in item.extra[WORD_TIMES].split()], float).reshape(-1, 2)
    if not (np.isfinite(times).all() and (np.diff(times.ravel(), prepend=0.0) >= 0).all()):
        raise ValueError(f"{item.extra[WORD_TIMES]!r} are no times that follow one another")
    return times
