"""What listening costs: real-time factor and the time that 100 ms of sound take, on one thread, front-end included.

    python benchmarks/streaming.py                           the default model, the preset, and all that carry a state
    python benchmarks/streaming.py --models CRNN Conv1DLSTM  some of them

Each model hears half a minute of noise at 8 kHz in chunks of 100 ms, as `python -m kerasr.listen` does: by TensorFlow,
and by LiteRT as float32 and with its weights in 8 bits. A model that carries its state is measured so, and in windows
that move on by 100 ms; others in windows. Weights are untrained but for the preset's: what they hold costs no time.
Writes benchmarks/results/streaming.json.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from _parts import markdown_table, print_tables, write_result

from kerasr.config import FORMAT, to_json
from kerasr.core.provenance import provenance
from kerasr.exporters import export_litert
from kerasr.models.from_waveform import attach_front_ends
from kerasr.models.registry import builder, model_facts
from kerasr.presets import preset_folder
from kerasr.runs.run import Run, load_run
from kerasr.streaming.listener import Listener, StreamModel, open_stream_model

RESULTS = Path(__file__).parent / "results" / "streaming.json"
PRESET = "digits"
# The default of `python -m kerasr.train`, then what carries a state.
MODELS = ("ResidualCNN", "Conv1DLSTM", "StackedLSTM", "CRNN", "TCResNet8", "TCResNet14")
SECONDS = 30.0
CHUNK_SECONDS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=(*MODELS, PRESET), help="which to measure")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rows = []
    for name in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(load_run(PRESET) if name == PRESET else untrained(name, Path(folder)), name, Path(folder))
    write_result(RESULTS, {"rows": rows, **provenance()})
    print_tables(tables())


def untrained(name: str, folder: Path) -> Run:
    """A run of the preset's words and front-end, with the weights that another model begins with."""
    path = folder / "run"
    shutil.copytree(preset_folder(PRESET) or "", path, ignore=shutil.ignore_patterns("card.md", "model.keras"))
    facts = model_facts(name)
    options = {**facts.options, **(facts.stream_options or {})}
    preset = load_run(PRESET)
    config = preset.config.replace(model=name, model_options=options, tta_speeds=(1.0,))
    (path / "config.json").write_text(json.dumps(to_json(config)))
    (path / "run.json").write_text(json.dumps({**preset.facts, "format": FORMAT}))
    (path / "manifest.csv").write_text((path / "manifest.csv").read_text().splitlines()[0] + "\n")
    run = load_run(path)
    network = builder(name)(run.config.features.shape, run.recognition.output.size, **options)
    attach_front_ends(run.front_ends, network).save(path / "model.keras")
    return run


def measure(run: Run, name: str, folder: Path) -> list[dict[str, Any]]:
    """A row for each way in which the run can be heard."""
    paths = {"TensorFlow": str(run.path)}
    streams = model_facts(run.config.model.name).stream_options is not None
    for quantize in ("none", "dynamic"):
        file, _ = export_litert(
            run, folder / f"{quantize}.tflite", quantize=quantize, stream=streams, least_agreement=0
        )
        paths["LiteRT" if quantize == "none" else "LiteRT, 8-bit weights"] = str(file)
    rows = []
    for runtime, path in paths.items():
        for carry_state in (False, True) if streams else (False,):
            row = {"model": name, "runtime": runtime, "heard": "state" if carry_state else "windows"}
            print(", ".join(row.values()), flush=True)
            rows.append(row | listen(open_stream_model(path, carry_state=carry_state)))
    return rows


def listen(stream_model: StreamModel) -> dict[str, float]:
    """Real-time factor over all chunks, and milliseconds of one that an answer came from."""
    listener, size = Listener(stream_model), round(CHUNK_SECONDS * stream_model.sample_rate)
    sound = 0.01 * np.random.default_rng(0).standard_normal(round(SECONDS * stream_model.sample_rate)).astype("float32")
    # The first answers bring what is made once, for chunks of this size.
    for start in range(0, 2 * stream_model.window, size):
        list(listener.answer(sound[start : start + size]))
    times = []
    for start in range(0, len(sound) - size + 1, size):
        begun = time.perf_counter()
        list(listener.answer(sound[start : start + size]))
        times.append(time.perf_counter() - begun)
    return {
        "real_time_factor": sum(times) / (len(times) * CHUNK_SECONDS),
        "median_ms": 1e3 * statistics.median(times),
        "p95_ms": 1e3 * float(np.quantile(times, 0.95)),
    }


def tables() -> dict[str, str]:
    """A line a model, the real-time factor and the median time of 100 ms in each way of running it."""
    rows = json.loads(RESULTS.read_text())["rows"]
    ways = list(dict.fromkeys((row["runtime"], row["heard"]) for row in rows))
    cells = {
        (row["model"], row["runtime"], row["heard"]): f"{row['real_time_factor']:.4f} ({row['median_ms']:.2f} ms)"
        for row in rows
    }
    models = dict.fromkeys(row["model"] for row in rows)
    headings = ("model", *(f"{runtime}, {heard}" for runtime, heard in ways))
    return {
        "all": markdown_table(headings, [(model, *(cells.get((model, *way), "-") for way in ways)) for model in models])
    }


if __name__ == "__main__":
    main()
