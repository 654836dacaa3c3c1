"""What a small network gains from a larger one that teaches it: the preset `commands` and TCResNet8.

    python benchmarks/distillation.py                             every part, forty minutes of one core
    python benchmarks/distillation.py --parts alone-0 taught-0    some of them
    python benchmarks/distillation.py --table                     print what has been measured

A part is one training of the recipe `commands` on Speech Commands' clips at hand, split by speaker as the preset's
was, whatever the seed: neither has heard the test's speakers. `alone` learns from the labels; `taught` hears the same
clips and learns half from the labels and half from what the preset says of them (`--teacher commands`, which costs the
preset's pass over each batch). The last weights are kept. Each is written to benchmarks/results/distillation/ at once,
and not trained again while that file is there.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from _parts import (
    RESULTS,
    by_way,
    is_right,
    markdown_table,
    measure_ways,
    print_tables,
    processor_seconds,
    read_parts,
    split_as_preset,
    train_on,
)

import kerasr

TEACHER = "commands"
STUDENT = "TCResNet8"
WAYS: dict[str, dict[str, Any]] = {"alone": {}, "taught": {"teacher": TEACHER}}
NAMES = {"alone": "from the labels", "taught": f"`--teacher {TEACHER}`, half of the loss"}
SEEDS = 3
EPOCHS = 60


def main() -> None:
    print_tables(tables(measure_ways(__doc__, "distillation", EPOCHS, WAYS, SEEDS, measure)))


def measure(way: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train a student, and score it and its teacher on speakers whom neither has heard."""
    teacher = kerasr.from_preset(TEACHER)
    corpus, split_rule = split_as_preset(teacher)
    config = kerasr.get_recipe("commands", STUDENT).replace(keep="last", epochs=epochs, seed=seed, **WAYS[way])
    busy = processor_seconds()
    with tempfile.TemporaryDirectory() as out:
        run = train_on(corpus.utterances, config, out)
        busy = processor_seconds() - busy
        tested, right = is_right(run)
        _, teacher_right = is_right(teacher, tested)
    return {
        "way": way,
        "seed": seed,
        "accuracy": float(right.mean()),
        "teacher_accuracy": float(teacher_right.mean()),
        "num_clips": len(right),
        "parameters": run.facts["parameters"],
        "split_rule": split_rule,
        "processor_seconds": round(busy, 1),
    }


def tables(folder: Path = RESULTS / "distillation") -> dict[str, str]:
    """Means over the seeds that have been measured."""
    headings = ("way", "accuracy", "of each seed", "minutes of one core each")
    return {"all": markdown_table(headings, [table_row(way, mine) for way, mine in by_way(folder, WAYS).items()])}


def table_row(way: str, results: list[dict[str, Any]]) -> list[str]:
    scores = [result["accuracy"] for result in results]
    minutes = statistics.mean(result["processor_seconds"] for result in results) / 60
    mean, each = f"{statistics.mean(scores):.1%}", ", ".join(f"{score:.1%}" for score in scores)
    return [NAMES[way], mean, each, f"{minutes:.1f}"]


def figures(folder: Path = RESULTS / "distillation") -> dict[str, str]:
    """The teacher's score on the same clips."""
    result = read_parts(folder)[0]
    return {"teacher": f"{result['teacher_accuracy']:.1%}", "clips": str(result["num_clips"])}


if __name__ == "__main__":
    main()
