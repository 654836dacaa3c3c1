"""Speech Commands' clips at hand in five folds that share no speaker: what the recipe `commands` gets on the fifth.

    python benchmarks/five_folds.py                          the recipe's own model
    python benchmarks/five_folds.py --model BCResNet         another one
    python benchmarks/five_folds.py --voices 100             with synthetic voices beside the recordings of each word
    python benchmarks/five_folds.py --table                  print what has been measured

Folds are drawn once (seed 0) with equal shares of each word. Four train, but for a tenth of their speakers, which is
only watched: the last weights are kept, and the fold that is reported has no part in any choice. Reported is the
accuracy of people's clips. The recipe's changes to clips were chosen by short trainings that left out fold 0 and
tested on a quarter of the other speakers.

Each training is one file under benchmarks/results/five_folds/, and not trained again while that file is there. --folds
trains some of them, so that two processes can share the work (TF_NUM_INTRAOP_THREADS=1 for each).
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _parts import markdown_table, print_tables, processor_seconds, read_parts, train_on, write_result
from sklearn.model_selection import StratifiedGroupKFold

from kerasr.config import to_json
from kerasr.data import Utterance, load_corpus
from kerasr.data.corpora.speech_commands import OTHERS, SILENCE, UNKNOWN, WANTED
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.recipes import get_recipe

RESULTS = Path(__file__).parent / "results" / "five_folds"
NUM_FOLDS = 5
EPOCHS = 60

# What synthetic voices say: the ten words, and for `_unknown_` the corpus's others.
SPOKEN = f"{','.join(WANTED)},{UNKNOWN}={'|'.join(OTHERS)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="architecture; the recipe's own where not given")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="passes: the clips are few (default: %(default)s)")
    parser.add_argument("--voices", type=int, default=0, help="of each word, by espeak-ng and as many by flite")
    parser.add_argument("--folds", type=int, nargs="+", default=range(NUM_FOLDS), help="leave out these, in turn")
    parser.add_argument("--table", action="store_true", help="train nothing, print what has been measured")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not arguments.table:
        for fold in arguments.folds:
            measure(arguments.model, fold, arguments.epochs, arguments.voices)
    print_tables(tables())


def measure(model: str | None, fold: int, epochs: int, voices: int) -> None:
    """Train without one fold and keep the score on it."""
    config = get_recipe("commands", model)
    config = config.replace(keep="last", epochs=epochs, words=SPOKEN if voices else None)
    config = config.replace(synthetic_voices=voices, flite_clips=voices)
    path = RESULTS / f"{config.model.name}-{config.fit.epochs}-{f'voices{voices}-' if voices else ''}{fold}.json"
    if path.exists():
        return
    settings = f"--model {config.model.name} --epochs {epochs} --voices {voices} --folds {fold}"
    started, busy = time.perf_counter(), processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        run = train_on(divide(fold), config, folder)
        seconds, processor = time.perf_counter() - started, processor_seconds() - busy
        metrics = evaluate_run(run).metrics
        result = {
            "command": f"benchmarks/five_folds.py {settings}",
            "model": config.model.name,
            "fold": fold,
            "epochs": epochs,
            "voices": voices,
            "accuracy": metrics["accuracy"],
            "num_correct": metrics["num_correct"],
            "num_clips": metrics["num_clips"],
            "num_silences": next(row["num_clips"] for row in metrics["words"] if row["word"] == SILENCE),
            "words": {row["word"]: row["recall"] for row in metrics["words"]},
            "seconds": round(seconds, 1),
            "processor_seconds": round(processor, 1),
            "parameters": run.facts["parameters"],
            "macs": run.facts["macs"],
            "machine": run.facts["machine"],
            "versions": run.facts["versions"],
            "config": to_json(run.config) | {"data": "speech_commands"},
        }
    write_result(path, result)
    print(path.name, result["accuracy"], flush=True)


def divide(fold: int) -> list[Utterance]:
    """The corpus with one fold as its test, and a tenth of the other speakers as its validation."""
    utterances = load_corpus("speech_commands").utterances
    # A clip that names no speaker is a group of its own.
    groups = np.array([item.speaker or item.path for item in utterances])
    labels = np.array([item.label for item in utterances])
    folds = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=0).split(labels, labels, groups)
    rest, test = list(folds)[fold]
    tenths = StratifiedGroupKFold(10, shuffle=True, random_state=0).split(labels[rest], labels[rest], groups[rest])
    watched = rest[next(iter(tenths))[1]]
    split = np.full(len(utterances), "train", dtype=object)
    split[test], split[watched] = "test", "validation"
    return [replace(item, split=str(name)) for item, name in zip(utterances, split, strict=True)]


def tables() -> dict[str, str]:
    """Accuracy of people's clips, fold by fold and over all, and of all clips.

    Nobody says the silences. They were cut from anywhere in a few noises, so those of a fold share samples with others.
    """
    results = read_parts(RESULTS)
    kinds = dict.fromkeys((result["model"], result["epochs"], result["voices"]) for result in results)
    headings = ("left out", *map(str, range(NUM_FOLDS)), "all", "with silences", "minutes of one core each")
    return {"all": markdown_table(headings, [table_row(*kind, of_kind(results, *kind)) for kind in kinds])}


def of_kind(results: list[dict[str, Any]], model: str, epochs: int, voices: int) -> list[dict[str, Any]]:
    return [
        result for result in results if (result["model"], result["epochs"], result["voices"]) == (model, epochs, voices)
    ]


def table_row(model: str, epochs: int, voices: int, results: list[dict[str, Any]]) -> list[str]:
    people = {result["fold"]: of_people(result) for result in results}
    minutes = statistics.mean(result["processor_seconds"] for result in results) / 60
    with_silences = sum(result["num_correct"] for result in results) / sum(result["num_clips"] for result in results)
    beside = f", {voices} synthetic voices a word" if voices else ""
    return [
        f"{model}, {results[0]['parameters']:,} parameters, {epochs} epochs{beside}",
        *(f"{people[fold][0] / people[fold][1]:.1%}" if fold in people else "" for fold in range(NUM_FOLDS)),
        f"**{accuracy_of_people(results):.1%}**",
        f"{with_silences:.1%}",
        f"{minutes:.0f}",
    ]


def figures() -> dict[str, str]:
    """Over all folds, of people's clips, by model; and how many clips those are."""
    results = [result for result in read_parts(RESULTS) if not result["voices"]]
    by_model = {name: [result for result in results if result["model"] == name] for name in ("ResNet8", "BCResNet")}
    minutes = {
        f"{name} minutes": f"{statistics.mean(result['processor_seconds'] for result in mine) / 60:.0f}"
        for name, mine in by_model.items()
    }
    clips = sum(of_people(result)[1] for result in by_model["ResNet8"])
    scores = {name: f"{accuracy_of_people(mine):.1%}" for name, mine in by_model.items()}
    return {**scores, **minutes, "clips": f"{clips:,}"}


def accuracy_of_people(results: list[dict[str, Any]]) -> float:
    right, clips = np.sum([of_people(result) for result in results], 0)
    return float(right / clips)


def of_people(result: dict[str, Any]) -> tuple[int, int]:
    """Of a fold's clips without its silences: those that were right, and all."""
    silences = result["num_silences"]
    return result["num_correct"] - round(result["words"][SILENCE] * silences), result["num_clips"] - silences


if __name__ == "__main__":
    main()
