"""A folder of word folders: what is said is the name of the folder that holds the recording.

Any tree will do, at any depth: `yes/1.wav` and `monday/anna/yes/1.wav` are recordings of `yes`. Of two levels, as in
`yes/anna/1.wav` and `anna/yes/1.wav`, `levels` tells which are the words and which the speakers, or asks.
Where a folder above each word is called as a split is (`train/yes/1.wav`, `val/yes/2.wav`, `test/anna/yes/3.wav`;
`manifest.SPLIT_NAMES` has the names), that is the corpus's split. Other speakers are read off the recordings' names, as
`speakers` says; a manifest names all others. `_background_noise_` holds background recordings.
Names that begin with a dot are skipped.
"""

import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from kerasr import audio
from kerasr.core.progress import console
from kerasr.data.corpora.levels import assign_levels, words_above_speakers
from kerasr.data.corpora.speakers import match_speakers, name_speakers
from kerasr.data.manifest import SPLITS, Corpus, Utterance, split_called
from kerasr.errors import UserError

NOISE_FOLDER = "_background_noise_"


def read_folder(path: str, speaker_pattern: str | None = None) -> Corpus:
    """The corpus of a folder of word folders; the recordings themselves are not looked at.

    Args:
        path: of the folder.
        speaker_pattern: who speaks, as of `match_speakers`; where these are the innermost folders, those above are the
            words. None for what folders and file names tell.

    Raises:
        UserError: there is no such folder, it cannot be listed, it has no recording in a word folder, or nobody can
            tell the words from the speakers; the pattern finds nobody.
    """
    corpus = take_layout_split(read_words(path))
    if speaker_pattern is not None:
        return match_speakers(words_above_speakers(corpus, speaker_pattern), speaker_pattern)
    return name_speakers(assign_levels(corpus))


def read_words(path: str) -> Corpus:
    """The recordings and words of a folder of word folders, without splits and speakers.

    Raises:
        UserError: as `read_folder`.
    """
    root = os.path.abspath(path)
    utterances, noise, bad = [], [], []
    for recording in walk_recordings(root):
        folder = os.path.dirname(recording)
        word = unicodedata.normalize("NFC", os.path.basename(folder)).strip()
        if folder == root:
            bad.append((recording, "lies in no word folder; move it into the folder of its word"))
        elif word == NOISE_FOLDER:
            noise.append(recording)
        else:
            utterances.append(Utterance(recording, label=sys.intern(word)))
    if not utterances:
        kinds = ", ".join(audio.SUFFIXES)
        raise UserError(
            "no-recordings",
            f"{root}: has no recordings in word folders; put {kinds} files into one folder a word, or list them in a "
            "manifest (path,label)",
        )
    return Corpus(
        name=os.path.basename(root) or root,
        utterances=tuple(utterances),
        source=root,
        root=root,
        noise=tuple(noise),
        bad=tuple(bad),
    )


def take_layout_split(corpus: Corpus) -> Corpus:
    """The corpus with the split that its folders say; beside such folders, recordings that lie in none are bad.

    Background noises of validation and test are left out: noise is mixed into training clips.

    Raises:
        UserError: there is no word folder but those that are called as splits are.
    """
    if len(corpus.labels) > 1 and all(split_called(label) for label in corpus.labels):
        first = corpus.relative(corpus.utterances[0].path)
        raise UserError(
            "layout-ambiguous",
            f"{corpus.root}: its word folders are called {', '.join(corpus.labels)}, as the parts of a split are, "
            f"{first} for one; put a folder for each word into each of them: train/yes, test/yes",
        )
    folders = [_split_folder(corpus.relative(item.path)) for item in corpus.utterances]
    names = sorted({name for name in folders if name}, key=lambda name: (SPLITS.index(split_called(name) or ""), name))
    outside = [item for item, name in zip(corpus.utterances, folders, strict=True) if not name]
    if not names:
        return corpus
    if outside and not {"train"} < {split_called(name) for name in names}:
        console().print(
            f"warning: {corpus.name} has the folder {names[0]!r}, which is called as a part of a split is, and "
            f"{corpus.relative(outside[0].path)} lies outside of it: it is read as any other folder; if it is a split, "
            "put the other recordings into a folder `train`",
            style="yellow",
        )
        return corpus
    utterances = tuple(
        replace(item, split=split_called(name)) for item, name in zip(corpus.utterances, folders, strict=True) if name
    )
    reason = f"lies in none of the folders {', '.join(names)}; move it into one of them"
    noise_split = {path: split_called(_split_folder(corpus.relative(path))) for path in corpus.noise}
    return replace(
        corpus,
        utterances=utterances,
        noise=tuple(path for path, split in noise_split.items() if split in (None, "train")),
        labels=(),
        official_split=f"the folder{'s' * (len(names) > 1)} {', '.join(names)}",
        bad=(*corpus.bad, *((item.path, reason) for item in outside)),
    )


def _split_folder(path: str) -> str:
    """The first folder of a relative path that is called as a split is and holds a word folder; "" for none."""
    return next((name for name in path.split("/")[:-2] if split_called(name)), "")


def walk_recordings(root: str) -> Iterator[str]:
    """Absolute paths of every recording beneath `root`, in sorted order; hidden files and folders are skipped."""

    def fail(error: OSError) -> None:
        raise UserError(
            "folder-unreadable",
            f"{error.filename}: cannot be listed ({error.strerror}); check the path and its permissions",
        )

    seen: set[str] = set()
    for folder, subfolders, names in os.walk(root, onerror=fail, followlinks=True):
        # A link may lead to a folder above it; whatever was walked once is not walked again.
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(audio.SUFFIXES) and not name.startswith("."):
                yield os.path.join(folder, name)
