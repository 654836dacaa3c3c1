"""Speed and memory of the data pipeline.

    python benchmarks/pipeline.py                 an epoch of FSDD from WAV files, first and cached, against librosa
    python benchmarks/pipeline.py --memory        peak memory at 1,000 and 100,000 files

The librosa side is the loop that its users write: `librosa.load(sr=None)` and `librosa.feature.mfcc` on each file. Both
sides make 13 MFCCs. The memory side trains a small network for an epoch on 1,000 and on 100,000 files, from the header
scan to the last checkpoint, each in a process of its own; most of the files are hard links to ten clips of half a
second. Writes benchmarks/results/pipeline.json.
"""

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import librosa
import numpy as np
from _parts import markdown_table, print_tables, write_result
from rich.console import Console

from kerasr import audio
from kerasr.audio.features import Features
from kerasr.config import Augmentation, FeatureSpec, TrainConfig
from kerasr.core.provenance import provenance
from kerasr.data import Corpus, Utterance, load_corpus
from kerasr.data.pipeline import Pipeline
from kerasr.data.targets import Targets
from kerasr.training.trainer import train_recipe

RESULTS = Path(__file__).parent / "results" / "pipeline.json"
SPEC = FeatureSpec(kind="mfcc", sample_rate=8000, n_fft=256, win_length=200, hop_length=80)
SIZES = (1_000, 100_000)
WAYS = {
    "librosa": "`librosa.load` and `librosa.feature.mfcc` in a loop",
    "first": "kerasr, from WAV files",
    "cached": "kerasr, once cached",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="times each way is measured")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of speed")
    parser.add_argument("--one-size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_size:
        run_epochs(arguments.one_size)
        return
    found = {"memory": measure_memory()} if arguments.memory else {"speed": measure_speed(arguments.rounds)}
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    write_result(RESULTS, {**before, **provenance(), **found})
    print_tables(tables())


def tables() -> dict[str, str]:
    """An epoch of FSDD in each way."""
    speed = json.loads(RESULTS.read_text())["speed"]
    rows = [
        (name, f"{speed[f'{way}_seconds']:.2f}", f"{speed['librosa_seconds'] / speed[f'{way}_seconds']:.1f}")
        for way, name in WAYS.items()
    ]
    return {"speed": markdown_table((f"an epoch of FSDD, {speed['files']:,} files", "seconds", "times librosa"), rows)}


def figures() -> dict[str, str]:
    """What a hundred times as many files take in memory."""
    memory = json.loads(RESULTS.read_text())["memory"]
    return {"more memory": f"{memory['difference_mb']:.0f}"}


def measure_speed(rounds: int) -> dict[str, float]:
    """Seconds an epoch of FSDD, medians of rounds in which the ways take turns."""
    corpus = load_corpus("fsdd")
    ways: dict[str, list[float]] = {"librosa": [], "first": [], "cached": []}
    for _ in range(rounds):
        ways["librosa"].append(timed(lambda: librosa_epoch([item.path for item in corpus.utterances])))
        with tempfile.TemporaryDirectory() as folder:
            pipeline = make_pipeline(corpus.utterances, corpus, cache_folder=folder)
            ways["first"].append(timed(functools.partial(epoch, pipeline)))
            ways["cached"].append(timed(functools.partial(epoch, pipeline)))
    median = {way: statistics.median(seconds) for way, seconds in ways.items()}
    return {
        "files": len(corpus.utterances),
        **{f"{way}_seconds": round(seconds, 3) for way, seconds in median.items()},
        "first_times_librosa": round(median["librosa"] / median["first"], 2),
        "cached_times_librosa": round(median["librosa"] / median["cached"], 2),
    }


def measure_memory() -> dict[str, float]:
    """Peak memory of a whole training, in MB."""
    peaks = {}
    for size in SIZES:
        command = [sys.executable, __file__, "--one-size", str(size)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks[f"{size}_files_mb"] = float(output.split()[-1])
    return {**peaks, "difference_mb": round(peaks[f"{SIZES[1]}_files_mb"] - peaks[f"{SIZES[0]}_files_mb"], 1)}


def run_epochs(size: int) -> None:
    """Train on `size` files; prints the peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder) / "words", size)
        config = TrainConfig().replace(
            data=f"{folder}/words",
            out=f"{folder}/runs",
            model_options={"width": 0.25},
            features=replace(SPEC, kind="log_mel", clip_seconds=0.5),
            augment=Augmentation(time_shift=0.05, gain_db=3.0),
            epochs=1,
        )
        train_recipe(config, console=Console(stderr=True))
    print(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))


def write_clips(folder: Path, size: int) -> None:
    """`size` recordings in ten word folders: hard links to ten files, which a file system has no trouble to hold."""
    rng = np.random.default_rng(0)
    for word in range(10):
        (folder / f"word{word}").mkdir(parents=True)
        first = folder / f"word{word}" / "0.wav"
        audio.write(first, 0.1 * rng.standard_normal(4000), 8000)
        for number in range(1, size // 10):
            os.link(first, first.with_name(f"{number}.wav"))


def make_pipeline(utterances: Sequence[Utterance], corpus: Corpus, **kwargs) -> Pipeline:
    number = {label: index for index, label in enumerate(corpus.labels)}
    label_index = [number[item.label or ""] for item in utterances]
    return Pipeline(utterances, Targets.one_hot(label_index, len(number)), Features(SPEC), **kwargs)


def epoch(pipeline: Pipeline) -> int:
    return sum(len(features) for features, _ in pipeline.batches())


def librosa_epoch(paths: Sequence[str]) -> int:
    made = 0
    for path in paths:
        waveform, sample_rate = librosa.load(path, sr=None)
        made += len(
            librosa.feature.mfcc(y=waveform, sr=sample_rate, n_mfcc=13, n_fft=256, win_length=200, hop_length=80)
        )
    return made


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
