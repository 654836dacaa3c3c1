"""Speech Commands (P. Warden, 2018, arXiv:1804.03209): one-second clips of 35 words, one folder a word.

A clip is `{speaker}_nohash_{n}.wav`, where the speaker is eight hex digits; in `_unknown_` the word stands in front of
it. `_silence_` clips have no speaker, and `_background_noise_` holds long noises to mix in. The official split is in
`validation_list.txt` and `testing_list.txt`; where these are missing it follows from a hash of the speaker.
"""

import hashlib
import os
import re
import sys
from dataclasses import replace

from kerasr.data.corpora.download import install_archive
from kerasr.data.corpora.folder import read_folder
from kerasr.data.manifest import Corpus
from kerasr.errors import UserError

NAME = "speech_commands"
FOLDER = "speech_commands"
SOURCE = "https://arxiv.org/abs/1804.03209 (version 0.02)"
LICENCE = "CC BY 4.0"
VALIDATION_LIST = "validation_list.txt"
TEST_LIST = "testing_list.txt"

_ARCHIVE = "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
# From TensorFlow Datasets, tensorflow_datasets/url_checksums/speech_commands.txt (2,428,923,189 bytes).
_ARCHIVE_SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
_SPEAKER = re.compile(r"(?:^|_)([0-9a-f]+)_nohash_")
# `which_set` in section 7.2 of the paper and in TensorFlow's speech_commands/input_data.py.
_MAX_CLIPS_PER_CLASS = 2**27 - 1


def is_speech_commands(path: str) -> bool:
    """Whether the folder has the official lists, or a sub-folder whose clips are named as the corpus names them."""
    if os.path.isfile(os.path.join(path, TEST_LIST)) and os.path.isfile(os.path.join(path, VALIDATION_LIST)):
        return True
    with os.scandir(path) as entries:
        folders = [entry.path for entry in entries if entry.is_dir()]
    return any(_speaker(name) for folder in folders for name in os.listdir(folder))


def read_speech_commands(path: str) -> Corpus:
    """The corpus in `path`: every word folder is a label, `_silence_` and `_unknown_` too, if they are there.

    Raises:
        UserError: the folder has no recordings in word folders, or has only one of the two lists.
    """
    corpus = read_folder(path)
    lists = _read_lists(corpus.root)
    utterances = []
    for item in corpus.utterances:
        name = os.path.basename(item.path)
        speaker = _speaker(name)
        split = official_split(name) if lists is None else lists.get(corpus.relative(item.path), "train")
        utterances.append(replace(item, speaker=sys.intern(speaker) if speaker else None, split=split))
    rule = "a hash of the speaker" if lists is None else f"{VALIDATION_LIST} and {TEST_LIST}"
    return replace(
        corpus,
        name=NAME,
        utterances=tuple(utterances),
        licence=LICENCE,
        source=SOURCE,
        official_split=rule,
    )


def download_speech_commands(folder: str, url: str = _ARCHIVE, sha256: str | None = _ARCHIVE_SHA256) -> None:
    """Make `folder` a copy of the corpus as published, version 0.02 (2.4 GB); nothing happens where it exists.

    Raises:
        CorpusUnavailable: there is no network.
        UserError: the archive is not the published one.
    """
    install_archive(url, folder, sha256=sha256)


def official_split(name: str) -> str:
    """The official split of a clip by its file name: about a tenth each to validation and test.

    All clips of a speaker fall to the same. A name without a speaker is hashed as it is.
    """
    digest = hashlib.sha1((_speaker(name) or name).encode("utf-8", "surrogateescape")).hexdigest()
    percent = int(digest, 16) % (_MAX_CLIPS_PER_CLASS + 1) * (100.0 / _MAX_CLIPS_PER_CLASS)
    return "validation" if percent < 10 else "test" if percent < 20 else "train"


def _speaker(name: str) -> str | None:
    """The hex field right before `_nohash_`, whatever stands in front of it."""
    match = _SPEAKER.search(name)
    return match.group(1) if match else None


def _read_lists(root: str) -> dict[str, str] | None:
    """The split of each clip that the official lists name, by relative path; None where there are no lists."""
    paths = {"validation": os.path.join(root, VALIDATION_LIST), "test": os.path.join(root, TEST_LIST)}
    present = [path for path in paths.values() if os.path.isfile(path)]
    if not present:
        return None
    splits: dict[str, str] = {}
    for split, path in paths.items():
        if path not in present:
            raise UserError(f"{path}: is missing and {present[0]} is there; restore it, or remove the other")
        with open(path, encoding="utf-8") as file:
            splits.update((line.strip(), split) for line in file if line.strip())
    return splits
