"""Recordings beside their texts: `1.txt` beside `1.wav`, or LJSpeech's table `metadata.csv` beside `wavs/`."""

import os
from collections.abc import Iterator

from kerasr.audio.files import SUFFIXES
from kerasr.data.corpora.registry import register_corpus
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError

_TABLE, _RECORDINGS, _TEXT = "metadata.csv", "wavs", ".txt"


def is_ljspeech(path: str) -> bool:
    """Whether `path` is laid out as LJSpeech is."""
    return os.path.isfile(os.path.join(path, _TABLE)) and os.path.isdir(os.path.join(path, _RECORDINGS))


@register_corpus("ljspeech", folder="LJSpeech-1.1", recognise=is_ljspeech)
def read_ljspeech(path: str) -> Corpus:
    """LJSpeech, or recordings of one's own laid out as it is.

    Args:
        path: the folder that holds `metadata.csv`, a line `NAME|TEXT` or `NAME|TEXT|TEXT AS IT IS READ` for each
            recording, and `wavs/NAME.wav`, or of another format.

    Returns:
        The utterances; those of a line without a recording are among the `bad`.

    Raises:
        UserError: the table is no UTF-8 text, or a line has another form.
    """
    table, folder = os.path.join(path, _TABLE), os.path.join(path, _RECORDINGS)
    found = {os.path.splitext(name)[0]: os.path.join(folder, name) for name in _recordings(os.listdir(folder))}
    utterances, bad = [], []
    for number, line in enumerate(_read_text(table).splitlines(), 1):
        if not line.strip():
            continue
        name, *texts = line.split("|")
        if not 1 <= len(texts) <= 2:
            raise UserError("corpus-damaged", f"{table}:{number}: {line[:60]!r} is not NAME|TEXT or NAME|TEXT|TEXT")
        if name in found:
            utterances.append(Utterance(found[name], text=texts[-1].strip() or texts[0].strip()))
        else:
            bad.append((os.path.join(folder, f"{name}.wav"), f"is in line {number} of {_TABLE}, and not there"))
    return _corpus(path, utterances, bad)


def has_texts(path: str) -> bool:
    """Whether a folder, or one in it, has a text with a recording of the same name beside it."""
    return any(_stems(_texts(names)) & _stems(_recordings(names)) for _, names in _walk(path))


def read_texts(path: str) -> Corpus:
    """Recordings with a text beside each.

    Args:
        path: the folder; folders in it are read, too.

    Returns:
        The utterances; recordings without a text, and texts without a recording, are among the `bad`.

    Raises:
        UserError: a text is no UTF-8.
    """
    utterances, bad = [], []
    for folder, names in _walk(path):
        for name in _recordings(names):
            recording = os.path.join(folder, name)
            text = f"{os.path.splitext(recording)[0]}.txt"
            if os.path.basename(text) in names:
                utterances.append(Utterance(recording, text=_read_text(text).strip()))
            else:
                bad.append((recording, "has no text beside it"))
        alone = sorted(_stems(_texts(names)) - _stems(_recordings(names)))
        bad += [(os.path.join(folder, f"{stem}{_TEXT}"), "has no recording beside it") for stem in alone]
    return _corpus(path, utterances, bad)


def _corpus(path: str, utterances: list[Utterance], bad: list[tuple[str, str]]) -> Corpus:
    root = os.path.abspath(path)
    return Corpus(os.path.basename(root), tuple(utterances), source=path, root=root, bad=tuple(bad))


def _walk(path: str) -> Iterator[tuple[str, list[str]]]:
    """Each folder and the names of its files, in order; what begins with a dot is left out."""
    for folder, inside, names in os.walk(os.path.abspath(path)):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        yield folder, sorted(name for name in names if not name.startswith("."))


def _stems(names: list[str]) -> set[str]:
    """The names without their suffix."""
    return {os.path.splitext(name)[0] for name in names}


def _texts(names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(_TEXT)]


def _recordings(names: list[str]) -> list[str]:
    return [name for name in sorted(names) if name.lower().endswith(SUFFIXES)]


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise UserError("corpus-damaged", f"{path}: is no UTF-8 text ({error}); save it as UTF-8") from error
