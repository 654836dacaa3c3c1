"""Digits by a model that has heard only synthetic voices, and what each change to the clips is worth to it.

    python benchmarks/voices.py --parts and-flite --epochs 30   the recipe `voices` with --flite-clips, for 8 kHz
    python benchmarks/voices.py                                 every part: shorter trainings, two hours of one core
    python benchmarks/voices.py --table                         print what has been measured

A part trains on ten digits spoken by espeak-ng (`--words zero,one,...`) and is measured on all 3,000 recordings of
FSDD, which it has never heard. `all` is the recipe, `no-...` lacks one of its changes, `and-...` has one more;
`and-flite` has clips by the program flite beside those of espeak-ng. The recipe was chosen on other words and other
people: the ten commands of Speech Commands and its 2,866 recordings of them, the parts `commands-...`. Parts are
written to benchmarks/results/voices/ at once, a file for each number of epochs, and not trained again while
that file is there.
"""

import tempfile
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from _parts import accuracy_by_speaker, is_right, measure_parts, parse_arguments, read_parts

from kerasr.config import Augmentation, TrainConfig
from kerasr.data import load_corpus
from kerasr.recipes import get_recipe
from kerasr.recipes.voices import FLITE_CLIPS
from kerasr.training.trainer import train_recipe

DIGITS = "zero,one,two,three,four,five,six,seven,eight,nine"
COMMANDS = "yes,no,up,down,left,right,on,off,stop,go"
EPOCHS = 10

# What each part has otherwise than the recipe: settings, or fields of its changes to clips and of its optimizer.
PLAIN = Augmentation()
PARTS: dict[str, dict[str, Any]] = {
    "all": {},
    "no speed": {"augment": {"speed": PLAIN.speed}},
    "no silence": {"augment": {"silence": 0.0}},
    "no level": {"augment": {"gain_db": 0.0}},
    "no microphone": {"augment": {"tilt_db": 0.0}},
    "no noise": {"augment": {"noise": 0.0}},
    "no masks": {"augment": {"time_masks": 0, "frequency_masks": 0}},
    "no mixup": {"augment": {"mixup": 0.0}},
    "no average": {"optimizer": {"ema": 0.0}},
    "no cosine": {"optimizer": {"schedule": "constant"}},
    "and tempo": {"augment": {"tempo": (0.85, 1.2)}},
    "and vocal tract": {"augment": {"vtlp": (0.85, 1.15)}},
    "and equaliser": {"augment": {"eq_db": 4.0}},
    "and rooms": {"augment": {"reverb": 0.3}},
    "and telephones": {"augment": {"codec": 0.3}},
    "and cutmix": {"augment": {"cutmix": 0.25}},
    "and flite": {"flite_clips": FLITE_CLIPS},
}
# Parts that are measured on the people of Speech Commands.
CHOICES = ("all", "no mixup", "and flite")
ON_COMMANDS = "commands "


def main() -> None:
    arguments = parse_arguments(__doc__, "voices", EPOCHS)
    if not arguments.table:
        names = [*PARTS, *(ON_COMMANDS + name for name in CHOICES)]
        parts = {name.replace(" ", "-"): partial(measure, name, arguments.epochs) for name in names}
        measure_parts(arguments, parts)
    results = sorted(read_parts(arguments), key=lambda result: -result["epochs"])
    prefix = ON_COMMANDS.replace(" ", "-")
    print_digits([result for result in results if not result["part"].startswith(prefix)])
    print_commands([result for result in results if result["part"].startswith(prefix)])


def settings(name: str, epochs: int) -> TrainConfig:
    """The recipe with what the part has otherwise, for FSDD's 8 kHz or for the ten commands."""
    config = get_recipe("voices")
    words, features = (COMMANDS, "commands") if name.startswith(ON_COMMANDS) else (DIGITS, "digits")
    changes = {
        # A dictionary changes fields of the setting, anything else is the setting.
        setting: replace(getattr(config, setting), **value) if isinstance(value, dict) else value
        for setting, value in PARTS[name.removeprefix(ON_COMMANDS)].items()
    }
    return config.replace(words=words, features=get_recipe(features).features, epochs=epochs, **changes)


def measure(name: str, epochs: int) -> dict[str, Any]:
    """Train on voices, and score people."""
    config = settings(name, epochs)
    corpus = load_corpus("speech_commands" if name.startswith(ON_COMMANDS) else "fsdd")
    words = (config.data.words or "").split(",")
    with tempfile.TemporaryDirectory() as out:
        run = train_recipe(config.replace(out=out))
        people, right = is_right(run, [item for item in corpus.utterances if item.label in words])
        seconds = run.facts["train_seconds"]
    labels = np.array([item.label for item in people])
    return {
        "changes": PARTS[name.removeprefix(ON_COMMANDS)],
        "accuracy": float(right.mean()),
        "num_clips": len(people),
        "by_speaker": accuracy_by_speaker(people, right),
        "by_word": {word: float(right[labels == word].mean()) for word in words},
        "train_seconds": seconds,
    }


def print_digits(results: list[dict[str, Any]]) -> None:
    """Each part's score on the speakers of FSDD."""
    if not results:
        return
    speakers = sorted({speaker for result in results for speaker in result["by_speaker"]})
    print(f"| changes | epochs | FSDD | {' | '.join(speakers)} |\n|{'---|' * (len(speakers) + 3)}")
    for result in results:
        each = " | ".join(f"{result['by_speaker'][speaker]:.1%}" for speaker in speakers)
        print(f"| {result['part'].replace('-', ' ')} | {result['epochs']} | {result['accuracy']:.1%} | {each} |")


def print_commands(results: list[dict[str, Any]]) -> None:
    """Each part's score on Speech Commands, word by word."""
    if not results:
        return
    words = COMMANDS.split(",")
    print(f"\n| changes | epochs | commands | {' | '.join(words)} |\n|{'---|' * (len(words) + 3)}")
    for result in results:
        each = " | ".join(f"{result['by_word'][word]:.0%}" for word in words)
        print(f"| {result['part'].replace('-', ' ')} | {result['epochs']} | {result['accuracy']:.1%} | {each} |")


if __name__ == "__main__":
    main()
