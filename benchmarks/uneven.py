"""What helps where words are uneven: FSDD with its training clips thinned until one digit has 50 times another's.

    python benchmarks/uneven.py                                 every part, an hour or less on two cores
    python benchmarks/uneven.py --parts focal-0 balanced-0      some of them
    python benchmarks/uneven.py --parts words-weights-0         the same by the recipe `words`
    python benchmarks/uneven.py --table                         print what has been measured

A part is one training on FSDD's official split, by the recipe `digits` or by `words`, that of a folder of one's own;
its seed also draws which digits are the rare ones (240 training clips, then each time a factor of 50 ** (1/9) fewer, 5
in the end). Each is written to benchmarks/results/uneven/ at once, and not trained again while that file is there. The
test has 30 clips of each digit: the mean recall is its accuracy; the accuracy of a test as uneven as the training
follows from the same recalls.
"""

import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _parts import RESULTS, by_way, is_right, markdown_table, measure_ways, print_tables, train_on

import kerasr
from kerasr.data import Utterance, load_corpus, split_corpus

CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "weights": {"class_weights": True},
    "balanced": {"sampling": "balanced"},
    "focal": {"loss": "focal"},
    "balanced-focal": {"sampling": "balanced", "loss": "focal"},
}
# Of `words`, only what decides between the two ways of making rare words count.
OF_WORDS = "words-"
WAYS = (*CHANGES, *(f"{OF_WORDS}{name}" for name in ("none", "weights", "balanced")))
NAMES = {
    "none": "the recipe `digits`",
    "weights": "`--class-weights`",
    "balanced": "`--sampling balanced`",
    "focal": "`--loss focal`",
    "balanced-focal": "`--sampling balanced --loss focal`",
    "words-none": "neither",
    "words-weights": "`--class-weights`",
    "words-balanced": "`--sampling balanced`, the recipe's",
}
SEEDS = 3
RATIO = 50
EPOCHS = 60
NUM_RARE = 3


def main() -> None:
    print_tables(tables(measure_ways(__doc__, "uneven", EPOCHS, WAYS, SEEDS, measure)))


def measure(way: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train, and score each digit."""
    corpus, _ = split_corpus(load_corpus("fsdd"))
    utterances = thin(corpus.utterances, seed)
    recipe = kerasr.get_recipe("words" if way.startswith(OF_WORDS) else "digits")
    plain = recipe.replace(epochs=epochs, seed=seed, class_weights=False, sampling="natural")
    config = plain.replace(**CHANGES[way.removeprefix(OF_WORDS)])
    with tempfile.TemporaryDirectory() as out:
        tested, right = is_right(train_on(utterances, config, out))
    clips = Counter(str(item.label) for item in utterances if item.split == "train")
    recall = {
        label: float(right[[item.label == label for item in tested]].mean())
        for label in sorted(clips, key=lambda label: clips[label])
    }
    return {"way": way, "seed": seed, "recall": recall, "training_clips": {label: clips[label] for label in recall}}


def thin(utterances: Sequence[Utterance], seed: int) -> list[Utterance]:
    """All recordings but for the training clips that make a digit rarer."""
    draw = random.Random(seed)
    digits = sorted({item.label or "" for item in utterances})
    draw.shuffle(digits)
    kept = [item for item in utterances if item.split != "train"]
    for rank, digit in enumerate(digits):
        clips = [item for item in utterances if item.split == "train" and item.label == digit]
        kept += draw.sample(clips, round(len(clips) * RATIO ** (-rank / (len(digits) - 1))))
    return kept


def tables(folder: Path = RESULTS / "uneven") -> dict[str, str]:
    """Means over the seeds that have been measured, of the recipe `digits` and of `words`."""
    headings = ("settings", "mean recall", "recall of the three rarest", "accuracy where words are as uneven")
    rows = {way: table_row(way, results) for way, results in by_way(folder, WAYS).items()}
    of_words = {way: row for way, row in rows.items() if way.startswith(OF_WORDS)}
    of_digits = [row for way, row in rows.items() if way not in of_words]
    return {"digits": markdown_table(headings, of_digits), "words": markdown_table(headings, of_words.values())}


def table_row(way: str, results: list[dict[str, Any]]) -> list[str]:
    rows = [(list(result["recall"].values()), list(result["training_clips"].values())) for result in results]
    means = (
        statistics.mean(statistics.mean(recall) for recall, _ in rows),
        statistics.mean(statistics.mean(recall[:NUM_RARE]) for recall, _ in rows),
        statistics.mean(float(np.average(recall, weights=clips)) for recall, clips in rows),
    )
    return [NAMES[way], *(f"{mean:.1%}" for mean in means)]


def figures(folder: Path = RESULTS / "uneven") -> dict[str, str]:
    """Mean recall and that of the rarest, by the way."""
    rows = {way: table_row(way, results) for way, results in by_way(folder, WAYS).items()}
    return {f"{way} {name}": row[at] for way, row in rows.items() for at, name in ((1, "mean"), (2, "rarest"))}


if __name__ == "__main__":
    main()
