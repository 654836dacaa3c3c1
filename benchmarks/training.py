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
    from _against_torch import prepare, settings

    prepare(arguments.threads, arguments.seed)
    batch = random_batch(arguments.batch_size, arguments.seed)
    rows = []
    for name in arguments.models:
        rows.append(measure(name, batch, arguments.rounds, arguments.seconds))
        print(name, rows[-1]["times_torch"], flush=True)
    machine = settings(arguments.threads, arguments.seed)
    write_result(RESULTS, {**provenance(), **machine, "rows": rows})
    print_tables(tables())


def random_batch(size: int, seed: int) -> Batch:
    """Features of clips that fill a third of the time or more, their frames, their labels."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(size, TIME, FEATURES)).astype("float32")
    num_frames = rng.integers(TIME // 3, TIME + 1, size)
    features[np.arange(TIME) >= num_frames[:, None]] = 0
    return features, num_frames, rng.integers(0, REFERENCE_OUTPUTS, size)


def measure(name: str, batch: Batch, rounds: int, seconds: float) -> dict[str, Any]:
    """Speed of each way of training a model, in turn."""
    from _against_torch import compared, take_turns

    ways = {"torch": torch_way(name, batch)}
    ways["kerasr"] = keras_step(builder(name)(REFERENCE_SHAPE, REFERENCE_OUTPUTS), batch)
    if "implementation" in model_facts(name).options:
        ways["kerasr_xla"] = keras_step(builder(name)(REFERENCE_SHAPE, REFERENCE_OUTPUTS), batch, xla=True)
    if name == "StackedLSTM":
        ways["keras"] = keras_step(masked_keras_lstm(), batch)
        ways["keras_xla"] = keras_step(masked_keras_lstm(), batch, xla=True)
    return {"model": name, **compared(take_turns(ways, rounds, seconds), len(batch[0]))}


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
    model.compile("adam", loss, jit_compile=xla)
    features, labels = tf.constant(batch[0]), tf.constant(batch[2])
    return lambda: model.train_on_batch(features, labels)


def masked_keras_lstm() -> keras.Model:
    """StackedLSTM as Keras alone gives it."""
    features = keras.Input(REFERENCE_SHAPE)
    x = keras.layers.Masking()(features)
    x = keras.layers.LSTM(256, return_sequences=True)(x)
    x = keras.layers.LSTM(256)(x)
    return keras.Model(features, keras.layers.Dense(REFERENCE_OUTPUTS)(x))


def torch_way(name: str, batch: Batch) -> Callable[[], object]:
    """One step of PyTorch."""
    import torch
    from _against_torch import torch_step
    from _torch_networks import TORCH

    network = TORCH[name]()
    features, num_frames, labels = (torch.from_numpy(values) for values in batch)
    parameters = next(facts.parameters for facts in list_models(per_frame=False) if facts.name == name)
    return torch_step(
        network, parameters, lambda: torch.nn.functional.cross_entropy(network(features, num_frames), labels)
    )


if __name__ == "__main__":
    main()
