"""How many words are found in a stream, against false alarms: with windows, and with a state that is carried on.

    python benchmarks/found_words.py                        every part, half an hour of one core
    python benchmarks/found_words.py --parts Conv1DLSTM     some of them
    python benchmarks/found_words.py --table                print what has been measured

A part is one training of the recipe `digits` with silence and noise around the words (`--augment.silence 0.3
--augment.noise 0.8`, seed 0), then what `python -m kerasr.evaluate stream` measures, for at most 60 false alarms an
hour: a stream of 14 minutes with FSDD's 300 test clips, whose speakers are all known to the model, at each ratio of
speech over noise, without and, of a model that can, with `--carry-state`. The threshold is chosen on validation
clips. Each part is written to benchmarks/results/found_words/ at once, and not measured again while that file is
there.
"""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from _parts import RESULTS, markdown_table, measure_parts, parse_arguments, print_tables, read_parts

import kerasr
from kerasr.evaluation.stream import evaluate_stream

PARTS: dict[str, dict[str, Any]] = {"ResidualCNN": {}, "Conv1DLSTM": {}, "TCResNet8": {"causal": True}}
FALSE_ALARMS_PER_HOUR = 60.0
CARRY_STATE = ("Conv1DLSTM", "TCResNet8")


def main() -> None:
    arguments = parse_arguments(__doc__, "found_words", epochs=None)
    if not arguments.table:
        measure_parts(arguments, {name: partial(measure, name, arguments.epochs) for name in PARTS})
    print_tables(tables(arguments.results))


def measure(name: str, epochs: int | None) -> dict[str, Any]:
    """Train, and find words in each way."""
    recipe = kerasr.get_recipe("digits", name)
    options = {**recipe.model.options, **PARTS[name]}
    config = recipe.replace(augment=replace(recipe.augment, silence=0.3, noise=0.8), model_options=options)
    with tempfile.TemporaryDirectory() as out:
        run = kerasr.train_recipe(config.replace(out=out, epochs=epochs or config.fit.epochs))
        ways = {"windows": find_words(run, carry_state=False)}
        if name in CARRY_STATE:
            ways["state"] = find_words(run, carry_state=True)
    return {"model": name, "options": PARTS[name], "ways": ways}


def find_words(run: kerasr.Run, carry_state: bool) -> dict[str, Any]:
    """What is found at the threshold that the validation clips choose."""
    found = evaluate_stream(run, false_alarms_per_hour=FALSE_ALARMS_PER_HOUR, carry_state=carry_state)
    return {key: found[key] for key in ("threshold", "false_alarms_per_hour_wanted", "test")}


def tables(folder: Path = RESULTS / "found_words") -> dict[str, str]:
    """Words found and false alarms of each model in each way, a row each, at each ratio of speech over noise."""
    rows = [
        (name(result), way, *(cell(row) for row in found["test"]))
        for result in read_parts(folder)
        for way, found in result["ways"].items()
    ]
    ratios = [f"{row['snr_db']:.0f} dB" for row in read_parts(folder)[0]["ways"]["windows"]["test"]]
    return {"all": markdown_table(("model", "listens with", *ratios), rows)}


def name(result: dict[str, Any]) -> str:
    """The model and its options."""
    return ", ".join([result["model"], *(f"`--model.{option}`" for option in result["options"])])


def cell(row: dict[str, Any]) -> str:
    """The share of words that are found, and the false alarms of the stream."""
    alarms = "1 false alarm" if row["false_alarms"] == 1 else f"{row['false_alarms']} false alarms"
    return f"{1 - row['num_missed'] / row['num_words']:.1%}, {alarms}"


if __name__ == "__main__":
    main()
