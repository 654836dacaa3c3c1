"""What readers of sentences share: lists of texts, and which recording each of them is of."""

import glob
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kerasr.audio.files import SUFFIXES
from kerasr.core.regular import open_regular
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError


class Entry(NamedTuple):
    """What a list says of a name.

    Attributes:
        value: a text, a path, a speaker.
        where: the file that says so, with the line.
    """

    value: str
    where: str


def match_texts(
    texts: Mapping[str, Entry], recordings: Mapping[str, str]
) -> tuple[dict[str, Utterance], list[tuple[str, str]]]:
    """The recordings with their texts.

    Args:
        texts: of each name.
        recordings: absolute path of each name.

    Returns:
        Utterances by name; and, as a corpus's `bad` has them, recordings without a text, texts without a recording and
        texts without a word.
    """
    found = {}
    bad = [(path, f"there is no text of {name}") for name, path in recordings.items() if name not in texts]
    for name, (text, where) in texts.items():
        if name not in recordings:
            bad.append((where, f"there is no recording of {name} ({', '.join(SUFFIXES)})"))
        elif not any(map(str.isalnum, text)):
            bad.append((where, f"the text of {name} has no word"))
        else:
            found[name] = Utterance(recordings[name], text=text)
    return found, bad


def read_table(path: str) -> dict[str, Entry]:
    """A list whose lines are a name, a space and what is said of it.

    Raises:
        UserError: it is no UTF-8 text, or has a name twice.
    """
    entries: dict[str, Entry] = {}
    for number, line in read_lines(path):
        name, *rest = line.split(maxsplit=1)
        if name in entries:
            raise UserError("corpus-damaged", f"{path}:{number}: lists {name} again (first in {entries[name].where})")
        entries[name] = Entry("".join(rest), f"{path}:{number}")
    return entries


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Number and content of each line that is not blank.

    Raises:
        UserError: the file is no UTF-8 text.
    """
    return ((number, line.strip()) for number, line in enumerate(read_text(path).split("\n"), 1) if line.strip())


def read_text(path: str) -> str:
    """All that stands in a file.

    Raises:
        UserError: it is no UTF-8 text.
    """
    try:
        with open_regular(path, encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise UserError("corpus-damaged", f"{path}: is no UTF-8 text ({error}); save it as UTF-8") from error


def walk_folders(path: str) -> Iterator[tuple[str, list[str]]]:
    """Absolute path of each folder and the names of its files, in order; what begins with a dot is left out."""
    for folder, inside, names in os.walk(os.path.abspath(path)):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        yield folder, sorted(name for name in names if not name.startswith("."))


def recordings_among(folder: str, names: list[str]) -> dict[str, str]:
    """Paths of the recordings among a folder's files, by their names without suffix; hidden files are left out."""
    kept = (name for name in sorted(names) if name.lower().endswith(SUFFIXES) and not name.startswith("."))
    return {stem_of(name): os.path.join(folder, name) for name in kept}


def stem_of(name: str) -> str:
    """A file's name without its folder and its suffix."""
    return os.path.splitext(os.path.basename(name))[0]


def has_file(path: str, *patterns: str) -> bool:
    """Whether a folder has a file of one of these patterns, as `*/*.align`."""
    return any(any(glob.iglob(os.path.join(glob.escape(path), pattern))) for pattern in patterns)
