"""Which recordings to label: accuracy after labelling those that `evaluate unlabelled` ranks first, or random ones.

    python benchmarks/active_learning.py                           every part, under forty minutes of one core
    python benchmarks/active_learning.py --parts ranked-50-0       some of them
    python benchmarks/active_learning.py --table                   print what has been measured

A recogniser of Speech Commands' ten words, `_unknown_` and `_silence_` learns from 5 recordings of each by half of the
speakers. Of these speakers' other recordings, whose labels nobody has looked at, 50 or 100 are labelled: `ranked` takes
the first of the ranking, `random` draws them. A new recogniser learns from all that have a label, out of the manifest
that the ranking has written, and is tested on the other half of the speakers. A part is one training; its seed draws
the first recordings and the random ones, too. The recognisers that rank are trained when they are first needed, and
their runs and rankings kept in runs/active_learning. Results go to benchmarks/results/active_learning/.
"""

import csv
import random
import statistics
import tempfile
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
from rich.console import Console

import kerasr
from kerasr.curation.active_learning import rank_unlabelled
from kerasr.data import Utterance, load_corpus
from kerasr.runs.run import Run
from kerasr.training.trainer import train_recipe

WAYS = ("first", "ranked", "random")
NUM_LABELLED = (50, 100)
SEEDS = 3
NUM_FIRST, NUM_VALIDATION = 5, 5
RUNS = Path("runs/active_learning")


def main() -> None:
    arguments = parse_arguments(__doc__, "active_learning", epochs=None)
    if not arguments.table:
        parts = {f"first-0-{seed}": partial(measure_first, seed, arguments.epochs) for seed in range(SEEDS)}
        parts |= {
            f"{way}-{number}-{seed}": partial(measure, way, number, seed, arguments.epochs)
            for seed in range(SEEDS)
            for number in NUM_LABELLED
            for way in WAYS[1:]
        }
        measure_parts(arguments, parts)
    print_tables(tables(arguments.results))


def measure_first(seed: int, epochs: int | None) -> dict[str, Any]:
    """Score the recogniser that ranks."""
    return score(first_run(seed, epochs)) | {"way": "first", "labelled": 0, "seed": seed}


def measure(way: str, number: int, seed: int, epochs: int | None) -> dict[str, Any]:
    """Label some recordings, train with them, and score on unseen speakers."""
    ranking = rank_pool(first_run(seed, epochs), seed)
    busy = processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.csv"
        words = label(ranking, manifest, way, number, seed)
        config = settings(seed, epochs).replace(data=str(manifest), split="official", out=folder)
        run = train_recipe(config, console=Console(stderr=True))
        found = score(run)
    return found | {
        "way": way,
        "labelled": number,
        "words": len({*words} - {"_unknown_", "_silence_"}),
        "seed": seed,
        "processor_seconds": round(processor_seconds() - busy, 1),
    }


def first_run(seed: int, epochs: int | None) -> Run:
    """The recogniser that ranks, trained where there is none yet."""
    out = RUNS / f"first-{seed}-{epochs or 'recipe'}"
    if run := finished_run(out):
        return run
    clips, _ = split_clips(seed)
    return train_on(clips, settings(seed, epochs), str(out))


def settings(seed: int, epochs: int | None) -> kerasr.TrainConfig:
    """How every recogniser of a seed is trained."""
    return kerasr.get_recipe("words").replace(epochs=epochs, seed=seed, keep="last")


def split_clips(seed: int) -> tuple[list[Utterance], list[Utterance]]:
    """The labelled recordings with their splits, and those whose labels nobody has looked at."""
    draw = random.Random(seed)
    clips = load_corpus("speech_commands:12").utterances
    labelled = [replace(item, split="test") for item in clips if speaker_place(item) >= 0.5]
    pool = [item for item in clips if speaker_place(item) < 0.5]
    drawn: set[str] = set()
    for word in sorted({str(item.label) for item in clips}):
        own = draw.sample([item for item in pool if item.label == word], NUM_FIRST + NUM_VALIDATION)
        labelled += [replace(item, split="train") for item in own[:NUM_FIRST]]
        labelled += [replace(item, split="validation") for item in own[NUM_FIRST:]]
        drawn |= {item.path for item in own}
    return labelled, [item for item in pool if item.path not in drawn]


def rank_pool(run: Run, seed: int) -> Path:
    """The ranking of the recordings without a label, made where there is none yet: a manifest."""
    folder = run.path / "pool"
    if not (run.path / "ranking" / "unlabelled.csv").exists():
        folder.mkdir(exist_ok=True)
        for item in split_clips(seed)[1]:
            link = folder / f"{item.label}-{Path(item.path).name}"
            link.unlink(missing_ok=True)
            link.symlink_to(item.path)
        rank_unlabelled(run, str(folder), out=run.path / "ranking")
    return run.path / "ranking" / "unlabelled.csv"


def label(ranking: Path, manifest: Path, way: str, number: int, seed: int) -> list[str]:
    """Write the ranking with so many labels filled in, as a person would; returns those labels."""
    with ranking.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    without = [row for row in rows if row["split"] == "unlabelled"]
    chosen = without[:number] if way == "ranked" else random.Random(seed).sample(without, number)
    for row in chosen:
        row["label"] = Path(row["path"]).name.partition("-")[0]
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return [row["label"] for row in chosen]


def score(run: Run) -> dict[str, Any]:
    """Accuracy on the speakers of no training clip, and on the ten words alone."""
    clips, right = is_right(run)
    words = [not str(item.label).startswith("_") for item in clips]
    return {
        "accuracy": float(right.mean()),
        "accuracy_of_words": float(right[words].mean()),
        "test_clips": len(right),
        "passes": (run.config.fit.epochs or 0) * run.config.fit.passes,
    }


def tables(folder: Path = RESULTS / "active_learning") -> dict[str, str]:
    """Means over the seeds that have been measured."""
    results = read_parts(folder)
    rows = [
        [number, *(mean_accuracy(results, way if number else "first", number) for way in WAYS[1:])]
        for number in (0, *NUM_LABELLED)
    ]
    return {"all": markdown_table(("recordings labelled", "as ranked", "at random"), rows)}


def mean_accuracy(results: list[dict[str, Any]], way: str, number: int) -> str:
    """Mean and range over seeds of one way; nothing where it has not been measured."""
    scores = [result["accuracy"] for result in results if (result["way"], result["labelled"]) == (way, number)]
    if not scores:
        return ""
    return f"{statistics.mean(scores):.1%} ({min(scores):.1%} to {max(scores):.1%}, {len(scores)} seeds)"


if __name__ == "__main__":
    main()
