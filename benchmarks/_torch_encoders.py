"""The encoders of sentences as PyTorch's users write them: what `training_sentences.py` measures against.

Each has its counterpart's architecture, parameters and dropout. Padding is masked as is usual there: recurrent layers
run over packed sequences (one that reads backwards would begin in the padding otherwise), attention is told which keys
are padding, convolutions are given zeros for it, and batch norms count it. Needs `pip install torch`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

BASE = 10000.0


class TorchBiLSTMEncoder(nn.Module):
    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.front = Subsample(num_features, 32)
        self.norms = nn.ModuleList([nn.LayerNorm(self.front.width), nn.LayerNorm(384)])
        self.lstms = nn.ModuleList([nn.LSTM(width, 192, bidirectional=True) for width in (self.front.width, 384)])
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(384, num_outputs)

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        x, num_frames = self.front(features, num_frames)
        for norm, lstm in zip(self.norms, self.lstms, strict=True):
            x = self.dropout(both_ways(lstm, norm(x), num_frames))
        return self.head(x), num_frames


class TorchDeepSpeech2(nn.Module):
    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        sizes = ((1, (11, 41)), (32, (11, 21)))
        self.convs = nn.ModuleList([ConvNorm(channels, 32, size, (2, 2)) for channels, size in sizes])
        widths = (32 * -(-num_features // 4), 192, 192)
        self.norms = nn.ModuleList([nn.BatchNorm1d(192) for _ in widths])
        self.grus = nn.ModuleList([nn.GRU(width, 192, bidirectional=True) for width in widths])
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(192, num_outputs)

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        x = features[:, None]
        for conv in self.convs:
            num_frames = halved(num_frames)
            x = nn.functional.hardtanh(conv(x, num_frames), 0, 20)
        x = as_frames(x)
        for gru, norm in zip(self.grus, self.norms, strict=True):
            x = both_ways(gru, x, num_frames).unflatten(2, (2, -1)).sum(2)
            x = self.dropout(norm(x.transpose(1, 2)).transpose(1, 2))
        return self.head(x), num_frames


class TorchTransformerEncoder(nn.Module):
    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.front = Subsample(num_features, 32)
        self.frames = nn.Linear(self.front.width, 192)
        self.attentions = nn.ModuleList([Attention(192, 4, 0.1) for _ in range(6)])
        self.denses = nn.ModuleList([feed_forward(192, nn.GELU(), 0.1) for _ in range(6)])
        self.norm = nn.LayerNorm(192, 1e-6)
        self.head = nn.Linear(192, num_outputs)

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        x, num_frames = self.front(features, num_frames)
        x, own, angle = self.frames(x), inside(num_frames, x.shape[1]), angles(x.shape[1], 24)
        for attention, dense in zip(self.attentions, self.denses, strict=True):
            x = x + attention(x, own, angle)
            x = x + dense(x)
        return self.head(self.norm(x)), num_frames


class TorchConformer(nn.Module):
    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.front = Subsample(num_features, 32)
        self.frames = nn.Sequential(nn.Linear(self.front.width, 144), nn.Dropout(0.1))
        self.blocks = nn.ModuleList([ConformerBlock(144, 4, 31, 0.1) for _ in range(6)])
        self.head = nn.Linear(144, num_outputs)

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        x, num_frames = self.front(features, num_frames)
        x, own, angle = self.frames(x), inside(num_frames, x.shape[1]), angles(x.shape[1], 18)
        for block in self.blocks:
            x = block(x, own, angle)
        return self.head(x), num_frames


class ConformerBlock(nn.Module):
    def __init__(self, width: int, heads: int, size: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = (feed_forward(width, nn.SiLU(), dropout) for _ in range(2))
        self.attention = Attention(width, heads, dropout)
        self.gate = nn.Sequential(nn.LayerNorm(width, 1e-6), nn.Linear(width, 2 * width), nn.GLU())
        self.over_time = nn.Conv1d(width, width, size, padding=size // 2, groups=width, bias=False)
        self.after = nn.Sequential(nn.BatchNorm1d(width, 1e-3), nn.SiLU())
        self.mix = nn.Sequential(nn.Linear(width, width), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(width, 1e-6)

    def forward(self, x: Tensor, own: Tensor, angle: Tensor) -> Tensor:
        x = x + 0.5 * self.first(x)
        x = x + self.attention(x, own, angle)
        y = (self.gate(x) * own[:, :, None]).transpose(1, 2)
        x = x + self.mix(self.after(self.over_time(y)).transpose(1, 2))
        return self.norm(x + 0.5 * self.second(x))


class TorchQuartzNet(nn.Module):
    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.first = Separable(num_features, 128, 11, stride=2)
        groups = ((128, 11, 128), (128, 13, 128), (128, 17, 256), (256, 21, 256), (256, 25, 256))
        self.blocks = nn.ModuleList([QuartzNetBlock(*group) for group in groups])
        self.last = Separable(256, 256, 29)
        self.mix = nn.Sequential(nn.Conv1d(256, 512, 1, bias=False), nn.BatchNorm1d(512, 1e-3))
        self.active = nn.Sequential(nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(512, num_outputs)

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        num_frames = halved(num_frames)
        own = inside(num_frames, halved(features.shape[1]))[:, None].float()
        x = self.active(self.first(features.transpose(1, 2))) * own
        for block in self.blocks:
            x = block(x, own)
        x = self.active(self.last(x))
        return self.head(self.active(self.mix(x)).transpose(1, 2)), num_frames


class QuartzNetBlock(nn.Module):
    def __init__(self, channels: int, size: int, filters: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv1d(channels, filters, 1, bias=False), nn.BatchNorm1d(filters, 1e-3))
        self.separable = Separable(channels, filters, size)
        self.active = nn.Sequential(nn.ReLU(), nn.Dropout(0.1))

    def forward(self, x: Tensor, own: Tensor) -> Tensor:
        return self.active(self.separable(x) + self.shortcut(x)) * own


class TorchResNetEncoder(nn.Module):
    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.stem = ConvNorm(1, 32, (3, 3), (2, 2))
        stages = ((32, 32, (2, 2)), (32, 64, (1, 2)), (64, 128, (1, 2)))
        blocks = [
            block
            for channels, filters, strides in stages
            for block in (ResNetBlock(channels, filters, strides), ResNetBlock(filters, filters, (1, 1)))
        ]
        self.blocks = nn.ModuleList(blocks)
        dense = [nn.Linear(128 * -(-num_features // 16), 256), nn.ReLU(), nn.Dropout(0.2)]
        self.head = nn.Sequential(nn.Dropout(0.2), *dense, nn.Linear(256, num_outputs))

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        num_frames = halved(num_frames)
        x = self.stem(features[:, None], num_frames).relu()
        num_frames = halved(num_frames)
        for block in self.blocks:
            x = block(x, num_frames)
        return self.head(as_frames(x)), num_frames


class TorchResNet8Encoder(nn.Module):
    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.stem = ConvNorm(1, 32, (5, 5), (2, 2))
        stages = ((32, 32, (1, 1)), (32, 64, (2, 2)), (64, 96, (1, 2)))
        self.blocks = nn.ModuleList([ResNetBlock(*stage) for stage in stages])
        window = (5, -(-num_features // 8))
        self.average = nn.AvgPool2d(window, stride=1, padding=(2, 0))
        self.maximum = nn.MaxPool2d(window, stride=1, padding=(2, 0))
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * 96, num_outputs))

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        num_frames = halved(num_frames)
        x = self.stem(features[:, None], num_frames).relu()
        for index, block in enumerate(self.blocks):
            num_frames = halved(num_frames) if index == 1 else num_frames
            x = block(x, num_frames)
        return self.head(as_frames(torch.cat([self.average(x), self.maximum(x)], 1))), num_frames


class ResNetBlock(nn.Module):
    def __init__(self, channels: int, filters: int, strides: tuple[int, int]) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(channels, filters, (3, 3), strides), ConvNorm(filters, filters, (3, 3))
        self.shortcut = None if strides == (1, 1) else ConvNorm(channels, filters, (1, 1), strides)

    def forward(self, x: Tensor, num_frames: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x, num_frames)
        return (self.second(self.first(x, num_frames).relu(), num_frames) + shortcut).relu()


class Subsample(nn.Module):
    """Two convolutions of 3 by 3 that take every second frame and feature."""

    def __init__(self, num_features: int, filters: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(channels, filters, 3, 2, 1) for channels in (1, filters)])
        self.width = filters * -(-num_features // 4)

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        x = features[:, None]
        for conv in self.convs:
            num_frames = halved(num_frames)
            x = conv(x).relu()
            x = x * inside(num_frames, x.shape[2])[:, None, :, None]
        return as_frames(x), num_frames


class Attention(nn.Module):
    """What self-attention with rotary positions adds."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, 1e-6)
        self.projections = nn.Linear(width, 3 * width)
        self.mix = nn.Sequential(nn.Linear(width, width), nn.Dropout(dropout))

    def forward(self, x: Tensor, own: Tensor, angle: Tensor) -> Tensor:
        query, key, value = self.projections(self.norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(
            turned(query, angle), turned(key, angle), value, attn_mask=own[:, None, None]
        )
        return self.mix(attended.transpose(1, 2).flatten(2))


class Separable(nn.Sequential):
    """A convolution over time for each channel, one over channels for each frame, and batch norm."""

    def __init__(self, channels: int, filters: int, size: int, stride: int = 1) -> None:
        over_time = nn.Conv1d(channels, channels, size, stride, size // 2, groups=channels, bias=False)
        super().__init__(over_time, nn.Conv1d(channels, filters, 1, bias=False), nn.BatchNorm1d(filters, 1e-3))


class ConvNorm(nn.Module):
    """A convolution over time and feature, batch norm, and zeros past a clip's end."""

    def __init__(self, channels: int, filters: int, size: tuple[int, int], strides: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, size, strides, (size[0] // 2, size[1] // 2), bias=False)
        self.norm = nn.BatchNorm2d(filters, 1e-3)

    def forward(self, x: Tensor, num_frames: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return x * inside(num_frames, x.shape[2])[:, None, :, None]


def feed_forward(width: int, activation: nn.Module, dropout: float) -> nn.Sequential:
    first = [nn.LayerNorm(width, 1e-6), nn.Linear(width, 4 * width), activation, nn.Dropout(dropout)]
    return nn.Sequential(*first, nn.Linear(4 * width, width), nn.Dropout(dropout))


def both_ways(rnn: nn.Module, x: Tensor, num_frames: Tensor) -> Tensor:
    packed = pack_padded_sequence(x, num_frames, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def as_frames(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def halved(count):
    return (count + 1) // 2


def inside(num_frames: Tensor, time: int) -> Tensor:
    return torch.arange(time) < num_frames[:, None]


def angles(time: int, count: int) -> Tensor:
    return torch.outer(torch.arange(time), BASE ** (-torch.arange(count) / count))


def turned(heads: Tensor, angle: Tensor) -> Tensor:
    one, other = heads.chunk(2, -1)
    cosine, sine = angle.cos(), angle.sin()
    return torch.cat([one * cosine - other * sine, other * cosine + one * sine], -1)


TORCH: dict[str, Callable[[int, int], nn.Module]] = {
    "BiLSTMEncoder": TorchBiLSTMEncoder,
    "Conformer": TorchConformer,
    "DeepSpeech2": TorchDeepSpeech2,
    "QuartzNet": TorchQuartzNet,
    "ResNet8Encoder": TorchResNet8Encoder,
    "ResNetEncoder": TorchResNetEncoder,
    "TransformerEncoder": TorchTransformerEncoder,
}
