"""Scores of the digits recipe on FSDD's official split, model by model, each training from a cold start.

    python benchmarks/accuracy.py                            the README's models, with the seeds of their rows below
    python benchmarks/accuracy.py --models ResidualCNN       one of them
    python benchmarks/accuracy.py --recipe digits-best --models ResNet8
    python benchmarks/accuracy.py --table                    print what has been measured

Each training is a process of its own, `python -m kerasr.train digits --model M --seed S`, timed from its start to its
end. Its result is written to benchmarks/results/accuracy/ at once, and not trained again while that file is there. From
them come the table and, with the recipe `digits`, kerasr/models/scores_seen.json, which `python -m kerasr.models`
shows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _parts import child_seconds, markdown_table, print_tables, write_result

from kerasr.models.registry import list_models

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "accuracy"
SCORES = ROOT / "kerasr" / "models" / "scores_seen.json"

RECIPES = ("digits", "digits-best")
# Seeds a model: three where a training takes less than ten minutes on two cores; one for all that stand not here.
SEEDS = {"ResidualCNN": 3, "Conv1DLSTM": 3, "StackedLSTM": 3, "ResNet18": 3, "ResNet34": 1, "ResNet50": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(SEEDS), help="which to train")
    parser.add_argument("--recipe", choices=RECIPES, default="digits", help="which to train by (default: %(default)s)")
    parser.add_argument("--table", action="store_true", help="train nothing, print what has been measured")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not arguments.table:
        for model in arguments.models:
            for seed in range(SEEDS.get(model, 1)):
                if not result_path(arguments.recipe, model, seed).exists():
                    train_one(arguments.recipe, model, seed)
    print_tables(tables())
    write_scores(read_results("digits"))


def result_path(recipe: str, model: str, seed: int | str) -> Path:
    return RESULTS / f"{'' if recipe == 'digits' else f'{recipe}-'}{model}-{seed}.json"


def train_one(recipe: str, model: str, seed: int) -> None:
    """Train, and keep the scores with what they were measured on."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "kerasr.train", recipe, "--model", model, "--seed", str(seed)]
        print(" ".join(command[1:]), flush=True)
        started, cpu_before = time.perf_counter(), child_seconds()
        subprocess.run([*command, "--out", out], check=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        seconds = time.perf_counter() - started
        (facts_path,) = Path(out).glob("*/run.json")
        facts = json.loads(facts_path.read_text())
        metrics = json.loads(facts_path.with_name("metrics.json").read_text())
        config = json.loads(facts_path.with_name("config.json").read_text())
    result = {
        "command": " ".join(["python", *command[1:]]),
        "model": model,
        "seed": seed,
        "accuracy": metrics["accuracy"],
        **{key: metrics[key] for key in ("accuracy_interval", "interval_method", "num_clips")},
        "accuracy_by_speaker": {item["speaker"]: item["accuracy"] for item in metrics["speakers"]},
        "parameters": facts["parameters"],
        "macs": facts["macs"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(child_seconds() - cpu_before, 1),
        "train_seconds": facts["train_seconds"],
        "best_epoch": facts["best_epoch"],
        "split_rule": facts["split_rule"],
        "machine": facts["machine"],
        "versions": facts["versions"],
        "fingerprint": facts["corpus"]["fingerprint"],
        "config": config,
    }
    write_result(result_path(recipe, model, seed), result)


def read_results(recipe: str) -> dict[str, list[dict[str, Any]]]:
    """The results of each model's seeds, in the zoo's order."""
    paths = {
        facts.name: sorted(RESULTS.glob(result_path(recipe, facts.name, "*").name))
        for facts in list_models(per_frame=False)
    }
    return {name: [json.loads(path.read_text()) for path in found] for name, found in paths.items() if found}


def tables() -> dict[str, str]:
    """Mean and range over the seeds that have been measured, by recipe and model."""
    headings = ("model", "accuracy", "seeds", "parameters", "M MACs", "seconds from a cold start", "processor seconds")
    measured = [(recipe, *row) for recipe in RECIPES for row in read_results(recipe).items()]
    return {"all": markdown_table(headings, [table_row(*row) for row in measured])}


def table_row(recipe: str, model: str, results: list[dict[str, Any]]) -> list[str]:
    seconds, busy = (statistics.mean(result[name] for result in results) for name in ("seconds", "cpu_seconds"))
    return [
        model if recipe == "digits" else f"{model} (recipe `{recipe}`)",
        score(results) + (f" ({spread(results)})" if len(results) > 1 else ""),
        str(len(results)),
        f"{results[0]['parameters']:,}",
        f"{results[0]['macs'] / 1e6:.1f}",
        f"{seconds:.0f}",
        f"{busy:.0f}",
    ]


def figures() -> dict[str, str]:
    """Each model's mean score, and its range over the seeds."""
    measured = read_results("digits")
    ranges = {f"{model} range": spread(results) for model, results in measured.items()}
    return {model: score(results) for model, results in measured.items()} | ranges


def score(results: list[dict[str, Any]]) -> str:
    return f"{statistics.mean(result['accuracy'] for result in results):.1%}"


def spread(results: list[dict[str, Any]]) -> str:
    scores = [result["accuracy"] for result in results]
    return f"{min(scores):.1%} to {max(scores):.1%}"


def write_scores(measured: dict[str, list[dict[str, Any]]]) -> None:
    """What `python -m kerasr.models` shows."""
    scores = {
        model: {"accuracy": statistics.mean(result["accuracy"] for result in results), "seeds": len(results)}
        for model, results in measured.items()
    }
    what = "accuracy on FSDD's official split, whose test speakers are in the training, with the recipe digits"
    values = {"what": what, "command": "python benchmarks/accuracy.py", "models": scores}
    write_result(SCORES, values)


if __name__ == "__main__":
    main()
