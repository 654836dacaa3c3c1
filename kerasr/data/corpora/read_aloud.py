"""Texts that flite reads aloud, sentence by sentence: `flite:ljspeech`, `flite:book.txt`.

It is what a voice can learn from that is to say any English sentence, and belongs to nobody: flite's licence allows it.
"""

import glob
import hashlib
import os
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
# Part of the cache's key: count it up when the same texts and seed would give other clips.
_VERSION = 1


def is_read_aloud(data: str | None) -> bool:
    """Whether `--data` names texts that flite reads."""
    return data is not None and data.startswith(PREFIX)


def read_aloud(data: str, cache: str, *, seed: int = 0, clips: int = 0) -> Corpus:
    """A corpus of sentences, spoken on the first call and read from `cache` from then on, by four voices in turn.

    Args:
        data: `flite:` and what to read: a text file with a sentence a line, a table as LJSpeech's, a folder that holds
            such tables, or `ljspeech` for a copy of it.
        cache: folder that keeps what was spoken.
        seed: draws the sentences.
        clips: so many of the sentences; all where 0.

    Returns:
        Utterances with their texts, in parts that are the same whatever else is read: a twentieth of the sentences, by
        their hash, is a test, and as many validate. Their speakers are called `flite:` and the voice.

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
        [_VERSION, texts],
        cache,
        lambda folder: _render(texts, folder),
        licence=flite.LICENCE,
        source=flite.SOURCE,
        official_split=BY_SENTENCE,
    )


def check_texts(data: str) -> None:
    """Raise UserError where there is nothing to read, before anything is spoken."""
    next(_sentences(data.removeprefix(PREFIX)), None)


def _render(texts: list[str], folder: str) -> list[Utterance]:
    """Speak every sentence into `folder`."""
    flite.check_program(f"--data {PREFIX}... needs")
    voices = [*flite.VOICES]
    jobs = [
        flite.Job(os.path.join(folder, f"{number:05d}.wav"), text, voices[number % len(voices)])
        for number, text in enumerate(texts)
    ]
    flite.speak(jobs)
    return [Utterance(job.path, text=job.text, speaker=flite.speaker_of(job), split=_split(job.text)) for job in jobs]


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
