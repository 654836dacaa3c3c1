"""Digits by a model that has heard only synthetic voices, and what each change to the clips is worth to it.

    python benchmarks/voices.py --parts all --epochs 30     the recipe `voices`, for FSDD's 8 kHz
    python benchmarks/voices.py                             every part: shorter trainings, an hour of one core in all
    python benchmarks/voices.py --table                     print what has been measured

A part trains on ten digits spoken by espeak-ng (`--words zero,one,...`) and is measured on all 3,000 recordings of
FSDD, which it has never heard. The recipe was chosen on other words and other people: the ten commands of Speech
Commands. `all` is the recipe, `no ...` lacks one of its changes, `and ...` has one more. Parts are written to
benchmarks/results/voices/ at once, a file for each number of epochs, and not trained again while that file is there.
"""

import tempfile
from dataclasses import replace
from functools import partial
from typing import Any

from _parts import accuracy_by_speaker, is_right, measure_parts, parse_arguments, read_parts

from kerasr.config import Augmentation, TrainConfig
from kerasr.data import load_corpus
from kerasr.recipes import get_recipe
from kerasr.training import train_recipe

WORDS = "zero,one,two,three,four,five,six,seven,eight,nine"
EPOCHS = 10

# What each part has otherwise than the recipe: fields of its augmentation.
PLAIN = Augmentation()
PARTS: dict[str, dict[str, Any]] = {
    "all": {},
    "no speed": {"speed": PLAIN.speed},
    "no silence": {"silence": 0.0},
    "no level": {"gain_db": 0.0},
    "no microphone": {"tilt_db": 0.0},
    "no noise": {"noise": 0.0},
    "no masks": {"time_masks": 0, "frequency_masks": 0},
    "no mixup": {"mixup": 0.0},
    "and tempo": {"tempo": (0.85, 1.2)},
    "and vocal tract": {"vtlp": (0.85, 1.15)},
    "and equaliser": {"eq_db": 4.0},
    "and rooms": {"reverb": 0.3},
    "and telephones": {"codec": 0.3},
    "and cutmix": {"cutmix": 0.25},
}


def main() -> None:
    arguments = parse_arguments(__doc__, "voices", EPOCHS)
    if not arguments.table:
        parts = {name.replace(" ", "-"): partial(measure, name, arguments.epochs) for name in PARTS}
        measure_parts(arguments, parts)
    print_table(read_parts(arguments))


def settings(name: str, epochs: int) -> TrainConfig:
    """The recipe for recordings at 8 kHz, with what the part has otherwise."""
    config = get_recipe("voices")
    augment = replace(config.augment, **PARTS[name])
    return replace(config, words=WORDS, features=get_recipe("digits").features, augment=augment, epochs=epochs)


def measure(name: str, epochs: int) -> dict[str, Any]:
    """Train on voices, and score people."""
    with tempfile.TemporaryDirectory() as out:
        run = train_recipe(replace(settings(name, epochs), out=out))
        people, right = is_right(run, load_corpus("fsdd").utterances)
        seconds = run.facts["train_seconds"]
    return {
        "changes": PARTS[name],
        "accuracy": float(right.mean()),
        "by_speaker": accuracy_by_speaker(people, right),
        "train_seconds": seconds,
    }


def print_table(results: list[dict[str, Any]]) -> None:
    """Each part's score on people."""
    if not results:
        return
    order = {name.replace(" ", "-"): name for name in PARTS}
    speakers = sorted(results[0]["by_speaker"])
    print(f"| changes | FSDD | {' | '.join(speakers)} | epochs |\n|{'---|' * (len(speakers) + 3)}")
    for result in sorted(results, key=lambda result: (-result["epochs"], list(order).index(result["part"]))):
        each = " | ".join(f"{result['by_speaker'][speaker]:.1%}" for speaker in speakers)
        print(f"| {order[result['part']]} | {result['accuracy']:.1%} | {each} | {result['epochs']} |")


if __name__ == "__main__":
    main()
