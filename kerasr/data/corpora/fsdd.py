"""Free Spoken Digit Dataset: 3,000 clips of the ten digits at 8 kHz by six speakers, `{digit}_{speaker}_{index}.wav`.

Its official test is index 0 to 4 of each digit and speaker. It names no validation part: index 5 to 9 is ours.
Digits by other people in files named alike are a corpus of their own, without that split and that licence.
"""

import os
import re
import sys
from dataclasses import replace

from kerasr.data.corpora.download import install_archive, verify_files
from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.speakers import describe_speakers
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError

NAME = "fsdd"
FOLDER = "free-spoken-digit-dataset"
SOURCE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
LICENCE = "CC BY-SA 4.0"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
OFFICIAL = "index 0 to 4 of each digit and speaker is the test, 5 to 9 the validation (our choice), the rest trains"

_ARCHIVE = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz"
# GitHub does not promise the bytes of an archive, so each recording is verified: SHA-256 of all 3,000.
_RECORDINGS_LIST = os.path.join(os.path.dirname(__file__), "fsdd.sha256")
_NAME = re.compile(r"(\d)_([^_]+)_(\d+)\.wav")

# What the speakers say of themselves: metadata.py in the corpus's repository.
SPEAKERS = {
    "george": {"gender": "male", "accent": "GRC/Greek"},
    "jackson": {"gender": "male", "accent": "USA/neutral"},
    "lucas": {"gender": "male", "accent": "DEU/German"},
    "nicolas": {"gender": "male", "accent": "BEL/French"},
    "theo": {"gender": "male", "accent": "USA/neutral"},
    "yweweler": {"gender": "male", "accent": "DEU/German"},
}


def find_recordings(path: str) -> str | None:
    """The folder of recordings named as the corpus names them, most of them at least: `path` or its `recordings`."""
    for folder in (os.path.join(path, "recordings"), path):
        if os.path.isdir(folder):
            names = [name for name in os.listdir(folder) if name.endswith(".wav")]
            if sum(_NAME.fullmatch(name) is not None for name in names) > len(names) / 2:
                return folder
    return None


def is_fsdd(path: str) -> bool:
    """Whether `path` is a copy of the corpus or its `recordings`: they are named so, and by its speakers."""
    folder = find_recordings(path)
    if folder is None:
        return False
    return all(match[2] in SPEAKERS for name in os.listdir(folder) if (match := _NAME.fullmatch(name)))


def download_fsdd(folder: str, url: str = _ARCHIVE) -> None:
    """Make `folder` a copy of the corpus as published, version 1.0.10; nothing happens where it exists.

    Raises:
        UserError: there is no network (`corpus-unavailable`), or a recording is not the published one.
    """
    install_archive(url, folder, check=lambda copy: verify_files(os.path.join(copy, "recordings"), _RECORDINGS_LIST))


@register_corpus(NAME, folder=FOLDER, recognise=is_fsdd, download=download_fsdd)
def read_fsdd(path: str) -> Corpus:
    """The corpus in `path`, a copy of the repository or its `recordings`; labels are `zero` to `nine`.

    Raises:
        UserError: `path` holds something else.
    """
    if not is_fsdd(path):
        raise UserError(
            "corpus-not-found", f"{path}: is not a copy of FSDD, which has recordings named like 7_jackson_32.wav"
        )
    corpus = read_digits(path)
    utterances = tuple(
        replace(item, split=_official_split(item.path), extra=SPEAKERS[item.speaker or ""])
        for item in corpus.utterances
    )
    return replace(
        corpus,
        name=NAME,
        utterances=utterances,
        licence=LICENCE,
        source=SOURCE,
        official_split=OFFICIAL,
        speaker_source="",
    )


def read_digits(path: str) -> Corpus:
    """The digits in `path`, or its `recordings`, that anybody has named as FSDD's are; labels are `zero` to `nine`.

    Raises:
        UserError: `path` holds something else.
    """
    root = find_recordings(os.path.abspath(path))
    if root is None:
        raise UserError("no-recordings", f"{path}: has no recordings named like 7_jackson_32.wav")
    utterances, bad = [], []
    for name in sorted(os.listdir(root)):
        if not name.endswith(".wav"):
            continue
        if match := _NAME.fullmatch(name):
            digit, speaker, _ = match.groups()
            utterances.append(
                Utterance(os.path.join(root, name), label=DIGITS[int(digit)], speaker=sys.intern(speaker))
            )
        else:
            bad.append((os.path.join(root, name), "is not named like 7_jackson_32.wav; rename it or remove it"))
    present = {item.label for item in utterances}
    found = {item.speaker: os.path.basename(item.path) for item in reversed(utterances)}
    return Corpus(
        name=os.path.basename(os.path.abspath(path)),
        utterances=tuple(utterances),
        source=root,
        root=root,
        labels=tuple(digit for digit in DIGITS if digit in present),
        bad=tuple(bad),
        speaker_source=describe_speakers(found, "read off the file names"),
    )


def _official_split(path: str) -> str:
    """The split of one of the corpus's recordings, by its index."""
    index = int(path.rpartition("_")[2].partition(".")[0])
    return "test" if index < 5 else "validation" if index < 10 else "train"
