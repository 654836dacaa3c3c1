"""Where the time of a training step goes, kind of work by kind of work, for each model.

    python benchmarks/step_profile.py                       all models, three minutes on one core
    python benchmarks/step_profile.py --models DSCNN        some of them
    python benchmarks/step_profile.py --traces traces/      keep the traces, for tensorboard --logdir traces/

A step is the one that `benchmarks/training.py` times against PyTorch: forward, backward and Adam on one batch, here on
one thread and in TensorFlow alone, whose profiler watches. Writes benchmarks/results/step_profile.json.
"""

import argparse
import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from _parts import markdown_table, print_tables, write_result

# TensorFlow documents no other way to read a trace without a browser.
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from kerasr.core.provenance import provenance
from kerasr.layers import fuse_batch_norms
from kerasr.models.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE, builder, list_models

RESULTS = Path(__file__).parent / "results" / "step_profile.json"
STEPS = 5

# Kinds of work by what a kernel's name contains; the first that fits counts.
KINDS = {
    "depthwise": ("DepthwiseConv",),
    "convolution": ("Conv2D", "Conv1D", "FusedConv"),
    "batch norm": ("FusedBatchNorm",),
    "matrix product": ("MatMul", "Einsum"),
    "random numbers": ("Random",),
    "sums": ("Sum", "Mean", "Max", "SquaredDifference", "Moments", "Softmax", "BiasAddGrad"),
    "moving": ("Transpose", "Pad", "Slice", "Concat", "Reshape", "Tile", "Gather", "Pack", "TensorList", "ToMkl"),
    "value by value": ("",),
}


def main() -> None:
    names = [facts.name for facts in list_models(per_frame=False)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="MODEL", help="which to watch")
    parser.add_argument("--batch-size", type=int, default=32, help="clips a step (default: %(default)s)")
    parser.add_argument("--traces", type=Path, help="keep each model's trace in a folder of its own in this one")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rows = []
    for name in arguments.models:
        with tempfile.TemporaryDirectory() as aside:
            trace = arguments.traces / name if arguments.traces else Path(aside)
            rows.append(watch(name, arguments.batch_size, trace))
        print(name, flush=True)
    write_result(RESULTS, {**provenance(), "rows": rows})
    print_tables(tables())


def watch(name: str, batch_size: int, trace: Path) -> dict[str, Any]:
    """Milliseconds a clip that a training step spends on each kind of work."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    network = builder(name)(REFERENCE_SHAPE, REFERENCE_OUTPUTS)
    fuse_batch_norms(network)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    features = tf.random.normal((batch_size, *REFERENCE_SHAPE))
    labels = tf.constant(np.arange(batch_size) % REFERENCE_OUTPUTS)
    for _ in range(2):
        network.train_on_batch(features, labels)
    with tf.profiler.experimental.Profile(str(trace)):
        for _ in range(STEPS):
            network.train_on_batch(features, labels)
    spent = dict.fromkeys(KINDS, 0.0) | time_by_kind(trace)
    clips = STEPS * batch_size
    return {
        "model": name,
        "batch_size": batch_size,
        "ms_a_clip": {kind: round(milliseconds / clips, 4) for kind, milliseconds in spent.items()},
    }


def time_by_kind(trace: Path) -> Counter[str]:
    """Milliseconds that TensorFlow's kernels took on this machine's processor, by kind of work."""
    (path,) = trace.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    spent: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # A kernel is called `name of the node:its operation`; whatever else has a colon ends in a space.
                node, _, operation = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if node and not node.endswith(":") and " " not in operation and line.name != "python":
                    spent[kind_of(operation)] += event.duration_ps / 1e9
    return spent


def kind_of(operation: str) -> str:
    """The kind of work that an operation does."""
    return next(kind for kind, marks in KINDS.items() if any(mark in operation for mark in marks))


def tables() -> dict[str, str]:
    """The share of each kind of work in a step of each model."""
    rows = json.loads(RESULTS.read_text())["rows"]
    return {"all": markdown_table(("model", "ms a clip", *KINDS), map(table_row, rows))}


def table_row(row: dict[str, Any]) -> list[str]:
    total = sum(row["ms_a_clip"].values())
    return [
        row["model"],
        f"{total:.2f}",
        *(f"{milliseconds / total:.0%}" for milliseconds in row["ms_a_clip"].values()),
    ]


if __name__ == "__main__":
    main()
