"""Subtitles of a transcript, as SubRip (`.srt`) or WebVTT (`.vtt`): a line at a time, from its first word to its last.

Source: https://www.w3.org/TR/webvtt1/, and for SubRip, which nobody has specified, what players read.
"""

import html
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from kerasr.decoding.alignment import Word

# Characters of a line at most, but for a word that is longer: those of Netflix's Timed Text Style Guide for English.
LINE = 42
# A silence of so many seconds ends a line.
PAUSE = 1.0
# A line stands for so many seconds at least, unless the next one comes before.
LEAST_SECONDS = 1.0


def format_subtitles(words: Sequence[Word], kind: Literal["srt", "vtt"]) -> str:
    """The text of a file of subtitles.

    Args:
        words: in order; there may be none.
        kind: the format.
    """
    lines = [*_lines(words)]
    parts = ["WEBVTT\n"] if kind == "vtt" else []
    for number, line in enumerate(lines, 1):
        start, least = line[0].start, line[0].start + LEAST_SECONDS
        following = lines[number][0].start if number < len(lines) else least
        end = max(line[-1].end, min(least, following))
        text = " ".join(word.text for word in line)
        if kind == "vtt":
            parts.append(f"{_clock(start, '.')} --> {_clock(end, '.')}\n{html.escape(text, quote=False)}\n")
        else:
            parts.append(f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n")
    return "\n".join(parts)


def _lines(words: Sequence[Word]) -> Iterator[list[Word]]:
    """The words of each line."""
    line = [*words[:1]]
    for before, word in pairwise(words):
        if word.start - before.end >= PAUSE or sum(len(one.text) + 1 for one in line) + len(word.text) > LINE:
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def _clock(seconds: float, mark: str) -> str:
    """`00:01:02.345`, with the format's mark before the milliseconds."""
    minutes, milliseconds = divmod(round(1000 * seconds), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"
