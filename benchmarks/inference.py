"""What it costs to ask a run: one clip from Python, and the command from nothing.

    python benchmarks/inference.py            both, three minutes; nothing else should run
    python benchmarks/inference.py --table    print what has been measured

`Run.predict` on a waveform is timed beside the compiled model alone on the same waveform, in turns. The command is
`python -m kerasr.predict PRESET clip.wav` in a process of its own, in turns with processes that only import TensorFlow
or Keras. Medians; results go to benchmarks/results/inference.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _parts import RESULTS, markdown_table, print_tables, write_result

import kerasr
from kerasr import audio
from kerasr.core.provenance import provenance

CLIP_ROUNDS, PROCESS_ROUNDS = 200, 7
PATH = RESULTS / "inference.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="measure nothing, print what has been measured")
    if not parser.parse_args().table:
        clips = {preset: time_clip(preset) for preset in kerasr.list_presets(voices=False)}
        write_result(PATH, {"one_clip_ms": clips, "process_seconds": time_processes(), **provenance()})
    print_tables(tables())


def time_clip(preset: str) -> dict[str, float]:
    """Milliseconds of the compiled model and of `Run.predict`, for a second of noise."""
    run = kerasr.from_preset(preset)
    waveform = noise(run)
    clip, num_samples = waveform[None], np.array([len(waveform)], np.int32)
    model = run.compiled.model
    return medians(
        {
            "compiled": lambda: model.predict_on_batch([clip, num_samples]),
            "predict": lambda: run.predict(waveform),
        },
        CLIP_ROUNDS,
        1000,
    )


def time_processes() -> dict[str, float]:
    """Seconds from the start of a process to its end."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "clip.wav")
        run = kerasr.from_preset("digits")
        audio.write(clip, noise(run), run.config.features.sample_rate)
        commands = {
            "import tensorflow": ("-c", "import tensorflow"),
            "import keras": ("-c", "import keras"),
            "kerasr.predict": ("-m", "kerasr.predict", "digits", str(clip)),
        }
        return medians({name: lambda args=args: start(*args) for name, args in commands.items()}, PROCESS_ROUNDS, 1)


def noise(run: kerasr.Run) -> np.ndarray:
    rate = run.config.features.sample_rate
    return np.random.default_rng(0).normal(0, 0.1, rate).astype("float32")


def start(*arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)


def medians(ways: dict[str, Callable[[], Any]], rounds: int, unit: float) -> dict[str, float]:
    """Median time of each way, in turns; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, work in ways.items():
            began = time.perf_counter()
            work()
            times[name].append(unit * (time.perf_counter() - began))
    return {name: round(statistics.median(found[1:]), 3) for name, found in times.items()}


def tables() -> dict[str, str]:
    """A clip by each preset, and a process by what it does."""
    result = json.loads(PATH.read_text())
    clips = [
        (preset, f"{found['compiled']:.2f}", f"{found['predict']:.2f}", f"{found['predict'] / found['compiled']:.2f}")
        for preset, found in result["one_clip_ms"].items()
    ]
    processes = [(name, f"{seconds:.2f}") for name, seconds in result["process_seconds"].items()]
    return {
        "clip": markdown_table(("preset", "compiled model, ms a clip", "Run.predict, ms a clip", "ratio"), clips),
        "process": markdown_table(("process", "seconds"), processes),
    }


if __name__ == "__main__":
    main()
