"""Texts that flite reads aloud, sentence by sentence: `flite:ljspeech`, `flite:book.txt`.

It is what a voice can learn from that is to say any English sentence, and belongs to nobody: flite's licence allows it.
"""

import glob
import hashlib
import os
import random
from collections.abc import Iterator

from kerasr.data.corpora import flite
from kerasr.data.corpora.registry import CORPORA
from kerasr.data.corpora.spoken import read_spoken
from kerasr.data.corpora.transcripts import read_lines
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError

PREFIX = f"{flite.PROGRAM}:"
# LJSpeech's table, and others beside it.
_TABLES = "metadata*.csv"
# One sentence in so many is a test, and as many validate, whoever reads it.
_PARTS = 20
BY_SENTENCE = "by sentence: a hash's twentieth part is the test, and another the validation (our choice)"
# Longer ones, in characters, are left out: no training batch has room for a page.
_LONGEST = 200
# Of flite's voices those that a network says well: `kal16`, of pieces joined, comes out hoarse (pYIN hears a pitch in a
# third of its own frames).
_VOICES = ("awb", "rms", "slt")
# Of every second sentence that trains so many of its words at most are said once more, by themselves: a voice that has
# heard nothing but sentences neither begins nor ends a word that stands alone.
_MOST_WORDS = 3
# Part of the cache's key: count it up when the same texts and seed would give other clips.
_VERSION = 2


def is_read_aloud(data: str | None) -> bool:
    """Whether `--data` names texts that flite reads."""
    return data is not None and data.startswith(PREFIX)


def read_aloud(data: str, cache: str, *, seed: int = 0, clips: int = 0) -> Corpus:
    """A corpus of sentences, spoken on the first call and read from `cache` from then on, by three voices in turn.

    Args:
        data: `flite:` and what to read: a text file with a sentence a line, a table as LJSpeech's, a folder that holds
            such tables, or `ljspeech` for a copy of it.
        cache: folder that keeps what was spoken.
        seed: draws the sentences.
        clips: so many of the sentences; all where 0.

    Returns:
        Utterances with their texts, in parts that are the same whatever else is read: a twentieth of the sentences, by
        their hash, is a test, and as many validate. After the sentences come words that are said alone, one to three
        of every second sentence that trains. The speakers are called `flite:` and the voice.

    Raises:
        UserError: there are no such texts, flite is not installed, or it cannot say one of them.
        OSError: the cache cannot be written.
    """
    found = {text for text in _sentences(data.removeprefix(PREFIX)) if _can_be_said(text)}
    texts = sorted(found, key=lambda text: _number(text, str(seed)))[: clips or None]
    if not texts:
        raise UserError("text-missing", f"--data {data}: has no sentence of at most {_LONGEST} characters")
    return read_spoken(
        flite.PROGRAM,
        [_VERSION, texts, seed],
        cache,
        lambda folder: _render(texts, _words_alone(texts, seed), folder),
        licence=flite.LICENCE,
        source=flite.SOURCE,
        official_split=BY_SENTENCE,
    )


def check_texts(data: str) -> None:
    """Raise UserError where there is nothing to read, before anything is spoken."""
    next(_sentences(data.removeprefix(PREFIX)), None)


def _render(sentences: list[str], words: list[str], folder: str) -> list[Utterance]:
    """Speak every sentence into `folder`, and the words for the training."""
    flite.check_program(f"--data {PREFIX}... needs")
    jobs = [
        flite.Job(os.path.join(folder, f"{number:05d}.wav"), text, _VOICES[number % len(_VOICES)])
        for number, text in enumerate((*sentences, *words))
    ]
    flite.speak(jobs)
    splits = (*map(_split, sentences), *["train"] * len(words))
    return [
        Utterance(job.path, text=job.text, speaker=flite.speaker_of(job), split=split)
        for job, split in zip(jobs, splits, strict=True)
    ]


def _words_alone(sentences: list[str], seed: int) -> list[str]:
    """A few words of every second sentence that trains, none twice."""
    known, found = {*sentences}, {}
    for text in sentences[::2]:
        words, draw = text.split(), random.Random(f"{seed} {text}")
        first, number = draw.randrange(len(words)), draw.randint(1, _MOST_WORDS)
        some = " ".join(words[first : first + number])
        if _split(text) == "train" and _can_be_said(some):
            found[some] = None
    return [some for some in found if some not in known]


def _sentences(place: str) -> Iterator[str]:
    """The lines of a text, or the last column of tables."""
    known = None if os.path.exists(place) else CORPORA.get(place)
    found = (known and known.find_copy()) or place
    paths = sorted(glob.glob(os.path.join(glob.escape(found), _TABLES)))
    if os.path.isfile(found):
        paths = [found]
    if not paths:
        raise UserError(
            "corpus-not-found",
            f"--data {PREFIX}{place}: there are no such texts: name a text file with a sentence a line, or a folder "
            f"that holds LJSpeech's {_TABLES}",
        )
    for path in paths:
        for _, line in read_lines(path):
            yield line.split("|")[-1].strip() if path.endswith(".csv") else line


def _can_be_said(text: str) -> bool:
    return len(text) <= _LONGEST and any(map(str.isalpha, text))


def _split(text: str) -> str:
    return {0: "test", 1: "validation"}.get(_number(text) % _PARTS, "train")


def _number(text: str, salt: str = "") -> int:
    return int(hashlib.sha1(f"{salt}{text}".encode()).hexdigest(), 16)
