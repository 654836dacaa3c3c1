"""CMU AN4's sentences as long recordings, one a speaker: talk for a detector to train against, and to be measured on.

    python data_scripts/an4_talk.py talk/ --without stop
    python -m kerasr.train wakeword --data my_words/ --wanted stop --negatives talk/train

Sentences that say the word are left out. Two of three speakers go to talk/train, the third to talk/test. AN4's
training part (948 utterances by 74 speakers, "an4_raw.bigendian.tar.gz", free for any purpose) is looked for under
KERASR_DATA as `an4`.
"""

import os
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import numpy as np
from _an4 import SAMPLE_RATE, An4Utterance, an4_utterances
from _prepare import arguments

from kerasr import audio
from kerasr.core import atomic
from kerasr.core.cli import run_command
from kerasr.data.corpora import cache_folder

# Who is in which part, by the speaker's place modulo three.
PARTS = {"train": (0, 1), "test": (2,)}


def main(argv: list[str]) -> None:
    """Write the recordings."""
    parser = arguments(__doc__ or "")
    parser.add_argument("folder", type=Path, help="where they go; nothing happens where it exists")
    parser.add_argument("--without", required=True, metavar="WORD", help="leave out sentences that say this word")
    options = parser.parse_args(argv)
    write_talk(options.folder, options.without)


def cached_talk(without: str) -> Path:
    """Where the scripts of this repository keep it, in the cache."""
    return Path(cache_folder()) / f"an4-talk-without-{without}"


def write_talk(folder: Path, without: str) -> None:
    """Make `folder` with the parts `train` and `test`, one recording a speaker; nothing happens where it exists."""
    if folder.exists():
        return
    spoken = sorted((item for item in an4_utterances() if without not in item.words), key=lambda item: str(item.path))
    speakers = [list(items) for _, items in groupby(spoken, key=lambda item: item.speaker)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic.new_folder(os.fspath(folder)) as beside:
        for part, chosen in PARTS.items():
            (Path(beside) / part).mkdir()
            for items in (items for place, items in enumerate(speakers) if place % 3 in chosen):
                write_recording(Path(beside) / part / f"{items[0].speaker}.wav", items)


def write_recording(path: Path, utterances: Iterable[An4Utterance]) -> None:
    """One speaker's sentences, one after the other."""
    audio.write(os.fspath(path), np.concatenate([item.read() for item in utterances]), SAMPLE_RATE)


if __name__ == "__main__":
    run_command(main)
