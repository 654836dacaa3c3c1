"""Free Spoken Digit Dataset: 3,000 clips of the ten digits at 8 kHz by six speakers, `{digit}_{speaker}_{index}.wav`.

Its official test is index 0 to 4 of each digit and speaker. It names no validation part: index 5 to 9 is ours.
"""

import os
import re
import sys

from kerasr.data.corpora.download import install_archive, verify_files
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
    """The folder that holds the recordings, if `path` is a copy of the corpus or its `recordings`; else None."""
    for folder in (os.path.join(path, "recordings"), path):
        if os.path.isdir(folder):
            names = [name for name in os.listdir(folder) if name.endswith(".wav")]
            if sum(_NAME.fullmatch(name) is not None for name in names) > len(names) / 2:
                return folder
    return None


def read_fsdd(path: str) -> Corpus:
    """The corpus in `path`, a copy of the repository or its `recordings`; labels are `zero` to `nine`.

    Raises:
        UserError: `path` holds something else.
    """
    root = find_recordings(os.path.abspath(path))
    if root is None:
        raise UserError(f"{path}: is not a copy of FSDD, which has recordings named like 7_jackson_32.wav")
    utterances, bad = [], []
    for name in sorted(os.listdir(root)):
        if not name.endswith(".wav"):
            continue
        if match := _NAME.fullmatch(name):
            digit, speaker, index = match.groups()
            split = "test" if int(index) < 5 else "validation" if int(index) < 10 else "train"
            utterances.append(
                Utterance(
                    os.path.join(root, name),
                    label=DIGITS[int(digit)],
                    speaker=sys.intern(speaker),
                    split=split,
                    extra=SPEAKERS.get(speaker, {}),
                )
            )
        else:
            bad.append((os.path.join(root, name), "is not named like 7_jackson_32.wav; rename it or remove it"))
    present = {item.label for item in utterances}
    return Corpus(
        name=NAME,
        utterances=tuple(utterances),
        licence=LICENCE,
        source=SOURCE,
        root=root,
        labels=tuple(digit for digit in DIGITS if digit in present),
        official_split=OFFICIAL,
        bad=tuple(bad),
    )


def download_fsdd(folder: str, url: str = _ARCHIVE) -> None:
    """Make `folder` a copy of the corpus as published, version 1.0.10; nothing happens where it exists.

    Raises:
        CorpusUnavailable: there is no network.
        UserError: a recording is not the published one.
    """
    install_archive(url, folder, check=lambda copy: verify_files(os.path.join(copy, "recordings"), _RECORDINGS_LIST))
