"""Speech Commands (P. Warden, 2018, arXiv:1804.03209): one-second clips of 35 words, one folder a word.

A clip is `{speaker}_nohash_{n}.wav`, where the speaker is eight hex digits; in `_unknown_` the word stands in front of
it; a clip that somebody has added, `anna_take_3.wav`, is by `anna`. `_silence_` clips have no speaker, and
`_background_noise_` holds long noises to mix in. The official split is in `validation_list.txt` and `testing_list.txt`;
where these are missing it follows from a hash of the speaker.

Two tasks are official. `speech_commands:35` tells all words apart. `speech_commands:12` knows ten of them,
`_unknown_` for the other 25 and `_silence_`, made as TensorFlow's example makes them
(tensorflow/examples/speech_commands/input_data.py): in each split as many unknown words and as many seconds of
background noise as a tenth of the wanted clips. Which they are is drawn once and for all, so that every training is
tested on the same. Each split has its own segment of each noise, and the noise that is mixed into training clips is of
training's: with seconds from anywhere in six noises, half of the test's would share samples with training's.
"""

import hashlib
import math
import os
import re
import sys
from dataclasses import replace

import numpy as np
import soundfile

from kerasr import audio
from kerasr.core import atomic
from kerasr.core.progress import ProgressBar
from kerasr.data.corpora.download import install_archive
from kerasr.data.corpora.folder import NOISE_FOLDER, read_words
from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.speakers import name_takes
from kerasr.data.corpora.user_cache import made_folder, mark_used, writable_cache
from kerasr.data.manifest import SPLITS, Corpus, Utterance
from kerasr.errors import UserError

NAME = "speech_commands"
FOLDER = "speech_commands"
SOURCE = "https://arxiv.org/abs/1804.03209 (version 0.02)"
LICENCE = "CC BY 4.0"
VALIDATION_LIST = "validation_list.txt"
TEST_LIST = "testing_list.txt"

SILENCE, UNKNOWN = "_silence_", "_unknown_"
WANTED = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
# The 25 words of the whole corpus that are `_unknown_` to the task of twelve.
OTHERS = (
    "backward", "bed", "bird", "cat", "dog", "eight", "five", "follow", "forward", "four", "happy", "house", "learn",
    "marvin", "nine", "one", "seven", "sheila", "six", "three", "tree", "two", "visual", "wow", "zero",
)  # fmt: skip
# Number of words by the task's name, which stands behind the corpus's: `speech_commands:12`.
TASKS = {"12": 12, "35": 35}

SAMPLE_RATE = 16000
# Unknown words and silences, each as a share of the wanted clips.
_SHARE = 0.1
# The segment of each background noise that a split has, as shares of its length.
_SEGMENTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
# Part of the cache's key: count it up when the same corpus would give other silences.
_SILENCE_VERSION = 2

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


def download_speech_commands(folder: str, url: str = _ARCHIVE, sha256: str | None = _ARCHIVE_SHA256) -> None:
    """Make `folder` a copy of the corpus as published, version 0.02 (2.4 GB); nothing happens where it exists.

    Raises:
        UserError: there is no network (`corpus-unavailable`), or the archive is not the published one.
    """
    install_archive(url, folder, sha256=sha256)


@register_corpus(NAME, folder=FOLDER, recognise=is_speech_commands, download=download_speech_commands)
def read_speech_commands(path: str, task: str = "") -> Corpus:
    """The corpus in `path`: every word folder is a label, `_silence_` and `_unknown_` too, if they are there.

    Args:
        path: a copy.
        task: `12` or `35`, as `select_task` takes it, with the user's cache; "" for all there is.

    Raises:
        UserError: the folder has no recordings in word folders, or has only one of the two lists, or the task cannot be
            made of it.
    """
    corpus = name_takes(read_words(path))
    lists = _read_lists(corpus.root)
    # All clips of a speaker are in one split, those too that the lists call otherwise, as in a copy's `_unknown_`.
    of_speakers = {
        speaker: split for name, split in (lists or {}).items() if (speaker := _speaker(os.path.basename(name)))
    }
    utterances = []
    for item in corpus.utterances:
        name = os.path.basename(item.path)
        # Those of the corpus, and those who have added takes of their own.
        speaker = _speaker(name) or item.speaker
        listed = (lists or {}).get(corpus.relative(item.path))
        split = _hash_split(speaker or name) if lists is None else listed or of_speakers.get(speaker or "", "train")
        utterances.append(replace(item, speaker=sys.intern(speaker) if speaker else None, split=split))
    rule = "a hash of the speaker" if lists is None else f"{VALIDATION_LIST} and {TEST_LIST}"
    corpus = replace(
        corpus,
        name=NAME,
        utterances=tuple(utterances),
        licence=LICENCE,
        source=SOURCE,
        official_split=rule,
    )
    return select_task(corpus, task, writable_cache()) if task else corpus


def select_task(corpus: Corpus, task: str, cache: str) -> Corpus:
    """The clips and labels of one of the official tasks.

    Args:
        corpus: a copy that `read_speech_commands` has read. A folder `_unknown_` is taken as it is, and a folder
            `_silence_` where there are no background noises to cut silences out of.
        task: `12` or `35`.
        cache: folder that keeps the silences, and the noises to train with, that are cut out of the background noises.

    Raises:
        UserError: there is no such task, or the copy has too few words for it or no background noise.
    """
    if task not in TASKS:
        named = " and ".join(f"{NAME}:{name}" for name in TASKS)
        raise UserError("corpus-task-not-found", f"{NAME}:{task}: there is no such task; there are {named}")
    words = [label for label in corpus.labels if label not in (SILENCE, UNKNOWN)]
    if task == "35":
        if len(words) < TASKS[task]:
            raise UserError(
                "corpus-incomplete", f"{corpus.root}: has {len(words)} of the 35 words; take {NAME}:12, or a whole copy"
            )
        kept = tuple(item for item in corpus.utterances if item.label in words)
        return replace(corpus, utterances=kept, labels=tuple(words))
    if missing := [word for word in WANTED if word not in words]:
        raise UserError("word-not-found", f"{corpus.root}: has no {missing[0]!r}, one of the ten words of {NAME}:12")
    wanted = [item for item in corpus.utterances if item.label in WANTED]
    tenths = _tenths(wanted)
    # Some of the clips alone may all be of one official split; then another split divides them.
    whole = all(tenths.values())
    corpus, silence = _silence(corpus, tenths if whole else _by_segment(sum(tenths.values())), cache)
    unknown = _unknown(corpus, tenths)
    return replace(corpus, utterances=(*silence, *unknown, *wanted), labels=(SILENCE, UNKNOWN, *WANTED))


def _tenths(wanted: list[Utterance]) -> dict[str, int]:
    """How many clips of silence, and of unknown words, each split gets."""
    return {split: math.ceil(_SHARE * sum(item.split == split for item in wanted)) for split in SPLITS}


def _by_segment(count: int) -> dict[str, int]:
    """So many clips dealt to the splits as the noises are."""
    return {split: math.ceil((end - begin) * count) for split, (begin, end) in _SEGMENTS.items()}


def _unknown(corpus: Corpus, counts: dict[str, int]) -> list[Utterance]:
    """Clips of the other words: those with the smallest hashes in each split, so that no random state has a say."""
    if UNKNOWN in corpus.labels:
        return [item for item in corpus.utterances if item.label == UNKNOWN]
    others = [item for item in corpus.utterances if item.label not in (*WANTED, SILENCE)]
    if not others:
        raise UserError(
            "corpus-incomplete",
            f"{corpus.root}: has no other words to make {UNKNOWN} of than the ten; take a whole copy",
        )
    others.sort(key=lambda item: hashlib.sha1(corpus.relative(item.path).encode("utf-8", "surrogateescape")).digest())
    taken = [item for split in SPLITS for item in [one for one in others if one.split == split][: counts[split]]]
    return [replace(item, label=UNKNOWN) for item in sorted(taken, key=lambda item: item.path)]


def _silence(corpus: Corpus, counts: dict[str, int], cache: str) -> tuple[Corpus, list[Utterance]]:
    """Seconds of background noise, cut out on the first call and found in `cache` from then on."""
    if not corpus.noise and SILENCE in corpus.labels:
        return corpus, [item for item in corpus.utterances if item.label == SILENCE]
    if not corpus.noise:
        raise UserError(
            "corpus-incomplete", f"{corpus.root}: has no recordings in _background_noise_ to cut {SILENCE} out of"
        )
    noises = [(corpus.relative(path), os.path.getsize(path)) for path in corpus.noise]
    folder = made_folder(cache, f"{NAME}-silence", [_SILENCE_VERSION, counts, noises])
    if not os.path.isdir(folder):
        with atomic.new_folder(folder) as beside:
            _cut_noises(corpus, counts, beside)
    mark_used([folder])
    silence = [
        Utterance(os.path.join(folder, split, name), label=SILENCE, split=split)
        for split in SPLITS
        for name in sorted(os.listdir(os.path.join(folder, split)))
    ]
    kept = os.path.join(folder, NOISE_FOLDER)
    noise = tuple(os.path.join(kept, name) for name in sorted(os.listdir(kept)))
    return replace(corpus, made=folder, noise=noise), silence


def _cut_noises(corpus: Corpus, counts: dict[str, int], folder: str) -> None:
    """Write each split's seconds of its segments of the noises, and training's segments as they are.

    Each second is turned down to a volume drawn from 0 to 1.
    """

    def write(kind: str, number: int, sound: np.ndarray) -> None:
        soundfile.write(os.path.join(folder, kind, f"{number:04d}.wav"), sound, SAMPLE_RATE, subtype="PCM_16")

    draw = np.random.default_rng(0)
    noises = [audio.read(path, SAMPLE_RATE)[0] for path in corpus.noise]
    for kind in (*counts, NOISE_FOLDER):
        os.mkdir(os.path.join(folder, kind))
    for number, noise in enumerate(_segments(noises, "train")):
        write(NOISE_FOLDER, number, noise)
    with ProgressBar("Cutting silence", sum(counts.values())) as progress:
        for split, count in counts.items():
            segments = [np.resize(noise, max(len(noise), SAMPLE_RATE)) for noise in _segments(noises, split)]
            for number in range(count):
                noise = segments[draw.integers(len(segments))]
                start = draw.integers(len(noise) - SAMPLE_RATE + 1)
                write(split, number, draw.uniform() * noise[start : start + SAMPLE_RATE])
                progress.advance(1)


def _segments(noises: list[np.ndarray], split: str) -> list[np.ndarray]:
    """The part `(samples,)` of each noise that a split has."""
    begin, end = _SEGMENTS[split]
    return [noise[int(begin * len(noise)) : math.ceil(end * len(noise))] for noise in noises]


def official_split(name: str) -> str:
    """The official split of a clip by its file name: about a tenth each to validation and test.

    All clips of a speaker fall to the same. A name without a speaker is hashed as it is.
    """
    return _hash_split(_speaker(name) or name)


def _hash_split(speaker: str) -> str:
    digest = hashlib.sha1(speaker.encode("utf-8", "surrogateescape")).hexdigest()
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
            raise UserError(
                "corpus-incomplete", f"{path}: is missing and {present[0]} is there; restore it, or remove the other"
            )
        with open(path, encoding="utf-8") as file:
            splits.update((line.strip(), split) for line in file if line.strip())
    return splits
