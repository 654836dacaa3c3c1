"""GRID: a thousand sentences of six words ("bin blue at f two now") by each of 34 speakers.

A folder for each speaker, `s1`, `s2`, ..., and in it `ID.align`, lines `START END WORD`, beside the recording `ID.wav`,
or one of another format; films beside them are not looked at. `sil` and `sp` are pauses.

No speaker says a sentence twice, and a file's name is short for its sentence.
"""

import hashlib
import os
from dataclasses import replace

from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.transcripts import (
    Entry,
    has_file,
    match_texts,
    read_lines,
    recordings_among,
    stem_of,
    walk_folders,
)
from kerasr.data.manifest import SPLITS, Corpus, Utterance
from kerasr.data.word_times import TimedWord, format_times
from kerasr.errors import UserError

NAME = "grid"
LICENCE = "CC BY 4.0"
SOURCE = "https://spandh.dcs.shef.ac.uk/gridcorpus/"
BY_SENTENCE = (
    "by sentence, as there are fewer than three speakers: those with sha1(name) % 10 == 0 are the test, those with 1 "
    "the validation, in voices of the training (our choice)"
)

# Of a second, in alignments.
UNITS = 25_000
_ALIGN = ".align"
_PAUSES = ("sil", "sp")


def is_grid(path: str) -> bool:
    """Whether `path` is a copy of the corpus, or of a speaker's part of it: there are alignments."""
    return has_file(path, f"*{_ALIGN}", f"s*/*{_ALIGN}")


@register_corpus(NAME, recognise=is_grid)
def read_grid(path: str) -> Corpus:
    """The corpus in `path`.

    Args:
        path: the folder of the speakers' folders, or one of these.

    Returns:
        The utterances: of three speakers or more without a split, so that speakers are held out; of fewer, split by
        sentence. Alignments without a recording, and recordings without one, are among the `bad`.

    Raises:
        UserError: an alignment has a line of another form.
    """
    utterances, bad = [], []
    for folder, names in walk_folders(path):
        aligned = (os.path.join(folder, name) for name in names if name.endswith(_ALIGN))
        words = {stem_of(place): (_read_words(place), place) for place in aligned}
        texts = {name: Entry(" ".join(word.text for word in said), place) for name, (said, place) in words.items()}
        found, alone = match_texts(texts, recordings_among(folder, names))
        speaker = os.path.basename(folder)
        utterances += [
            replace(item, speaker=speaker, extra=format_times(words[name][0])) for name, item in found.items()
        ]
        bad += alone
    by_sentence = len({item.speaker for item in utterances}) < len(SPLITS)
    return Corpus(
        NAME,
        tuple(replace(item, split=_split(item)) if by_sentence else item for item in utterances),
        licence=LICENCE,
        source=SOURCE,
        root=os.path.abspath(path),
        official_split=BY_SENTENCE if by_sentence else "",
        bad=tuple(bad),
    )


def _read_words(path: str) -> list[TimedWord]:
    words = []
    for number, line in read_lines(path):
        match line.split():
            case start, end, word if start.isdecimal() and end.isdecimal():
                words += [TimedWord(word, int(start) / UNITS, int(end) / UNITS)] if word not in _PAUSES else []
            case _:
                raise UserError("corpus-damaged", f"{path}:{number}: {line[:60]!r} is not START END WORD")
    return words


def _split(utterance: Utterance) -> str:
    """By the sentence alone, wherever the copy lies and whatever its format."""
    place = int(hashlib.sha1(stem_of(utterance.path).encode()).hexdigest(), 16) % 10
    return {0: "test", 1: "validation"}.get(place, "train")
