"""Every architecture in every format that it can be exported to: its size, its time a clip, what of its score is lost.

    python benchmarks/formats.py                              all models: three hours; stop it at will, start it again
    python benchmarks/formats.py --models ResidualCNN DSCNN   some of them
    python benchmarks/formats.py --again                      export the kept runs once more, train nothing
    python benchmarks/formats.py --again --formats ONNX       in one format, and keep what is known of the others
    python benchmarks/formats.py --time-again                 time the kept exports once more, on a quiet machine
    python benchmarks/formats.py --table                      measure nothing, show what there is

Each model is trained with the recipe `digits` on FSDD's official split, with its own options and few epochs (`EPOCHS`):
enough to ask what a format loses, not to ask which model is best. The 300 test clips then go through each export
(`kerasr.exporters.check`), whatever it answers. Runs and exports stay in --keep.

Results go to benchmarks/results/formats/, one file a model, written at its end; from them come the tables of
docs/formats.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
if __name__ == "__main__":
    # Before TensorFlow is imported, which asks once: one thread, as the exports are timed.
    os.environ.update(ONE_THREAD)

from _parts import markdown_table, print_tables, write_result

from kerasr.core.provenance import provenance
from kerasr.errors import UserError
from kerasr.exporters import check_export, export_litert, export_onnx, export_serving
from kerasr.models.registry import list_models
from kerasr.runs.run import Run, load_run

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "formats"

# Passes of the training: ten, and fewer where one takes long.
EPOCHS = {"ResNet18": 4, "ResNet34": 3, "ResNet50": 3, "AttRNN": 8, "MHAttRNN": 6, "KWT2": 8, "KWT3": 6}
USUAL_EPOCHS = 10

# A format's column, what the check calls it, and the file or folder.
FORMATS = {
    "SavedModel": ("savedmodel", "serving/model"),
    "LiteRT": ("litert", "float32.tflite"),
    "LiteRT dynamic": ("litert", "dynamic.tflite"),
    "LiteRT int8": ("litert", "int8.tflite"),
    "ONNX": ("onnx", "model.onnx"),
}


def main() -> None:
    names = [facts.name for facts in list_models(per_frame=False)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="MODEL", help="which to measure")
    parser.add_argument("--keep", type=Path, default=ROOT / "runs" / "formats", help="folder of the runs and exports")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, metavar="FORMAT", help="with --again: these alone")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--again", action="store_true", help="export the kept runs once more, train nothing")
    what.add_argument("--time-again", action="store_true", help="time the kept exports once more")
    what.add_argument("--table", action="store_true", help="measure nothing, show what there is")
    arguments = parser.parse_args()
    if arguments.formats and not arguments.again:
        parser.error("--formats goes with --again: what is measured for the first time is measured in every format")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for model in [] if arguments.table else arguments.models:
        folder = arguments.keep / model
        if arguments.time_again:
            time_again(model, folder)
        elif arguments.again or not result_path(model).exists():
            print(model, flush=True)
            write_result(result_path(model), measure(model, folder, arguments.formats or FORMATS))
    print_tables(tables())


def result_path(model: str) -> Path:
    return RESULTS / f"{model}.json"


def measure(model: str, folder: Path, wanted: Iterable[str]) -> dict[str, Any]:
    """Train a model where no run of it is kept, and export it in the wanted formats; others stay as they are known."""
    found = finished_run(folder) or train(model, folder)
    run = load_run(found)
    accuracy = run.metrics["accuracy"] if run.metrics else None
    known = json.loads(result_path(model).read_text())["formats"] if result_path(model).exists() else {}
    formats = {
        name: known[name] if name in known and name not in wanted else export(run, name, folder) for name in FORMATS
    }
    trained = {key: run.facts[key] for key in ("parameters", "macs", "split_rule")}
    return {
        "model": model,
        "epochs": run.config.fit.epochs,
        "accuracy": accuracy,
        **trained,
        "fingerprint": run.facts["corpus"]["fingerprint"],
        "trained_by": f"python -m kerasr.train digits --model {model} --epochs {run.config.fit.epochs}",
        "formats": formats,
        "load": round(os.getloadavg()[0], 1),
        **provenance(),
    }


def finished_run(folder: Path) -> Path | None:
    """The run that is kept; None where there is none, or one that was stopped."""
    found = sorted(folder.glob("*/metrics.json"))
    return found[0].parent if found else None


def train(model: str, folder: Path) -> Path:
    """In a process of its own, as a user would."""
    command = ["kerasr.train", "digits", "--model", model, "--epochs", str(EPOCHS.get(model, USUAL_EPOCHS))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", *command, "--out", str(folder)], check=True, env=environment)
    (path,) = folder.glob("*/metrics.json")
    return path.parent


def export(run: Run, name: str, folder: Path) -> dict[str, Any]:
    """What was measured of a format, or why the model has none."""
    path = folder / FORMATS[name][1]
    ways: dict[str, Callable[[], tuple[Path, Any]]] = {
        "SavedModel": lambda: export_serving(run, path),
        "LiteRT": lambda: export_litert(run, path, least_agreement=0),
        "LiteRT dynamic": lambda: export_litert(run, path, quantize="dynamic", least_agreement=0),
        "LiteRT int8": lambda: export_litert(run, path, quantize="int8", least_agreement=0),
        "ONNX": lambda: export_onnx(run, path, least_agreement=0),
    }
    shutil.rmtree(path, ignore_errors=True)
    try:
        _, check = ways[name]()
    except UserError as error:
        print(f"  {name}: {error}", flush=True)
        return {"refused": str(error).removeprefix(f"{run.path}: ")}
    lost = points_lost(vars(check))
    print(f"  {name}: {check.size / 1e3:,.0f} kB, {check.milliseconds:.1f} ms, {lost:+.1f} points lost", flush=True)
    return vars(check)


def time_again(model: str, folder: Path) -> None:
    """New milliseconds for the exports that are kept, in the model's result."""
    found = finished_run(folder)
    if found is None or not result_path(model).exists():
        print(f"{model}: there is nothing in {folder}; measure it first")
        return
    run, result = load_run(found), json.loads(result_path(model).read_text())
    for name, (kind, file) in FORMATS.items():
        if "refused" not in result["formats"][name]:
            path = folder / file / "1" if kind == "savedmodel" else folder / file
            result["formats"][name]["milliseconds"] = check_export(run, kind, str(path)).milliseconds
    write_result(result_path(model), {**result, "load": round(os.getloadavg()[0], 1), **provenance()})


def points_lost(check: dict[str, Any]) -> float:
    """Accuracy of the run less that of the export, in percentage points."""
    return 100 * (check["accuracy_before"] - check["accuracy_after"])


def tables() -> dict[str, str]:
    """Size, time and loss, model by format."""
    paths = [result_path(facts.name) for facts in list_models(per_frame=False)]
    results = [json.loads(path.read_text()) for path in paths if path.exists()]
    cells = {
        "size": lambda check: f"{check['size'] / 1e3:,.0f}",
        "time": lambda check: f"{check['milliseconds']:.1f}",
        "loss": lambda check: f"{points_lost(check):.1f} ({round((1 - check['agreement']) * check['num_clips'])})",
    }
    headings = ("model", "epochs", "accuracy", *FORMATS)
    return {
        name: markdown_table(headings, [table_row(result, cell) for result in results]) for name, cell in cells.items()
    }


def table_row(result: dict[str, Any], cell: Callable[[dict[str, Any]], str]) -> list[str]:
    """A model's accuracy and epochs, and what there is of each format; a dash where it has none."""
    cells = ["-" if "refused" in check else cell(check) for check in result["formats"].values()]
    return [result["model"], str(result["epochs"]), f"{result['accuracy']:.1%}", *cells]


if __name__ == "__main__":
    main()
