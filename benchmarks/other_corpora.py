"""Digits as others recorded them: a run's or preset's score on AN4, other speakers at another microphone and rate.

    python benchmarks/other_corpora.py                 the preset `digits`
    python benchmarks/other_corpora.py runs/RUN        a run that knows the ten digits

CMU AN4's training part (under KERASR_DATA as `an4`, 16 kHz) has no single digits, but 137 utterances of digits alone.
Taken are those that fall into as many pieces as they have words wherever there is a pause of 80 ms: a digit that runs
into the next cannot be cut out of its utterance by such a rule, and what was cut wrongly would tell nothing. So it is a
test of few clips, and of those that are spoken clearly. Writes benchmarks/results/other_corpora.json.
"""

import argparse
import json
import sys
from pathlib import Path

import librosa
import numpy as np
from _parts import RESULTS, write_result

sys.path.insert(0, str(Path(__file__).parents[1] / "data_scripts"))

from _an4 import SAMPLE_RATE, an4_utterances

from kerasr import audio
from kerasr.core.provenance import provenance
from kerasr.data.corpora.fsdd import DIGITS
from kerasr.runs.run import load_run

PATH = RESULTS / "other_corpora.json"
FRAME = 160
# Speech is what lies no more than this below the utterance's loudest frame.
TOP_DB = 25
PAUSE, SHORTEST, MARGIN = 1280, 1600, 800  # samples: parts two pieces, is a piece, is kept on either side of one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="digits", help="a run's folder or a preset (default: %(default)s)")
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    clips, said, speakers = [], [], set()
    for utterance in an4_utterances():
        if not set(utterance.words) <= set(DIGITS):
            continue
        pieces = cut(utterance.read())
        if len(pieces) == len(utterance.words):
            clips += [audio.resample(piece, SAMPLE_RATE, run.config.features.sample_rate) for piece in pieces]
            said += utterance.words
            speakers.add(utterance.speaker)
    heard = [run.labels[index] for index in run.probs(clips).argmax(1)]
    right = sum(word == other for word, other in zip(said, heard, strict=True))
    counts = {"num_correct": right, "num_clips": len(said), "num_speakers": len(speakers)}
    write_result(PATH, {**provenance(), **counts})
    print(
        f"{figures()['right']} of {len(said)} digits of AN4 right ({figures()['accuracy']}), {len(speakers)} speakers"
    )


def figures() -> dict[str, str]:
    """The digits that were right, of how many, and their share."""
    result = json.loads(PATH.read_text())
    right, clips = result["num_correct"], result["num_clips"]
    return {"right": str(right), "clips": str(clips), "accuracy": f"{right / clips:.1%}"}


def cut(waveform: np.ndarray) -> list[np.ndarray]:
    """The pieces of an utterance between its pauses."""
    pieces = librosa.effects.split(waveform, top_db=TOP_DB, frame_length=2 * FRAME, hop_length=FRAME)
    merged = [list(piece) for piece in pieces[:1]]
    for start, end in pieces[1:]:
        if start - merged[-1][1] < PAUSE:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    return [waveform[max(0, start - MARGIN) : end + MARGIN] for start, end in merged if end - start >= SHORTEST]


if __name__ == "__main__":
    main()
