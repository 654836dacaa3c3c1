"""Every architecture on unseen speakers: the same split, time and seed for all, one table and one picture.

    python benchmarks/zoo.py                                   all but the two largest ResNets: hours; stop and go on
    python benchmarks/zoo.py --models CRNN KWT1                some of them
    python benchmarks/zoo.py --models CRNN --folds lucas,theo  one fold of one
    python benchmarks/zoo.py --time-again                      measure a clip's milliseconds anew, on a quiet machine
    python benchmarks/zoo.py --table                           train nothing, show what has been measured
    PYTHONPATH=. python benchmarks/zoo.py --import my_package --models MyNet    a model of yours (docs/extending.md)

FSDD's six speakers are left out two at a time (`python -m kerasr.train digits-best --model M --leave-out A,B
--tta-speeds 1`), the other four train, and the last weights are kept: each speaker is tested once, by a network that
never met them. (With five to learn from, more time and a clip run at three speeds, a network does better:
`benchmarks/unseen_speakers.py`.) A training gets --minutes of one processor, its start included: a model's epochs are
timed once, and it gets those that fit, two at least, with the cosine over them. So a quick network makes many passes
and a slow one few. Processor time hardly depends on what else the machine does: two of these may share the work, each
on models of its own.

Results go to benchmarks/results/zoo/, one file a training, written at its end. From them come the table and, for
kerasr's own models of which every speaker has been left out, docs/zoo.png and kerasr/models/scores_unseen.json, which
`python -m kerasr.models` shows.
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

import numpy as np
from _parts import child_seconds, markdown_table, print_tables, write_result

from kerasr.core import atomic
from kerasr.core.imports import FLAG, asked_imports, import_asked
from kerasr.metrics.intervals import mean_interval
from kerasr.models.registry import list_models

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "zoo"
PICTURE = ROOT / "docs" / "zoo.png"
SCORES = ROOT / "kerasr" / "models" / "scores_unseen.json"
FOLDS = ("george,nicolas", "lucas,theo", "jackson,yweweler")
NUM_SPEAKERS, NUM_LABELS = 6, 10
LATENCY_ROUNDS = 100
SEED = 0
MINUTES = 2.0

# ResNet18, half the size of the next, cannot make two passes in the time.
TOO_LARGE = ("ResNet34", "ResNet50")


def main() -> None:
    argv, _ = import_asked(sys.argv[1:])
    names = [facts.name for facts in list_models(per_frame=False)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    fit = [name for name in names if name not in TOO_LARGE]
    parser.add_argument("--models", nargs="+", choices=names, default=fit, metavar="MODEL", help="which to train")
    parser.add_argument("--folds", nargs="+", choices=FOLDS, default=FOLDS, help="whom to leave out, in turn")
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        help="most of one processor's time that a training gets (default: %(default)s)",
    )
    parser.add_argument("--table", action="store_true", help="train nothing, show what has been measured")
    parser.add_argument("--time-again", action="store_true", help="train nothing, time one clip in each network anew")
    parser.add_argument("--latency", choices=names, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.latency:
        print(measure_latency(arguments.latency))
        return
    RESULTS.mkdir(parents=True, exist_ok=True)
    if arguments.time_again:
        time_again(arguments.models)
    elif not arguments.table:
        todo = [(model, fold) for model in arguments.models for fold in arguments.folds]
        todo = [fold for fold in todo if not measured(*fold, arguments.minutes)]
        for number, (model, left_out) in enumerate(todo, start=1):
            print(f"[{number}/{len(todo)}] {model} without {left_out}", flush=True)
            train_fold(model, left_out, pace_of(model, arguments.minutes))
    rows = read_rows(arguments.minutes)
    if rows:
        print_tables(tables(rows))
    own = {facts.name for facts in list_models(per_frame=False) if facts.module.startswith("kerasr.")}
    if whole := [row for row in rows if row["num_speakers"] == NUM_SPEAKERS and row["name"] in own]:
        write_picture(whole)
        write_scores(whole)


def result_path(model: str, left_out: str) -> Path:
    return RESULTS / f"{model}-{left_out.replace(',', '+')}.json"


def measured(model: str, left_out: str, minutes: float) -> dict[str, Any] | None:
    """What a training of so many minutes came to; None before it."""
    path = result_path(model, left_out)
    result = json.loads(path.read_text()) if path.exists() else None
    return result if result and result["minutes"] == minutes else None


def train(model: str, left_out: str, epochs: int, out: str) -> tuple[list[str], float]:
    """The command, and the processor seconds that it took from its start to its end."""
    command = ["kerasr.train", "digits-best", "--model", model, "--leave-out", left_out, "--seed", str(SEED)]
    command = [*command, "--epochs", str(epochs), "--tta-speeds", "1"]
    one_thread = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    environment = {**child_environment(), **one_thread, "PYTHONUNBUFFERED": "1"}
    before = child_seconds()
    subprocess.run([sys.executable, "-m", *command, "--out", out, *import_flags()], check=True, env=environment)
    return ["python", "-m", *command], child_seconds() - before


def pace_of(model: str, minutes: float) -> dict[str, Any]:
    """Processor seconds an epoch and the epochs that fit into the minutes, measured once for all of a model's folds."""
    path = RESULTS / f"{model}.json"
    if path.exists() and (pace := json.loads(path.read_text()))["minutes"] == minutes:
        return pace
    print(f"  timing {model}", flush=True)
    with tempfile.TemporaryDirectory() as out:
        _, one = train(model, FOLDS[0], 1, f"{out}/one")
        _, three = train(model, FOLDS[0], 3, f"{out}/three")
    latency = float(run_python(__file__, "--latency", model))
    seconds = (three - one) / 2
    epochs = max(2, int((60 * minutes - (one - seconds)) / seconds))
    pace = {
        "minutes": minutes,
        "epochs": epochs,
        "seconds_per_epoch": round(seconds, 2),
        "latency_ms": round(latency, 2),
    }
    write_result(path, {**pace, "load": round(os.getloadavg()[0], 1)})
    return pace


def run_python(*arguments: str) -> str:
    command = [sys.executable, *arguments, *import_flags()]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=child_environment()).stdout


def child_environment() -> dict[str, str]:
    """This checkout's kerasr, and the packages of whoever has named some."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def import_flags() -> list[str]:
    return [FLAG, ",".join(asked_imports())] if asked_imports() else []


def measure_latency(model: str) -> float:
    """Milliseconds from a clip's waveform to its logits, on one thread, of a network that has learnt nothing."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import kerasr
    from kerasr.models.from_waveform import attach_front_ends
    from kerasr.models.registry import builder

    config = kerasr.get_recipe("digits-best", model)
    network = builder(model)(config.features.shape, NUM_LABELS, **config.model.options)
    whole = attach_front_ends([kerasr.Features(config.features)], network)
    waveform = np.random.default_rng(SEED).normal(0, 0.1, (1, config.features.clip_samples)).astype("float32")
    times = []
    for _ in range(LATENCY_ROUNDS):
        start = time.perf_counter()
        whole.predict_on_batch(waveform)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[1:])


def time_again(models: list[str]) -> None:
    """Measure the latency of those that were trained, one after the other."""
    for model in models:
        path = RESULTS / f"{model}.json"
        if path.exists():
            latency = round(float(run_python(__file__, "--latency", model)), 2)
            for one in filter(Path.exists, (path, *(result_path(model, left_out) for left_out in FOLDS))):
                write_result(one, {**json.loads(one.read_text()), "latency_ms": latency})
            print(f"{model} {latency} ms", flush=True)


def train_fold(model: str, left_out: str, pace: dict[str, Any]) -> None:
    """Train without these speakers, and keep the score on each of them."""
    with tempfile.TemporaryDirectory() as out:
        command, seconds = train(model, left_out, pace["epochs"], out)
        (path,) = Path(out).glob("*/run.json")
        facts, metrics = json.loads(path.read_text()), json.loads(path.with_name("metrics.json").read_text())
    result = {
        "command": " ".join(command),
        "model": model,
        "left_out": left_out,
        "accuracy": {item["speaker"]: item["accuracy"] for item in metrics["speakers"]},
        "seed": SEED,
        **pace,
        **{key: metrics[key] for key in ("num_correct", "num_clips", "parameters", "model_bytes")},
        **{key: facts[key] for key in ("macs", "split_rule", "versions", "machine")},
        "processor_seconds": round(seconds, 1),
        "fingerprint": facts["corpus"]["fingerprint"],
        "load": round(os.getloadavg()[0], 1),
    }
    write_result(result_path(model, left_out), result)
    scores = ", ".join(f"{accuracy:.1%} of {speaker}'s clips" for speaker, accuracy in result["accuracy"].items())
    print(f"  {scores}, {pace['epochs']} epochs, {seconds:.0f} s", flush=True)


def summarise(model: str, minutes: float) -> dict[str, Any] | None:
    """A model's row of the table, over the speakers that have been left out; None before the first."""
    folds = [fold for left_out in FOLDS if (fold := measured(model, left_out, minutes))]
    if not folds:
        return None
    accuracy = {speaker: score for fold in folds for speaker, score in fold["accuracy"].items()}
    worst = min(accuracy, key=lambda speaker: accuracy[speaker])
    return {
        "name": model,
        "accuracy": statistics.mean(accuracy.values()),
        "accuracy_interval": mean_interval(np.array(list(accuracy.values())), list(accuracy))[0],
        "worst": accuracy[worst],
        "worst_speaker": worst,
        "num_speakers": len(accuracy),
        **{key: folds[0][key] for key in ("parameters", "macs", "model_bytes", "epochs", "latency_ms", "minutes")},
        "seconds_per_epoch": folds[0]["seconds_per_epoch"],
    }


def tables(rows: list[dict[str, Any]] | None = None) -> dict[str, str]:
    """A model a row, the best first; of all that have been measured in the usual time, where none are given."""
    headings = ("model", "unseen speakers", "95% interval", "worst", "parameters", "M MACs", "s an epoch", "epochs")
    best_first = sorted(rows or read_rows(), key=lambda row: -row["accuracy"])
    return {"all": markdown_table((*headings, "ms a clip, one thread", "kB"), map(table_row, best_first))}


def read_rows(minutes: float = MINUTES) -> list[dict[str, Any]]:
    """What has been measured of each model of the zoo."""
    return [row for facts in list_models(per_frame=False) if (row := summarise(facts.name, minutes))]


def table_row(row: dict[str, Any]) -> list[str]:
    low, high = row["accuracy_interval"]
    some = "" if row["num_speakers"] == NUM_SPEAKERS else f" ({row['num_speakers']} of {NUM_SPEAKERS} speakers)"
    return [
        row["name"],
        f"{row['accuracy']:.1%}{some}",
        f"{low:.1%} to {high:.1%}" if low < high else "-",
        f"{row['worst']:.1%} ({row['worst_speaker']})",
        f"{row['parameters']:,}",
        f"{row['macs'] / 1e6:.1f}",
        f"{row['seconds_per_epoch']:.1f}",
        str(row["epochs"]),
        f"{row['latency_ms']:.1f}",
        f"{row['model_bytes'] / 1e3:,.0f}",
    ]


def write_picture(rows: list[dict[str, Any]]) -> None:
    from kerasr.report import draw_cost

    budget = f"{rows[0]['minutes']:g} processor minutes a training, two passes at least"
    note = f"FSDD, two of six speakers left out at a time, {budget}. Lines: 95% over speakers."
    atomic.write_bytes(PICTURE, draw_cost(rows, note=note, name="zoo").png())


def write_scores(rows: list[dict[str, Any]]) -> None:
    """What `python -m kerasr.models` shows."""
    scores = {
        row["name"]: {key: row[key] for key in ("accuracy", "accuracy_interval", "worst", "worst_speaker")}
        for row in rows
    }
    what = (
        f"mean accuracy on FSDD's {NUM_SPEAKERS} speakers, left out two at a time of trainings of about "
        f"{rows[0]['minutes']:g} processor minutes, two passes at least; in brackets, the worst speaker's"
    )
    write_result(SCORES, {"what": what, "command": "python benchmarks/zoo.py", "models": scores})


if __name__ == "__main__":
    main()
