"""Speed of training: examples a second of one step, for each model, against the same network in PyTorch.

    python benchmarks/training.py                            all models, about 15 minutes on 2 cores
    python benchmarks/training.py --models StackedLSTM       one of them

One step is forward, backward and Adam on one batch of float32 features of the default clip (97 frames x 40 log-mels),
each with silence after it. The ways take turns, step by step, in one process with the same number of threads; a ratio
is the median over the rounds of PyTorch's time by ours. PyTorch runs each network as its users write it; its LSTM runs
over the padding, which is quicker than packed sequences here. "Keras" is `keras.layers.LSTM` under a mask, without
kerasr's loop. Run it on an otherwise idle machine. Needs `pip install torch`. Writes benchmarks/results/training.json.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from _parts import markdown_table, print_tables, write_result

from kerasr.core.provenance import provenance
from kerasr.layers import fuse_batch_norms
from kerasr.models.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE, builder, list_models, model_facts

RESULTS = Path(__file__).parent / "results" / "training.json"
TIME, FEATURES = REFERENCE_SHAPE
WAYS = {"kerasr": "kerasr", "kerasr_xla": "kerasr, XLA", "keras": "Keras's own LSTM", "keras_xla": "Keras's own, XLA"}
LEARNING_RATE = 1e-3
# PyTorch's threads spin for some milliseconds after its step, on the next way's time; after a longer pause they would
# sleep and PyTorch's own next step begin late (TCResNet8: 0.77 without a pause, 0.90 with this, 1.5 with 0.2 s).
PAUSE_SECONDS = 0.02
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    names = [facts.name for facts in list_models(per_frame=False)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names, help="models to measure")
    parser.add_argument("--batch-size", type=int, default=64, help="clips a step")
    parser.add_argument("--rounds", type=int, default=30, help="most times that each way is measured")
    parser.add_argument("--seconds", type=float, default=90, help="start no further round of a model after this long")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of both frameworks")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the clips")
    arguments = parser.parse_args()
    import torch

    keras.utils.set_random_seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    batch = random_batch(arguments.batch_size, arguments.seed)
    rows = []
    for name in arguments.models:
        rows.append(measure(name, batch, arguments.rounds, arguments.seconds))
        print(name, rows[-1]["times_torch"], flush=True)
    load = os.getloadavg()[0]
    settings = {
        "torch": torch.__version__,
        "threads": arguments.threads,
        "seed": arguments.seed,
        "load": round(load, 1),
    }
    write_result(RESULTS, {**provenance(), **settings, "rows": rows})
    print_tables(tables())
    if load > arguments.threads + 1:
        print(
            f"the machine was busy (load {load:.1f}): PyTorch's threads wait for each other, so its times mean nothing"
        )


def random_batch(size: int, seed: int) -> Batch:
    """Features of clips that fill a third of the time or more, their frames, their labels."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(size, TIME, FEATURES)).astype("float32")
    num_frames = rng.integers(TIME // 3, TIME + 1, size)
    features[np.arange(TIME) >= num_frames[:, None]] = 0
    return features, num_frames, rng.integers(0, REFERENCE_OUTPUTS, size)


def measure(name: str, batch: Batch, rounds: int, seconds: float) -> dict[str, Any]:
    """Speed of each way of training a model, in turn, so that all see the machine in the same moods."""
    ways = {"torch": torch_step(name, batch)}
    ways["kerasr"] = keras_step(builder(name)(REFERENCE_SHAPE, REFERENCE_OUTPUTS), batch)
    if "implementation" in model_facts(name).options:
        ways["kerasr_xla"] = keras_step(builder(name)(REFERENCE_SHAPE, REFERENCE_OUTPUTS), batch, xla=True)
    if name == "StackedLSTM":
        ways["keras"] = keras_step(masked_keras_lstm(), batch)
        ways["keras_xla"] = keras_step(masked_keras_lstm(), batch, xla=True)
    for step in ways.values():
        step(), step()
    times: dict[str, list[float]] = {way: [] for way in ways}
    started = time.perf_counter()
    while len(times["torch"]) < rounds and (time.perf_counter() - started < seconds or len(times["torch"]) < 3):
        for way, step in ways.items():
            time.sleep(PAUSE_SECONDS)
            begun = time.perf_counter()
            step()
            times[way].append(time.perf_counter() - begun)
    paired = {
        way: [theirs / ours for theirs, ours in zip(times["torch"], taken, strict=True)] for way, taken in times.items()
    }
    return {
        "model": name,
        "batch_size": len(batch[0]),
        "rounds": len(times["torch"]),
        "examples_per_second": {way: len(batch[0]) / statistics.median(taken) for way, taken in times.items()},
        "times_torch": {way: statistics.median(ratios) for way, ratios in paired.items()},
        "fastest_step_seconds": {way: min(taken) for way, taken in times.items()},
    }


def tables() -> dict[str, str]:
    """Examples a second of each way of training a model, PyTorch's being 1."""
    rows = json.loads(RESULTS.read_text())["rows"]
    cells = [[f"{row['times_torch'][way]:.2f}" if way in row["times_torch"] else "" for way in WAYS] for row in rows]
    return {
        "all": markdown_table(
            ("model", *WAYS.values()), [[row["model"], *mine] for row, mine in zip(rows, cells, strict=True)]
        )
    }


def keras_step(model: keras.Model, batch: Batch, *, xla: bool = False) -> Callable[[], object]:
    """One step of Keras's own training loop."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fuse_batch_norms(model, not xla)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss, jit_compile=xla)
    features, labels = tf.constant(batch[0]), tf.constant(batch[2])
    return lambda: model.train_on_batch(features, labels)


def masked_keras_lstm() -> keras.Model:
    """StackedLSTM as Keras alone gives it."""
    features = keras.Input(REFERENCE_SHAPE)
    x = keras.layers.Masking()(features)
    x = keras.layers.LSTM(256, return_sequences=True)(x)
    x = keras.layers.LSTM(256)(x)
    return keras.Model(features, keras.layers.Dense(REFERENCE_OUTPUTS)(x))


def torch_step(name: str, batch: Batch) -> Callable[[], object]:
    """One step of the usual loop in PyTorch, on a network that has as many parameters as ours."""
    import torch
    from _torch_networks import TORCH
    from torch import nn

    network = TORCH[name]()
    # PyTorch's LSTM has a second bias, which adds to the first. That of its GRU does not, and Keras has it too.
    lstms = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    twice = sum(value.numel() for lstm in lstms for key, value in lstm.named_parameters() if "bias_hh" in key)
    parameters = sum(value.numel() for value in network.parameters()) - twice
    expected = next(facts.parameters for facts in list_models(per_frame=False) if facts.name == name)
    assert parameters == expected, f"{name} has {expected} parameters, and its counterpart {parameters}"
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    features, num_frames, labels = (torch.from_numpy(values) for values in batch)

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(features, num_frames), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
