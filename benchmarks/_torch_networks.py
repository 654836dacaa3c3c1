"""The zoo's networks as PyTorch's users write them: what `training.py` measures against. Needs `pip install torch`."""

import itertools
from collections.abc import Callable

import torch
from torch import nn

from kerasr.models.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE

TIME, FEATURES = REFERENCE_SHAPE


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
