"""Digits by a model that has heard only synthetic voices, and what each change to the clips is worth to it.

    python benchmarks/voices.py --parts and-flite --epochs 30   the recipe `voices` with --flite-clips, for 8 kHz
    python benchmarks/voices.py                                 every part: shorter trainings, two hours of one core
    python benchmarks/voices.py --table                         print what has been measured

A part trains on ten digits spoken by espeak-ng (`--words zero,one,...`) and is measured on all 3,000 recordings of
FSDD, which it has never heard. `all` is the recipe, `no-...` lacks one of its changes, `and-...` has one more;
`and-flite` has clips by the program flite beside those of espeak-ng; `by-sentences-voice` has those of a run of the
recipe `sentences-voice` in their place (`benchmarks/voice.py` trains it). The recipe was chosen on other words and
other people: the ten commands of Speech Commands and its 2,866 recordings of them, the parts `commands-...`. Parts are
written to benchmarks/results/voices/ at once, a file for each number of epochs, and not trained again while that file
is there.
"""

import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _parts import (
    RESULTS,
    accuracy_by_speaker,
    is_right,
    markdown_table,
    measure_parts,
    parse_arguments,
    print_tables,
    read_parts,
    recipe_in,
    write_result,
)

from kerasr.config import Augmentation, TrainConfig
from kerasr.data import load_corpus
from kerasr.recipes import get_recipe
from kerasr.recipes.voices import FLITE_CLIPS, SCORES
from kerasr.training.trainer import train_recipe

DIGITS = "zero,one,two,three,four,five,six,seven,eight,nine"
COMMANDS = "yes,no,up,down,left,right,on,off,stop,go"
EPOCHS = 10
# Of each word by the run of a voice.
SPOKEN_CLIPS = 400

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
    "by sentences-voice": {},
    "no mixup and flite": {"augment": {"mixup": 0.0}, "flite_clips": FLITE_CLIPS},
}
# Parts that are measured with all of the recipe's epochs.
WHOLE = {
    "all": "400 clips a word in the 104 voices of espeak-ng",
    "and-flite": f"and {FLITE_CLIPS} in the four voices of flite (`--flite-clips {FLITE_CLIPS}`)",
    "by-sentences-voice": f"{SPOKEN_CLIPS} in the three voices of a run of `sentences-voice`",
}
SAID = {"without": "all", "with_flite": "and-flite"}
# Parts that are measured on the people of Speech Commands.
CHOICES = ("all", "no mixup", "and flite", "no mixup and flite")
ON_COMMANDS = "commands "


def main() -> None:
    arguments = parse_arguments(__doc__, "voices", EPOCHS)
    if not arguments.table:
        names = [*PARTS, *(ON_COMMANDS + name for name in CHOICES)]
        parts = {name.replace(" ", "-"): partial(measure, name, arguments.epochs) for name in names}
        measure_parts(arguments, parts)
    print_tables(tables(arguments.results))
    if arguments.results == RESULTS / "voices":
        write_scores()


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
    if name == "by sentences-voice":
        voice, _ = recipe_in("voice", "sentences-voice", "sentences_voice")
        config = config.replace(synthetic_voices=f"{voice.path}:{SPOKEN_CLIPS}")
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


def tables(folder: Path = RESULTS / "voices") -> dict[str, str]:
    """The recipe on FSDD, what each change to it is worth there, and what was chosen by: the ten commands."""
    digits, commands = {}, {}
    for result in read_parts(folder):
        table = commands if result["part"].startswith(ON_COMMANDS.replace(" ", "-")) else digits
        table[result["part"], result["epochs"]] = result
    whole = {part: result for (part, epochs), result in digits.items() if epochs != EPOCHS}
    short = [result for (_, epochs), result in digits.items() if epochs == EPOCHS]
    short.sort(key=lambda result: (result["part"] != "all", result["accuracy"]))
    return {
        "recipe": markdown_table(
            ("`--words zero,one,...,nine`", "FSDD's 3,000 recordings"),
            [(name, by_speaker(whole[part])) for part, name in WHOLE.items() if part in whole],
        ),
        "changes": markdown_table(("part", "FSDD", "worst speaker"), map(change_row, short)),
        "commands": markdown_table(("part", *COMMANDS.split(","), "all"), map(command_row, commands.values())),
    }


def by_speaker(result: dict[str, Any]) -> str:
    each = ", ".join(f"{name} {score:.1%}" for name, score in result["by_speaker"].items())
    return f"**{result['accuracy']:.1%}** ({each})"


def change_row(result: dict[str, Any]) -> tuple[str, str, str]:
    worst, score = min(result["by_speaker"].items(), key=lambda item: item[1])
    part = "the recipe" if result["part"] == "all" else result["part"].replace("-", " ")
    return part, f"{result['accuracy']:.1%}", f"{worst} {score:.1%}"


def command_row(result: dict[str, Any]) -> list[str]:
    part = result["part"].removeprefix(ON_COMMANDS.replace(" ", "-")).replace("-", " ")
    each = [f"{result['by_word'][word]:.0%}" for word in COMMANDS.split(",")]
    return ["the recipe" if part == "all" else part, *each, f"{result['accuracy']:.1%}"]


def write_scores() -> None:
    """What a training with synthetic voices alone says of people."""
    paths = {name: RESULTS / "voices" / f"{part}-30-epochs.json" for name, part in SAID.items()}
    values = {
        "what": "share of FSDD's recordings, at 8 kHz, that a model of the ten digits in synthetic voices gets right",
        "command": "python benchmarks/voices.py --parts all and-flite --epochs 30",
        **{name: json.loads(path.read_text())["accuracy"] for name, path in paths.items()},
    }
    write_result(SCORES, values)


def figures(folder: Path = RESULTS / "voices") -> dict[str, str]:
    """Each part's score, by its name and its epochs: `all 30`."""
    return {f"{result['part']} {result['epochs']}": f"{result['accuracy']:.1%}" for result in read_parts(folder)}


if __name__ == "__main__":
    main()
