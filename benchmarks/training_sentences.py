"""Speed of training on sentences: a step of each encoder against the same network in PyTorch, and against length.

    python benchmarks/training_sentences.py                          every encoder, about 15 minutes on 2 cores
    python benchmarks/training_sentences.py --models BiLSTMEncoder   one of them
    python benchmarks/training_sentences.py --table                  measure nothing, show what there is

One step is forward, CTC's loss, backward and Adam on one batch of float32 features: 8 clips of 2 to 6 seconds, with
silence after them (64 log-mels, a frame each 10 ms; 6 to 7 tokens a second, of 28). The ways take turns, step by step,
in one process with the same number of threads; a ratio is the median over the rounds of PyTorch's time by ours. PyTorch
runs each network as its users write it (`_torch_encoders.py`), its LSTM and GRU over packed sequences.

Then batches of 8 clips of one length take turns, of 2, 4, 8 and 16 seconds: what a step of ours costs by length.

Run it on an otherwise idle machine. Needs `pip install torch`. Results go to benchmarks/results/training_sentences/, a
file an encoder; what is there is not measured again.
"""

import argparse
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from _parts import RESULTS, markdown_table, print_tables, read_parts, write_result

from kerasr.core.provenance import provenance
from kerasr.layers import fuse_batch_norms
from kerasr.models.registry import builder, list_models
from kerasr.tasks.transcript_losses import CTCLoss

FEATURES, OUTPUTS = 64, 29
FRAMES_A_SECOND = 100
TOKENS_A_SECOND = (6, 7)
BATCH_SECONDS = (2, 6)
LENGTHS = (2, 4, 8, 16)
Batch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    names = [facts.name for facts in list_models(per_frame=True) if not facts.reads_waveform]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="MODEL", help="which to measure")
    parser.add_argument("--again", action="store_true", help="measure what has been measured once more")
    parser.add_argument("--table", action="store_true", help="measure nothing, show what there is")
    parser.add_argument("--batch-size", type=int, default=8, help="clips a step")
    parser.add_argument("--rounds", type=int, default=30, help="most times that each way is measured")
    parser.add_argument("--seconds", type=float, default=60, help="start no further round of turns after this long")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of both frameworks")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the clips")
    parser.add_argument("--results", type=Path, default=RESULTS / "training_sentences", help="where results are kept")
    arguments = parser.parse_args()
    if not arguments.table:
        measure_all(arguments)
    print_tables(tables(arguments.results))


def measure_all(arguments: argparse.Namespace) -> None:
    """Each encoder whose result is not there yet."""
    from _against_torch import prepare, settings

    prepare(arguments.threads, arguments.seed)
    arguments.results.mkdir(parents=True, exist_ok=True)
    for name in arguments.models:
        path = arguments.results / f"{name}.json"
        if arguments.again or not path.exists():
            print(name, flush=True)
            result = {"model": name, **against_torch(name, arguments), **by_length(name, arguments)}
            write_result(path, {**result, **settings(arguments.threads, arguments.seed), **provenance()})


def against_torch(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """A step of ours and one of PyTorch's, in turn."""
    from _against_torch import compared, take_turns

    batch = random_batch(np.linspace(*BATCH_SECONDS, arguments.batch_size), arguments.seed)
    model = new_model(name)
    ways = {"torch": torch_way(name, model, batch), "kerasr": keras_way(model, batch)}
    return compared(take_turns(ways, arguments.rounds, arguments.seconds), arguments.batch_size)


def by_length(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Median milliseconds of a step of ours on clips of each length, in turn."""
    from _against_torch import take_turns

    model = new_model(name)
    lengths = {str(seconds): np.full(arguments.batch_size, seconds) for seconds in LENGTHS}
    ways = {name: keras_way(model, random_batch(seconds, arguments.seed)) for name, seconds in lengths.items()}
    times = take_turns(ways, arguments.rounds, arguments.seconds)
    return {"milliseconds_by_seconds": {name: 1000 * statistics.median(taken) for name, taken in times.items()}}


def random_batch(seconds: np.ndarray, seed: int) -> Batch:
    """Features of clips of so many seconds, their frames, their token ids, -1 past the last, and their number."""
    rng = np.random.default_rng(seed)
    num_frames = np.round(seconds * FRAMES_A_SECOND).astype("int64")
    features = rng.normal(size=(len(seconds), num_frames.max(), FEATURES)).astype("float32")
    features[np.arange(num_frames.max()) >= num_frames[:, None]] = 0
    num_tokens = np.round(seconds * rng.uniform(*TOKENS_A_SECOND, len(seconds))).astype("int64")
    token_ids = rng.integers(1, OUTPUTS, (len(seconds), num_tokens.max()))
    token_ids[np.arange(num_tokens.max()) >= num_tokens[:, None]] = -1
    return features, num_frames, token_ids, num_tokens


def new_model(name: str) -> keras.Model:
    """An encoder that trains as the trainer has it."""
    keras.backend.clear_session()
    model = builder(name)((None, FEATURES), OUTPUTS)
    fuse_batch_norms(model)
    model.compile("adam", CTCLoss(), jit_compile=False)
    return model


def keras_way(model: keras.Model, batch: Batch) -> Callable[[], object]:
    """One step of Keras's own training loop."""
    features, token_ids = tf.constant(batch[0]), tf.constant(batch[2])
    return lambda: model.train_on_batch(features, token_ids)


def torch_way(name: str, model: keras.Model, batch: Batch) -> Callable[[], object]:
    """One step of PyTorch, on the counterpart of ours."""
    import torch
    from _against_torch import torch_step
    from _torch_encoders import TORCH

    network = TORCH[name](FEATURES, OUTPUTS)
    features, num_frames, token_ids, num_tokens = (torch.from_numpy(values) for values in batch)

    def loss() -> torch.Tensor:
        logits, num_outputs = network(features, num_frames)
        log_probs = logits.log_softmax(-1).transpose(0, 1)
        return torch.nn.functional.ctc_loss(log_probs, token_ids, num_outputs, num_tokens)

    return torch_step(network, sum(int(np.prod(weight.shape)) for weight in model.trainable_weights), loss)


def tables(folder: Path = RESULTS / "training_sentences") -> dict[str, str]:
    """Examples a second with PyTorch's being 1, and milliseconds of a step by length; a row an encoder measured."""
    results = read_parts(folder)
    ratios = [
        [result["model"], *(f"{speed:.1f}" for speed in speeds(result)), f"{result['times_torch']['kerasr']:.2f}"]
        for result in results
    ]
    lengths = [
        [result["model"], *(f"{result['milliseconds_by_seconds'][str(seconds)]:,.0f}" for seconds in LENGTHS)]
        for result in results
    ]
    return {
        "all": markdown_table(("encoder", "kerasr, clips a second", "PyTorch, clips a second", "ratio"), ratios),
        "length": markdown_table(("ms a step", *(f"{seconds} s" for seconds in LENGTHS)), lengths),
    }


def speeds(result: dict[str, Any]) -> tuple[float, float]:
    return result["examples_per_second"]["kerasr"], result["examples_per_second"]["torch"]


if __name__ == "__main__":
    main()
