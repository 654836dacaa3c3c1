"""What CTC's loss and its gradient cost a batch, by the kernel of sparse labels and by Keras's loss.

    python benchmarks/ctc.py            a minute; nothing else should run
    python benchmarks/ctc.py --table    print what has been measured

A batch of 16 clips of 150 outputs, 29 of them, with 10 to 40 tokens each; medians of rounds in turns, on one thread.
Results go to benchmarks/results/ctc.json.
"""

import argparse
import json
import os
import statistics
import time
from typing import Any

# Before TensorFlow starts its threads.
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import numpy as np
import tensorflow as tf
from _parts import RESULTS, markdown_table, print_tables, write_result

from kerasr.core.provenance import provenance
from kerasr.layers import ctc_loss

ROUNDS = 30
PATH = RESULTS / "ctc.json"
WAYS = {"sparse": "kerasr's, by TensorFlow's kernel of sparse labels", "dense": "`keras.ops.ctc_loss`"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="measure nothing, print what has been measured")
    if not parser.parse_args().table:
        write_result(PATH, {"milliseconds": measure(), **provenance()})
    print_tables(tables())


def measure() -> dict[str, float]:
    """Median milliseconds of loss and gradient, each way."""
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.standard_normal((16, 150, 29)).astype("float32"))
    lengths = rng.integers(10, 41, 16).astype("int32")
    tokens = np.where(np.arange(40) < lengths[:, None], rng.integers(1, 29, (16, 40)), -1).astype("int32")

    def gradient(sparse: bool) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = tf.reduce_sum(ctc_loss(logits, tokens, lengths, sparse=sparse))
        return tape.gradient(loss, logits)

    functions = {name: tf.function(lambda sparse=name == "sparse": gradient(sparse)) for name in WAYS}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(ROUNDS + 3):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            if number >= 3:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: round(statistics.median(taken), 2) for name, taken in times.items()}


def tables() -> dict[str, str]:
    """Milliseconds a batch."""
    found = json.loads(PATH.read_text())["milliseconds"]
    rows = [(what, f"{found[name]:.1f}") for name, what in WAYS.items()]
    return {"all": markdown_table(("loss and gradient of a batch", "ms"), rows)}


if __name__ == "__main__":
    main()
