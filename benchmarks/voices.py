"""Digits by a model that has heard only synthetic voices, and what each change to the clips is worth to it.

    python benchmarks/voices.py                    every part: hours of one core; stop and start it at will
    python benchmarks/voices.py --parts all        the recipe `voices` with all changes, for FSDD's 8 kHz
    python benchmarks/voices.py --table            print what has been measured

A part trains on ten digits spoken by espeak-ng (`--words zero,one,...`) and is measured on all 3,000 recordings of
FSDD, which it has never heard, nor has any choice been made on them. `all` has every change of the recipe, each other
part lacks one of them. Parts are written to benchmarks/results/voices/ at once, and not trained again while that file
is there.
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
EPOCHS = 40

# What each part lacks: fields of the augmentation that go back to their default.
WITHOUT = {
    "all": (),
    "no speed": ("speed",),
    "no tempo": ("tempo",),
    "no vocal tract": ("vtlp",),
    "no microphone": ("tilt_db", "eq_db"),
    "no room": ("reverb",),
    "no telephone": ("codec",),
    "no noise": ("noise",),
    "no masks": ("time_masks", "frequency_masks"),
    "no mixup": ("mixup",),
    "none": ("speed", "tempo", "vtlp", "tilt_db", "eq_db", "reverb", "codec", "noise", "time_masks", "frequency_masks",
             "mixup"),
}  # fmt: skip


def main() -> None:
    arguments = parse_arguments(__doc__, "voices", EPOCHS)
    if not arguments.table:
        parts = {name.replace(" ", "-"): partial(measure, name, arguments.epochs) for name in WITHOUT}
        measure_parts(arguments, parts)
    print_table(read_parts(arguments))


def settings(name: str, epochs: int) -> TrainConfig:
    """The recipe for recordings at 8 kHz, without what the part lacks."""
    config = get_recipe("voices")
    usual = Augmentation()
    augment = replace(config.augment, **{field: getattr(usual, field) for field in WITHOUT[name]})
    return replace(config, words=WORDS, features=get_recipe("digits").features, augment=augment, epochs=epochs)


def measure(name: str, epochs: int) -> dict[str, Any]:
    """Train on voices, and score people."""
    with tempfile.TemporaryDirectory() as out:
        run = train_recipe(replace(settings(name, epochs), out=out))
        people, right = is_right(run, load_corpus("fsdd").utterances)
        seconds = run.facts["train_seconds"]
    return {
        "lacks": WITHOUT[name],
        "accuracy": float(right.mean()),
        "by_speaker": accuracy_by_speaker(people, right),
        "train_seconds": seconds,
    }


def print_table(results: list[dict[str, Any]]) -> None:
    """Each part's score on people."""
    if not results:
        return
    order = {name.replace(" ", "-"): name for name in WITHOUT}
    speakers = sorted(results[0]["by_speaker"])
    print(f"| changes | FSDD | {' | '.join(speakers)} | epochs |\n|{'---|' * (len(speakers) + 3)}")
    for result in sorted(results, key=lambda result: list(order).index(result["part"])):
        each = " | ".join(f"{result['by_speaker'][speaker]:.1%}" for speaker in speakers)
        print(f"| {order[result['part']]} | {result['accuracy']:.1%} | {each} | {result['epochs']} |")


if __name__ == "__main__":
    main()
