"""A folder of word folders: what is said is the name of the folder that holds the recording.

Any tree will do, at any depth: `yes/1.wav`, `monday/yes/1.wav` and `anna/yes/1.wav` are all recordings of `yes`. The
folder right above the recording is the word, so `yes/anna/1.wav` is read as the word `anna`: put the word last.
Speakers are not guessed from folder names. A recording called `anna_take_3.wav`, as `kerasr.record` calls them, is by
`anna`; a manifest names all others. `_background_noise_` holds background recordings. Names that begin with a dot are
skipped.
"""

import os
import re
import sys
import unicodedata
from collections.abc import Iterator

from kerasr import audio
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError

NOISE_FOLDER = "_background_noise_"
_TAKE = re.compile(r"(.+)_take_(\d+)\.\w+")


def read_folder(path: str) -> Corpus:
    """The corpus of a folder of word folders; the recordings themselves are not looked at.

    Raises:
        UserError: there is no such folder, it cannot be listed, or it has no recording in a word folder.
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
            speaker, _ = parse_take(os.path.basename(recording)) or (None, 0)
            utterances.append(Utterance(recording, label=sys.intern(word), speaker=speaker and sys.intern(speaker)))
    if not utterances:
        kinds = ", ".join(audio.SUFFIXES)
        raise UserError(f"{root}: has no recordings in word folders; put {kinds} files into one folder a word")
    return Corpus(
        name=os.path.basename(root) or root,
        utterances=tuple(utterances),
        source=root,
        root=root,
        noise=tuple(noise),
        bad=tuple(bad),
    )


def take_name(speaker: str, number: int) -> str:
    """The name of a speaker's recording, from which `parse_take` tells both."""
    return f"{speaker}_take_{number}.wav"


def parse_take(name: str) -> tuple[str, int] | None:
    """Speaker and number of a recording called `anna_take_3.wav`; None where it is called otherwise."""
    match = _TAKE.fullmatch(unicodedata.normalize("NFC", name))
    return (match.group(1).strip(), int(match.group(2))) if match else None


def walk_recordings(root: str) -> Iterator[str]:
    """Absolute paths of every recording beneath `root`, in sorted order; hidden files and folders are skipped."""

    def fail(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be listed ({error.strerror}); check the path and its permissions")

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
