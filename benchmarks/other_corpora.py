"""Digits as others recorded them: a run's or preset's score on AN4, other speakers at another microphone and rate.

    python benchmarks/other_corpora.py                 the preset `digits`
    python benchmarks/other_corpora.py runs/RUN        a run that knows the ten digits

CMU AN4 (under KERASR_DATA as `an4`, 16 kHz) has no single digits, but 137 utterances of nothing but digits. Taken are
those that fall into as many pieces as they have words wherever there is a pause of 80 ms: a digit that runs into the
next cannot be cut out of its utterance by such a rule, and what was cut wrongly would tell nothing. So it is a test of
few clips, and of those that are spoken clearly. Writes benchmarks/results/other_corpora.json.
"""

import argparse
import os
import re
from pathlib import Path

import numpy as np
import soxr
from _parts import RESULTS, write_result

from kerasr.run_directory import load_run, provenance

SAMPLE_RATE = 16000
FRAME = 160
# A frame is speech where it is no more than 20 dB below the utterance's loud ones, and 8 dB above its quiet ones.
BELOW_LOUD, ABOVE_QUIET = 20, 8
PAUSE, SHORTEST = 8, 10  # frames
MARGIN = 800  # samples kept on either side of a piece
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="digits", help="a run's folder or a preset (default: %(default)s)")
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    root = Path(os.environ.get("KERASR_DATA", ".")) / "an4"
    clips, said, speakers = [], [], set()
    for path, words in digit_strings(root):
        waveform = np.fromfile(path, dtype=">i2").astype("float32") / 2**15
        pieces = cut(waveform)
        if len(pieces) == len(words):
            clips += [soxr.resample(piece, SAMPLE_RATE, run.config.features.sample_rate) for piece in pieces]
            said += words
            speakers.add(path.parent.name)
    heard = [run.labels[index] for index in run.probs(clips).argmax(1)]
    right = sum(word == other for word, other in zip(said, heard, strict=True))
    print(f"{right} of {len(said)} digits of AN4 right ({right / len(said):.1%}), {len(speakers)} speakers")
    counts = {"right": right, "clips": len(said), "speakers": len(speakers)}
    write_result(RESULTS / "other_corpora.json", {**provenance(), "run": arguments.run, **counts})


def digit_strings(root: Path) -> list[tuple[Path, list[str]]]:
    """Utterances of digits alone, each with its words."""
    places = [line.strip() for line in (root / "etc" / "an4_train.fileids").read_text().splitlines()]
    place = {name.rpartition("/")[2]: root / "wav" / f"{name}.raw" for name in places}
    found = []
    for line in (root / "etc" / "an4_train.transcription").read_text().splitlines():
        if match := re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()):
            words = match[1].lower().split()
            if set(words) <= set(DIGITS):
                found.append((place[match[2]], words))
    return found


def cut(waveform: np.ndarray) -> list[np.ndarray]:
    """The pieces of an utterance between its pauses."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 2 * FRAME)[::FRAME]
    level = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-9)
    least = max(np.percentile(level, 95) - BELOW_LOUD, np.percentile(level, 10) + ABOVE_QUIET)
    loud = np.flatnonzero(level > least)
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > PAUSE) + 1)
    return [
        waveform[max(0, run[0] * FRAME - MARGIN) : (run[-1] + 2) * FRAME + MARGIN]
        for run in runs
        if len(run) and run[-1] - run[0] >= SHORTEST
    ]


if __name__ == "__main__":
    main()
