"""How many wrong labels `evaluate suspects` finds in Speech Commands, of one in twenty that were made so.

    python benchmarks/suspects.py            both parts, half an hour of one core
    python benchmarks/suspects.py --table    print what has been measured

Which labels are wrong, and what they say instead, is drawn with seed 0. `recipe` is the recipe `commands`, whose
weights are averaged; `no-average` is the same without that. The run itself is not trained: only its settings and its
clips matter, as each clip is heard by a model of another fold. Results go to benchmarks/results/suspects/.
"""

import csv
import io
import random
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from _parts import RESULTS, markdown_table, measure_parts, parse_arguments, print_tables, read_parts
from rich.console import Console

import kerasr
from kerasr.curation.label_errors import find_suspects
from kerasr.data import Utterance, load_corpus, split_corpus, write_manifest
from kerasr.training.preparation import prepare_run

PARTS = {"recipe": {}, "no-average": {"ema": 0.0}}
# Epochs of the run; a fold has a third of them.
EPOCHS = 30
WRONG_SHARE = 0.05


def main() -> None:
    arguments = parse_arguments(__doc__, "suspects", EPOCHS)
    if not arguments.table:
        measure_parts(arguments, {name: partial(measure, name, arguments.epochs) for name in PARTS})
    print_tables(tables(arguments.results))


def measure(part: str, epochs: int) -> dict[str, Any]:
    """Rank the training clips, and count the wrong labels among the first."""
    corpus, _ = split_corpus(load_corpus("speech_commands:12"), "speaker")
    utterances, wrong = mislabel(corpus.utterances, corpus.labels)
    recipe = kerasr.get_recipe("commands")
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.csv"
        write_manifest(manifest, utterances, corpus.noise)
        optimizer = replace(recipe.optimizer, **PARTS[part])
        config = recipe.replace(data=str(manifest), split="official", epochs=epochs, out=folder, optimizer=optimizer)
        console = Console(file=io.StringIO())
        run = prepare_run(config, console)
        find_suspects(run, console=console)
        rows = list(csv.DictReader((run.path / "suspects" / "suspects.csv").open(encoding="utf-8")))
    first = {row["path"] for row in rows[: len(wrong)]}
    suspects = {row["path"] for row in rows if row["suspect"] == "yes"}
    return {
        "num_clips": len(rows),
        "num_wrong": len(wrong),
        "wrong_among_first": len(first & wrong),
        "num_suspects": len(suspects),
        "wrong_among_suspects": len(suspects & wrong),
    }


def mislabel(utterances: tuple[Utterance, ...], labels: tuple[str, ...]) -> tuple[list[Utterance], set[str]]:
    """The recordings with some training labels wrong, and the paths of those."""
    draw = random.Random(0)
    training = [item.path for item in utterances if item.split == "train"]
    wrong = set(draw.sample(training, round(WRONG_SHARE * len(training))))

    def other(item: Utterance) -> Utterance:
        return replace(item, label=draw.choice([label for label in labels if label != item.label]))

    return [other(item) if item.path in wrong else item for item in utterances], wrong


def tables(folder: Path = RESULTS / "suspects") -> dict[str, str]:
    """How many of the wrong labels are found, by the part."""
    headings = ("weights", "wrong labels", "among as many first", "suspects", "wrong labels among them")
    rows = [
        [
            result["part"],
            f"{result['num_wrong']} of {result['num_clips']:,}",
            result["wrong_among_first"],
            result["num_suspects"],
            result["wrong_among_suspects"],
        ]
        for result in read_parts(folder)
    ]
    return {"all": markdown_table(headings, rows)}


def figures(folder: Path = RESULTS / "suspects") -> dict[str, str]:
    """Each count, by the part: `recipe wrong_among_first`."""
    counts = ("num_clips", "num_wrong", "wrong_among_first", "num_suspects", "wrong_among_suspects")
    return {f"{result['part']} {name}": f"{result[name]:,}" for result in read_parts(folder) for name in counts}


if __name__ == "__main__":
    main()
