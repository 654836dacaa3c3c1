"""Training for the worst group: FSDD's accents, two of them with few training clips, with and without --balance-groups.

    python benchmarks/groups.py                              every part, ten minutes or less on two cores
    python benchmarks/groups.py --parts none-0 accent-0      some of them
    python benchmarks/groups.py --table                      print what has been measured

A part is one training of the digits recipe on the official split. Of each digit, the American and the German speakers
train with all of their 40 clips, the Greek and the Belgian speaker with one; the test has 5 of each speaker. Each part
is written to benchmarks/results/groups/ at once, and not trained again while that file is there.
"""

import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _parts import RESULTS, by_way, is_right, markdown_table, measure_ways, print_tables, train_on

import kerasr
from kerasr.data import Utterance, load_corpus, split_corpus

WAYS = {"none": None, "accent": "accent"}
RARE = ("GRC/Greek", "BEL/French")
CLIPS_PER_DIGIT = 1
SEEDS = 3
EPOCHS = 20


def main() -> None:
    print_tables(tables(measure_ways(__doc__, "groups", EPOCHS, WAYS, SEEDS, measure)))


def measure(way: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train, and score each accent."""
    corpus, _ = split_corpus(load_corpus("fsdd"))
    utterances = thin(corpus.utterances, seed)
    config = kerasr.get_recipe("digits").replace(epochs=epochs, seed=seed, balance_groups=WAYS[way])
    with tempfile.TemporaryDirectory() as out:
        run = train_on(utterances, config, out)
        tested, right = is_right(run)
        weights = run.facts.get("group_weights")
    accents = sorted({item.extra["accent"] for item in tested})
    return {
        "way": way,
        "seed": seed,
        "accuracy": float(right.mean()),
        "by_accent": {
            accent: float(right[[item.extra["accent"] == accent for item in tested]].mean()) for accent in accents
        },
        "training_clips": Counter(item.extra["accent"] for item in utterances if item.split == "train"),
        "group_weights": weights,
    }


def thin(utterances: Sequence[Utterance], seed: int) -> list[Utterance]:
    """All recordings but for most training clips of the rare accents."""
    draw = random.Random(seed)
    left_out: set[str] = set()
    for accent in RARE:
        for digit in sorted({item.label or "" for item in utterances}):
            paths = [
                item.path
                for item in utterances
                if item.split == "train" and item.label == digit and item.extra["accent"] == accent
            ]
            left_out |= set(draw.sample(paths, len(paths) - CLIPS_PER_DIGIT))
    return [item for item in utterances if item.path not in left_out]


def tables(folder: Path = RESULTS / "groups") -> dict[str, str]:
    """Means over the seeds that have been measured."""
    found = by_way(folder, WAYS)
    accents = sorted({accent for results in found.values() for accent in results[0]["by_accent"]})
    headings = ("`--balance-groups`", "worst accent", "mean accuracy", *accents)
    return {"all": markdown_table(headings, [table_row(way, mine, accents) for way, mine in found.items()])}


def table_row(way: str, results: list[dict[str, Any]], accents: list[str]) -> list[str]:
    worst = [min(result["by_accent"].values()) for result in results]
    each = [[result["by_accent"][accent] for result in results] for accent in accents]
    means = map(statistics.mean, (worst, [result["accuracy"] for result in results], *each))
    return [way, *(f"{mean:.1%}" for mean in means)]


if __name__ == "__main__":
    main()
