"""New words from few recordings: accuracy against recordings a word, with a trained encoder and from nothing.

    python benchmarks/few_shot.py                            every part, forty minutes of one core
    python benchmarks/few_shot.py --parts init-5-0           some of them
    python benchmarks/few_shot.py --table                    print what has been measured

The encoder learns five words of Speech Commands, `_unknown_` and `_silence_` from half of the speakers; then 5, 10 or
20 recordings of each of five other words, by those speakers, make a recogniser of these, with `--init-from` and
without. It is tested on the other half of the speakers. A part is one training, its seed also draws the recordings; it
is written to benchmarks/results/few_shot/ at once, and not trained again while that file is there. The encoder is
trained when it is first needed, and its run kept in runs/few_shot.
"""

import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from _parts import (
    RESULTS,
    finished_run,
    is_right,
    markdown_table,
    measure_parts,
    parse_arguments,
    print_tables,
    processor_seconds,
    read_parts,
    speaker_place,
    train_on,
)

import kerasr
from kerasr.data import Utterance, load_corpus
from kerasr.runs.run import Run

KNOWN = ("down", "left", "no", "right", "up", "_unknown_", "_silence_")
NEW = ("go", "off", "on", "stop", "yes")
RECORDINGS = (5, 10, 20)
WAYS = ("init", "nothing")
SEEDS = 3
ENCODER = Path("runs/few_shot")
NUM_VALIDATION = 5


def main() -> None:
    arguments = parse_arguments(__doc__, "few_shot", epochs=None)
    if not arguments.table:
        parts = {
            f"{way}-{number}-{seed}": partial(measure, way, number, seed, arguments.epochs)
            for seed in range(SEEDS)
            for number in RECORDINGS
            for way in WAYS
        }
        measure_parts(arguments, parts)
    print_tables(tables(arguments.results))


def encoder() -> Run:
    """The encoder's run, trained where there is none yet."""
    if run := finished_run(ENCODER):
        return run
    clips = [item for item in load_corpus("speech_commands").utterances if item.label in KNOWN]
    # A tenth of the speakers that it may hear validates.
    splits = [replace(item, split="test" if not is_heard(item) else "train") for item in clips]
    splits = [
        replace(item, split="validation") if item.split == "train" and speaker_place(item) < 0.05 else item
        for item in splits
    ]
    return train_on(splits, kerasr.get_recipe("words"), str(ENCODER))


def measure(way: str, number: int, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train on a few recordings a word, and score on speakers never heard."""
    clips = [item for item in load_corpus("speech_commands").utterances if item.label in NEW]
    config = kerasr.get_recipe("words").replace(epochs=epochs, seed=seed, keep="last")
    if way == "init":
        config = config.replace(init_from=str(encoder().path))
    busy = processor_seconds()
    with tempfile.TemporaryDirectory() as out:
        run = train_on(draw_clips(clips, number, seed), config, out)
        busy = processor_seconds() - busy
        _, right = is_right(run)
    return {
        "way": way,
        "recordings": number,
        "seed": seed,
        "accuracy": float(right.mean()),
        "test_clips": len(right),
        "passes": (run.config.fit.epochs or 0) * run.config.fit.passes,
        "processor_seconds": round(busy, 1),
    }


def draw_clips(clips: Sequence[Utterance], number: int, seed: int) -> list[Utterance]:
    """The drawn recordings of each word to train on, a few to watch that, and all of unheard speakers to test."""
    draw = random.Random(seed)
    chosen = [replace(item, split="test") for item in clips if not is_heard(item)]
    for word in NEW:
        heard = [item for item in clips if item.label == word and is_heard(item)]
        drawn = draw.sample(heard, max(RECORDINGS) + NUM_VALIDATION)
        chosen += [replace(item, split="validation") for item in drawn[-NUM_VALIDATION:]]
        chosen += [replace(item, split="train") for item in drawn[:number]]
    return chosen


def is_heard(item: Utterance) -> bool:
    """Whether a training may hear this speaker."""
    return speaker_place(item) < 0.5


def tables(folder: Path = RESULTS / "few_shot") -> dict[str, str]:
    """Means over the seeds that have been measured."""
    headings = ("recordings a word", "with a trained encoder (`--init-from`)", "from nothing")
    means = figures(folder)
    rows = [[number, *(means.get(f"{way} {number}", "") for way in WAYS)] for number in RECORDINGS]
    return {"all": markdown_table(headings, rows)}


def figures(folder: Path = RESULTS / "few_shot") -> dict[str, str]:
    """The mean over the seeds, by the way and the recordings a word: `init 5`."""
    scores: dict[str, list[float]] = {}
    for result in read_parts(folder):
        if "way" in result:
            scores.setdefault(f"{result['way']} {result['recordings']}", []).append(result["accuracy"])
    return {name: f"{statistics.mean(found):.1%}" for name, found in scores.items()}


if __name__ == "__main__":
    main()
