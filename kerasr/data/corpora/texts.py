"""Recordings beside their texts: `1.txt` or `1.TextGrid` beside `1.wav`, or LJSpeech's table beside `wavs/`."""

import os
from dataclasses import replace

from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.textgrid import SUFFIX as TEXTGRID
from kerasr.data.corpora.textgrid import read_textgrid
from kerasr.data.corpora.transcripts import (
    Entry,
    match_texts,
    read_lines,
    read_text,
    recordings_among,
    stem_of,
    walk_folders,
)
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.word_times import format_times
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
        The utterances; lines without a recording, or without a word, and recordings without a line are among the `bad`.

    Raises:
        UserError: the table is no UTF-8 text, has a recording twice, or a line has another form.
    """
    table, folder = os.path.join(path, _TABLE), os.path.join(os.path.abspath(path), _RECORDINGS)
    entries: dict[str, Entry] = {}
    for number, line in read_lines(table):
        where = f"{table}:{number}"
        name, *texts = line.split("|")
        if not 1 <= len(texts) <= 2:
            raise UserError("corpus-damaged", f"{where}: {line[:60]!r} is not NAME|TEXT or NAME|TEXT|TEXT")
        if name in entries:
            raise UserError("recording-twice", f"{where}: lists {name} again (first in {entries[name].where})")
        entries[name] = Entry(texts[-1].strip() or texts[0].strip(), where)
    found, bad = match_texts(entries, recordings_among(folder, os.listdir(folder)))
    return _corpus(path, [*found.values()], bad)


def has_texts(path: str) -> bool:
    """Whether a folder, or one in it, has a text with a recording of the same name beside it."""
    return any(
        (_texts_among(names) | _aligned_among(names)) & recordings_among(folder, names).keys()
        for folder, names in walk_folders(path)
    )


def read_texts(path: str) -> Corpus:
    """Recordings with a text beside each, or an alignment, whose words are the text where there is no other.

    Args:
        path: the folder; folders in it are read, too.

    Returns:
        The utterances; recordings without a text, and texts without a recording or a word, are among the `bad`.

    Raises:
        UserError: a text is no UTF-8.
    """
    utterances, bad = [], []
    for folder, names in walk_folders(path):
        recordings = recordings_among(folder, names)
        places = {stem: os.path.join(folder, f"{stem}{_TEXT}") for stem in sorted(_texts_among(names))}
        # (What has no recording, as a README.txt, may be anything: it is named, and not read.)
        texts = {stem: Entry(read_text(at).strip() if stem in recordings else "", at) for stem, at in places.items()}
        aligned = {
            stem: read_textgrid(os.path.join(folder, f"{stem}{TEXTGRID}"))
            for stem in sorted(_aligned_among(names) & recordings.keys())
        }
        for stem, words in aligned.items():
            said = Entry(" ".join(word.text for word in words), os.path.join(folder, f"{stem}{TEXTGRID}"))
            texts.setdefault(stem, said)
        found, alone = match_texts(texts, recordings)
        utterances += [
            replace(item, extra=format_times(aligned[stem]) if stem in aligned else {}) for stem, item in found.items()
        ]
        bad += alone
    return _corpus(path, utterances, bad)


def _corpus(path: str, utterances: list[Utterance], bad: list[tuple[str, str]]) -> Corpus:
    root = os.path.abspath(path)
    return Corpus(os.path.basename(root), tuple(utterances), source=path, root=root, bad=tuple(bad))


def _texts_among(names: list[str]) -> set[str]:
    """The names of texts, without their suffix."""
    return {stem_of(name) for name in names if name.endswith(_TEXT)}


def _aligned_among(names: list[str]) -> set[str]:
    """The names of alignments, without their suffix."""
    return {stem_of(name) for name in names if name.endswith(TEXTGRID)}
