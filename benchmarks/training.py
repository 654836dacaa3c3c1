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
import itertools
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
import torch
from torch import nn

from kerasr.core.provenance import provenance
from kerasr.layers import fuse_batch_norms
from kerasr.models.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE, builder, list_models, model_facts

RESULTS = Path(__file__).parent / "results" / "training.json"
TIME, FEATURES = REFERENCE_SHAPE
LEARNING_RATE = 1e-3
# PyTorch's threads spin for some milliseconds after its step, on the next way's time; after a longer pause they would
# sleep and PyTorch's own next step begin late (TCResNet8: 0.77 without a pause, 0.90 with this, 1.5 with 0.2 s).
PAUSE_SECONDS = 0.02
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    names = [facts.name for facts in list_models()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names, help="models to measure")
    parser.add_argument("--batch-size", type=int, default=64, help="clips a step")
    parser.add_argument("--rounds", type=int, default=30, help="most times that each way is measured")
    parser.add_argument("--seconds", type=float, default=90, help="start no further round of a model after this long")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of both frameworks")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the clips")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    batch = random_batch(arguments.batch_size, arguments.seed)
    rows = []
    print("examples a second (times PyTorch)\n| model | PyTorch | kerasr | kerasr, XLA | Keras | Keras, XLA | rounds |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.models:
        rows.append(measure(name, batch, arguments.rounds, arguments.seconds))
        print_row(rows[-1])
    RESULTS.parent.mkdir(exist_ok=True)
    load = os.getloadavg()[0]
    settings = {
        "torch": torch.__version__,
        "threads": arguments.threads,
        "seed": arguments.seed,
        "load": round(load, 1),
    }
    RESULTS.write_text(json.dumps({**provenance(), **settings, "rows": rows}, indent=2) + "\n")
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


def print_row(row: dict[str, Any]) -> None:
    speeds, ratios = row["examples_per_second"], row["times_torch"]
    cells = [
        f"{speeds[way]:,.0f} ({ratios[way]:.2f})" if way in speeds else ""
        for way in ("kerasr", "kerasr_xla", "keras", "keras_xla")
    ]
    print(f"| {row['model']} | {speeds['torch']:,.0f} | {' | '.join(cells)} | {row['rounds']} |", flush=True)


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
    network = TORCH[name]()
    # PyTorch's LSTM has a second bias, which adds to the first. That of its GRU does not, and Keras has it too.
    lstms = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    twice = sum(value.numel() for lstm in lstms for key, value in lstm.named_parameters() if "bias_hh" in key)
    parameters = sum(value.numel() for value in network.parameters()) - twice
    expected = next(facts.parameters for facts in list_models() if facts.name == name)
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


class TorchConv1DLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(FEATURES, 64, 3, padding=1)
        self.lstm = nn.LSTM(64, 64, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, REFERENCE_OUTPUTS))

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        x = self.conv(features.transpose(1, 2)).relu()
        x = nn.functional.max_pool1d(x * inside(num_frames)[:, None], 2, ceil_mode=True)
        states, _ = self.lstm(x.transpose(1, 2))
        return self.head(last(states, (num_frames + 1) // 2))


class TorchStackedLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, 256, 2, batch_first=True)
        self.head = nn.Linear(256, REFERENCE_OUTPUTS)

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        return self.head(last(self.lstm(features)[0], num_frames))


class TorchResidualCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *conv_norm(1, 32, 3, 2), nn.ReLU(), *conv_norm(32, 64, 3, 2), nn.ReLU(), *conv_norm(64, 128, 3, 2)
        )
        pool = nn.AvgPool2d(8, ceil_mode=True)
        self.shortcut = nn.Sequential(pool, *conv_norm(1, 128, 1, 1))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(128 * -(-FEATURES // 8), REFERENCE_OUTPUTS))

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        image = features[:, None]
        x = (self.body(image) + self.shortcut(image)).relu()
        return self.head(x.amax(2).flatten(1))


class TorchResNet(nn.Module):
    def __init__(self, blocks: tuple[int, ...], *, bottleneck: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [*conv_norm(1, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        channels = 64
        for stage, (filters, count) in enumerate(zip((64, 128, 256, 512), blocks, strict=True)):
            for index in range(count):
                layers.append(TorchBlock(channels, filters, 2 if stage and not index else 1, bottleneck))
                channels = filters * (4 if bottleneck else 1)
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, REFERENCE_OUTPUTS)

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(features[:, None]).mean((2, 3)))


class TorchBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        if bottleneck:
            first = [*conv_norm(channels, filters, 1, 1), nn.ReLU(), *conv_norm(filters, filters, 3, stride), nn.ReLU()]
            outputs, last_conv = 4 * filters, conv_norm(filters, 4 * filters, 1, 1)
        else:
            first = [*conv_norm(channels, filters, 3, stride), nn.ReLU()]
            outputs, last_conv = filters, conv_norm(filters, filters, 3, 1)
        self.body = nn.Sequential(*first, *last_conv)
        same = stride == 1 and channels == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(channels, outputs, 1, stride))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.body(x) + self.shortcut(x)).relu()


class TorchResNet8(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        blocks = [TorchBlock8(before, after) for before, after in ((32, 32), (32, 64), (64, 96))]
        self.body = nn.Sequential(*conv_norm(1, 32, 5, 2), nn.ReLU(), *blocks)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(192, REFERENCE_OUTPUTS))

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        x = self.body(features[:, None])
        return self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))


class TorchBlock8(TorchBlock):
    """A basic block whose shortcut averages the cells that it leaves out."""

    def __init__(self, channels: int, filters: int) -> None:
        same = channels == filters
        super().__init__(channels, filters, 1 if same else 2, bottleneck=False)
        if not same:
            self.shortcut = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), *conv_norm(channels, filters, 1, 1))


class TorchBCResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [*conv_norm(1, 16, 5, (2, 1)), nn.ReLU()]
        channels = 16
        for stage, (count, filters) in enumerate(((2, 8), (2, 12), (4, 16), (4, 20))):
            for index in range(count):
                stride = 2 if stage in (1, 2) and not index else 1
                layers.append(TorchBCBlock(channels, filters, stride, 2**stage))
                channels = filters
        head = [nn.Conv2d(20, 20, 5, padding=(0, 2), groups=20, bias=False), *conv_norm(20, 32, 1, 1), nn.ReLU()]
        self.body = nn.Sequential(*layers, *head)
        self.head = nn.Linear(32, REFERENCE_OUTPUTS)

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(features.transpose(1, 2)[:, None]).mean((2, 3)))


class TorchBCBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.same = channels == filters
        self.change = nn.Identity() if self.same else nn.Sequential(*conv_norm(channels, filters, 1, 1), nn.ReLU())
        self.over_features = nn.Conv2d(filters, filters, (3, 1), (stride, 1), (1, 0), groups=filters, bias=False)
        self.norm = nn.BatchNorm2d(5 * filters)
        self.over_time = nn.Sequential(
            nn.Conv2d(filters, filters, (1, 3), 1, (0, dilation), (1, dilation), groups=filters, bias=False),
            nn.BatchNorm2d(filters),
            nn.SiLU(),
            nn.Conv2d(filters, filters, 1, bias=False),
            nn.Dropout2d(0.1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.over_features(self.change(x))
        batch, filters, bands, time = y.shape
        y = self.norm(y.reshape(batch, 5 * filters, bands // 5, time)).reshape(y.shape)
        y = y + self.over_time(y.mean(2, keepdim=True))
        return (x + y if self.same else y).relu()


class TorchTCResNet(nn.Module):
    def __init__(self, filters: tuple[int, ...]) -> None:
        super().__init__()
        blocks = [TorchTCBlock(before, after) for before, after in itertools.pairwise(filters)]
        self.body = nn.Sequential(*conv_norm_1d(FEATURES, filters[0], 3, 1), nn.ReLU(), *blocks)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(filters[-1], REFERENCE_OUTPUTS, bias=False))

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(features.transpose(1, 2)).mean(2))


class TorchTCBlock(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        same = channels == filters
        stride = 1 if same else 2
        first = conv_norm_1d(channels, filters, 9, stride)
        self.body = nn.Sequential(*first, nn.ReLU(), *conv_norm_1d(filters, filters, 9, 1))
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm_1d(channels, filters, 1, stride), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.body(x) + self.shortcut(x)).relu()


class TorchDSCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2), nn.BatchNorm2d(64), nn.ReLU()]
        layers.append(nn.Dropout(0.2))
        for _ in range(4):
            depthwise, pointwise = nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.Conv2d(64, 64, 1)
            for conv in (depthwise, pointwise):
                layers += [conv, nn.BatchNorm2d(64), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Dropout(0.4))
        self.head = nn.Linear(64, REFERENCE_OUTPUTS)

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(features[:, None]).mean((2, 3)))


class TorchMatchboxNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(*separable(FEATURES, 128, 11), nn.ReLU())
        channels = (128, 64, 64)
        self.blocks = nn.ModuleList(
            nn.Sequential(*separable(before, 64, size)) for before, size in zip(channels, (13, 15, 17), strict=True)
        )
        self.shortcuts = nn.ModuleList(nn.Sequential(*conv_norm_1d(before, 64, 1, 1)) for before in channels)
        last = [*separable(64, 128, 29, 2), nn.ReLU(), *conv_norm_1d(128, 128, 1, 1), nn.ReLU()]
        self.last = nn.Sequential(*last)
        self.head = nn.Linear(128, REFERENCE_OUTPUTS)

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        x = self.first(features.transpose(1, 2))
        for block, shortcut in zip(self.blocks, self.shortcuts, strict=True):
            x = (block(x) + shortcut(x)).relu()
        return self.head(self.last(x).mean(2))


class TorchCRNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.ZeroPad2d((1, 3, 6, 13)), nn.Conv2d(1, 32, (20, 5), (8, 2)), nn.ReLU())
        self.gru = nn.GRU(32 * -(-FEATURES // 2), 32, 2, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(64 * -(-TIME // 8), 64), nn.ReLU(), nn.Linear(64, REFERENCE_OUTPUTS))

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        frames = self.conv(features[:, None]).permute(0, 2, 3, 1).flatten(2)
        return self.head(self.gru(frames)[0].flatten(1))


class TorchAttRNN(nn.Module):
    def __init__(self, rnn: type[nn.LSTM] | type[nn.GRU], units: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        convs = [nn.Conv2d(1, 10, (5, 1), padding=(2, 0)), nn.ReLU(), nn.BatchNorm2d(10)]
        self.convs = nn.Sequential(*convs, nn.Conv2d(10, 1, (5, 1), padding=(2, 0)), nn.ReLU(), nn.BatchNorm2d(1))
        self.rnn = rnn(FEATURES, units, 2, batch_first=True, bidirectional=True)
        self.queries = nn.Linear(2 * units, heads * 2 * units)
        dense = [nn.Linear(heads * 2 * units, 64), nn.ReLU(), nn.Linear(64, 32), nn.Linear(32, REFERENCE_OUTPUTS)]
        self.head = nn.Sequential(nn.Dropout(dropout), *dense)

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        states, _ = self.rnn(self.convs(features[:, None])[:, 0])
        queries = self.queries(last(states, num_frames // 2 + 1)).unflatten(1, (self.heads, -1))
        scores = queries @ states.transpose(1, 2)
        scores = scores.masked_fill(inside(num_frames)[:, None] == 0, -torch.inf)
        return self.head((scores.softmax(-1) @ states).flatten(1))


class TorchKWT(nn.Module):
    def __init__(self, heads: int) -> None:
        super().__init__()
        width = 64 * heads
        self.frames = nn.Linear(FEATURES, width)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + TIME, width))
        self.blocks = nn.Sequential(*(TorchKWTBlock(width, heads) for _ in range(12)))
        self.head = nn.Linear(width, REFERENCE_OUTPUTS)

    def forward(self, features: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.token.expand(len(features), -1, -1), self.frames(features)], 1)
        return self.head(self.blocks(x + self.positions)[:, 0])


class TorchKWTBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projections, self.mix = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.attention_norm, self.dense_norm = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.projections(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = self.attention_norm(x + self.mix(attended))
        return self.dense_norm(x + self.dense(x))


def separable(channels: int, filters: int, size: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (size // 2)
    over_time = nn.Conv1d(channels, channels, size, 1, padding, dilation, groups=channels, bias=False)
    return [over_time, *conv_norm_1d(channels, filters, 1, 1)]


def conv_norm(channels: int, filters: int, size: int, stride: int | tuple[int, int]) -> list[nn.Module]:
    return [nn.Conv2d(channels, filters, size, stride, size // 2, bias=False), nn.BatchNorm2d(filters)]


def conv_norm_1d(channels: int, filters: int, size: int, stride: int) -> list[nn.Module]:
    return [nn.Conv1d(channels, filters, size, stride, size // 2, bias=False), nn.BatchNorm1d(filters)]


def inside(num_frames: torch.Tensor) -> torch.Tensor:
    return (torch.arange(TIME) < num_frames[:, None]).float()


def last(states: torch.Tensor, num_frames: torch.Tensor) -> torch.Tensor:
    return states[torch.arange(len(states)), num_frames - 1]


TORCH: dict[str, Callable[[], nn.Module]] = {
    "Conv1DLSTM": TorchConv1DLSTM,
    "StackedLSTM": TorchStackedLSTM,
    "ResNet18": lambda: TorchResNet((2, 2, 2, 2)),
    "ResNet34": lambda: TorchResNet((3, 4, 6, 3)),
    "ResNet50": lambda: TorchResNet((3, 4, 6, 3), bottleneck=True),
    "ResidualCNN": TorchResidualCNN,
    "ResNet8": TorchResNet8,
    "BCResNet": TorchBCResNet,
    "TCResNet8": lambda: TorchTCResNet((16, 24, 32, 48)),
    "TCResNet14": lambda: TorchTCResNet((16, 24, 24, 32, 32, 48, 48)),
    "DSCNN": TorchDSCNN,
    "MatchboxNet": TorchMatchboxNet,
    "CRNN": TorchCRNN,
    "AttRNN": lambda: TorchAttRNN(nn.LSTM, 64, 1, 0.0),
    "MHAttRNN": lambda: TorchAttRNN(nn.GRU, 128, 4, 0.2),
    "KWT1": lambda: TorchKWT(1),
    "KWT2": lambda: TorchKWT(2),
    "KWT3": lambda: TorchKWT(3),
}


if __name__ == "__main__":
    main()
