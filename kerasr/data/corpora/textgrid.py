"""Praat's TextGrids, as forced aligners write them: words, and when each begins and ends."""

import re
from collections.abc import Iterator

from kerasr.core.regular import open_regular
from kerasr.data.word_times import TimedWord
from kerasr.errors import UserError

SUFFIX = ".TextGrid"
# Of several tiers, the first of such a name has the words; of one, that one.
WORD_TIERS = ("words", "word")

_VALUES = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])')
_PLACES = re.compile(r"\[\d*\]")


def read_textgrid(path: str) -> list[TimedWord]:
    """The words of a TextGrid, without its pauses.

    Args:
        path: of a file in the long or the short form, UTF-8 or UTF-16.

    Raises:
        UserError: it is no TextGrid, or has no tier of words.
    """
    tiers = dict(reversed([*_tiers(path)]))
    name = next((name for name in WORD_TIERS if name in tiers), None)
    if name is None and len(tiers) != 1:
        raise UserError("corpus-damaged", f"{path}: has the tiers {', '.join(tiers) or 'none'}, and none called words")
    words = tiers[name] if name else next(iter(tiers.values()))
    return [word for word in words if any(map(str.isalnum, word.text))]


def _tiers(path: str) -> Iterator[tuple[str, list[TimedWord]]]:
    """Name and intervals of each tier of intervals; those of points are passed over."""
    values = _values(path)
    try:
        kind, what = next(values), next(values)
        if (kind, what) != ("ooTextFile", "TextGrid"):
            raise ValueError
        _, _, num_tiers = (float(next(values)) for _ in range(3))
        for _ in range(int(num_tiers)):
            kind, name, _, _, count = (next(values) for _ in range(5))
            if kind == "IntervalTier":
                rows = [(next(values), next(values), next(values)) for _ in range(int(count))]
                yield name.lower(), [TimedWord(text.strip(), float(start), float(end)) for start, end, text in rows]
            else:
                for _ in range(2 * int(count)):
                    next(values)
    except (StopIteration, RuntimeError, ValueError) as error:
        raise UserError("corpus-damaged", f"{path}: is no TextGrid, or breaks off") from error


def _values(path: str) -> Iterator[str]:
    """What stands in it, without the names of things and their places: the long form is the short one then."""
    with open_regular(path, "rb") as file:
        content = file.read()
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("corpus-damaged", f"{path}: is no UTF-8 text ({error}); save it as UTF-8") from error
    pieces = re.split(r'("(?:[^"]|"")*")', text)
    # (Brackets within quotes are of a word.)
    bare = "".join(piece if place % 2 else _PLACES.sub("", piece) for place, piece in enumerate(pieces))
    for found in _VALUES.finditer(bare):
        yield found[1].replace('""', '"') if found[2] is None else found[2]
