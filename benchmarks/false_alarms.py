"""What a detector takes for its word in talk that it never heard, by what it was trained against.

    python benchmarks/false_alarms.py                            every part, twenty minutes of one core
    python benchmarks/false_alarms.py --parts clips-0 talk-0     some of them
    python benchmarks/false_alarms.py --table                    print what has been measured

`preset` is the preset as it stands. Any other part is one training of the recipe `wakeword` for "stop", at the preset's
width, on Speech Commands' clips at hand, split by speaker as the preset's were. `clips` has no other counter-examples
than Speech Commands' words and noises; `talk` also hears AN4's sentences by two in three of its speakers, without those
that say "stop" (--negatives); `hard` hears besides four times as often what the preset takes for its word in either
(--hard-negatives wakeword_stop). All are asked for false alarms in the sentences of the other AN4 speakers, and for the
word in the test clips of Speech Commands, by speakers whom none has heard. The last weights are kept, and the
thresholds are fixed beforehand. Each result is written to benchmarks/results/false_alarms/ at once, and not trained
again while that file is there.
"""

import os
import shutil
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from _an4 import SAMPLE_RATE, An4Utterance, an4_utterances
from _parts import measure_ways, processor_seconds, split_as_preset, train_on

import kerasr
from kerasr import audio
from kerasr.data import Utterance
from kerasr.data.corpora import cache_folder
from kerasr.false_alarms import count_alarms, list_stretches, score_stretches
from kerasr.run_directory import Run

WORD, PRESET = "stop", "wakeword_stop"
TALK = Path(cache_folder()) / "an4-talk"
WAYS: dict[str, dict[str, Any] | None] = {
    "preset": None,
    "clips": {},
    "talk": {"negatives": str(TALK / "train")},
    "hard": {"negatives": str(TALK / "train"), "hard_negatives": PRESET},
}
SEEDS = 1
EPOCHS = 30
THRESHOLDS = (0.5, 0.9)


def main() -> None:
    print_table(measure_ways(__doc__, "false_alarms", EPOCHS, WAYS, SEEDS, measure))


def measure(way: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train a detector, and count what it misses and where it rings falsely."""
    write_talk()
    preset = kerasr.from_preset(PRESET)
    corpus, split_rule = split_as_preset(preset)
    tested = [item for item in corpus.utterances if item.split == "test"]
    about = {"way": way, "seed": seed, "split_rule": split_rule}
    changes = WAYS[way]
    if changes is None:
        return {**about, **words_found(preset, tested), **false_alarms(preset)}
    recipe = kerasr.get_recipe("wakeword")
    options = {**recipe.model_options, "width": preset.config.model_options["width"]}
    config = replace(recipe, wanted=WORD, model_options=options, epochs=epochs, seed=seed, **changes)
    busy = processor_seconds()
    with tempfile.TemporaryDirectory() as out:
        run = train_on(corpus.utterances, config, out)
        about |= {
            "processor_seconds": round(processor_seconds() - busy, 1),
            "negatives": run.facts.get("negatives"),
        }
        return {**about, **words_found(run, tested), **false_alarms(run)}


def words_found(run: Run, tested: Sequence[Utterance]) -> dict[str, Any]:
    """What it finds of the word in the test's clips at each threshold, and what else it takes for it."""
    said = np.array([item.label == WORD for item in tested])
    scores = run.predict_files([item.path for item in tested])[:, -1]
    found = {str(value): scores >= value for value in THRESHOLDS}
    return {
        "num_words": int(said.sum()),
        "num_other_clips": int((~said).sum()),
        "recall": {value: float(heard[said].mean()) for value, heard in found.items()},
        "other_clips_heard": {value: int(heard[~said].sum()) for value, heard in found.items()},
    }


def false_alarms(run: Run) -> dict[str, Any]:
    """Alarms in the sentences of speakers whom no training hears."""
    spec = run.config.features
    stretches = [
        stretch for trained in (True, False) for stretch in list_stretches(str(TALK / "test"), spec, trained=trained)
    ]
    stretches.sort(key=lambda stretch: (stretch.path, stretch.start))
    scores = score_stretches(run, stretches)
    return {
        "hours": sum(audio.facts(path).duration for path in {stretch.path for stretch in stretches}) / 3600,
        "false_alarms": {str(value): count_alarms(stretches, scores, value, spec) for value in THRESHOLDS},
    }


def write_talk() -> None:
    """AN4's sentences without the word, one recording a speaker: every third speaker is for the test."""
    if TALK.exists():
        return
    spoken = sorted((item for item in an4_utterances() if WORD not in item.words), key=lambda item: str(item.path))
    speakers = [list(items) for _, items in groupby(spoken, key=lambda item: item.speaker)]
    with tempfile.TemporaryDirectory() as beside:
        for part, chosen in {"train": (0, 1), "test": (2,)}.items():
            folder = Path(beside) / part
            folder.mkdir()
            for items in (items for place, items in enumerate(speakers) if place % 3 in chosen):
                write_recording(folder / f"{items[0].speaker}.wav", items)
        shutil.copytree(beside, TALK)


def write_recording(path: Path, utterances: Iterable[An4Utterance]) -> None:
    """One speaker's sentences, one after the other."""
    audio.write(os.fspath(path), np.concatenate([item.read() for item in utterances]), SAMPLE_RATE)


def print_table(results: list[dict[str, Any]]) -> None:
    """Each way, means over its seeds, at each threshold."""
    print("| trained against | threshold | words found | false alarms an hour | other clips heard as it | hours |")
    print("|---|---|---|---|---|---|")
    for way in WAYS:
        if found := [result for result in results if result["way"] == way]:
            for value in map(str, THRESHOLDS):
                print(
                    f"| {way} | {value} | {statistics.mean(result['recall'][value] for result in found):.1%} "
                    f"of {found[0]['num_words']} "
                    f"| {statistics.mean(result['false_alarms'][value] / result['hours'] for result in found):.0f} "
                    f"| {statistics.mean(result['other_clips_heard'][value] for result in found):.0f} "
                    f"of {found[0]['num_other_clips']} | {found[0]['hours']:.2f} |"
                )


if __name__ == "__main__":
    main()
