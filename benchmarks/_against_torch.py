"""What `training.py` and `training_sentences.py` share: steps in PyTorch, and ways of training that take turns."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
import torch
from torch import nn

# PyTorch's threads spin for some milliseconds after its step, on the next way's time; after a longer pause they would
# sleep and PyTorch's own next step begin late (TCResNet8: 0.77 without a pause, 0.90 with this, 1.5 with 0.2 s).
PAUSE_SECONDS = 0.02
Step = Callable[[], object]
# An optimiser of PyTorch loads Triton, which a processor has no use for: its LLVM and TensorFlow's end the process.
sys.modules["triton"] = None  # pyright: ignore[reportArgumentType]


def prepare(threads: int, seed: int) -> None:
    """The same threads and seed for both frameworks; before either has computed anything."""
    keras.utils.set_random_seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def torch_step(network: nn.Module, parameters: int, loss: Callable[[], torch.Tensor]) -> Step:
    """One step of the usual loop in PyTorch, on a network that has as many parameters as ours."""
    # PyTorch's LSTM has a second bias, which adds to the first. That of its GRU does not, and Keras has it too.
    lstms = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    twice = sum(value.numel() for lstm in lstms for key, value in lstm.named_parameters() if "bias_hh" in key)
    found = sum(value.numel() for value in network.parameters()) - twice
    assert found == parameters, f"ours has {parameters} parameters, and {type(network).__name__} {found}"
    optimizer = torch.optim.Adam(network.parameters())

    def step() -> float:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value.item()

    return step


def take_turns(ways: Mapping[str, Step], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds of each way's steps, in turn, so that all see the machine in the same moods; three rounds at least."""
    for step in ways.values():
        step(), step()
    times: dict[str, list[float]] = {way: [] for way in ways}
    started = time.perf_counter()
    for number in range(rounds):
        if number >= 3 and time.perf_counter() - started >= seconds:
            break
        for way, step in ways.items():
            time.sleep(PAUSE_SECONDS)
            begun = time.perf_counter()
            step()
            times[way].append(time.perf_counter() - begun)
    return times


def compared(times: Mapping[str, list[float]], batch_size: int) -> dict[str, Any]:
    """Each way's speed, and the median over the rounds of PyTorch's time by its own."""
    paired = {
        way: [theirs / ours for theirs, ours in zip(times["torch"], taken, strict=True)] for way, taken in times.items()
    }
    return {
        "batch_size": batch_size,
        "rounds": len(times["torch"]),
        "examples_per_second": {way: batch_size / statistics.median(taken) for way, taken in times.items()},
        "times_torch": {way: statistics.median(ratios) for way, ratios in paired.items()},
        "fastest_step_seconds": {way: min(taken) for way, taken in times.items()},
    }


def settings(threads: int, seed: int) -> dict[str, Any]:
    """What a result says of its machine beside the provenance; a busy one is told at once."""
    load = os.getloadavg()[0]
    if load > threads + 1:
        print(
            f"the machine was busy (load {load:.1f}): PyTorch's threads wait for each other, so its times mean nothing"
        )
    return {"torch": torch.__version__, "threads": threads, "seed": seed, "load": round(load, 1)}
