"""QuartzNet: residual blocks of convolutions that are separate over time and over channels, all along the clip.

A convolution over time for each channel alone, a dense layer over the channels of each frame, batch norm and ReLU make
a sub-block; `num_repeats` of them with a projected shortcut around them make a block. Five groups of `num_blocks`
blocks follow a first convolution that takes every second frame, each group with a longer kernel than the one before:
QuartzNet-(5 num_blocks)x(num_repeats). Two last layers stand before the logits. Batch norms are of the clips' own
frames.

The paper's networks have `width=1`, `kernel_scale=1`, 5 repeats, and 1, 2 or 3 blocks to a group: 6.7, 12.8 and 18.9 M
parameters. With less than an hour of speech kernels a third as long learn the same in half of the time, and more
repeats learn later.

`python benchmarks/transcription.py` measures it.

Source: Kriman et al., "QuartzNet: Deep Automatic Speech Recognition with 1D Time-Channel Separable Convolutions",
ICASSP 2020, https://arxiv.org/abs/1910.10261, table 1.
"""

import keras

from kerasr.layers import NumFrames
from kerasr.models.blocks import convolve_over_time, frame_logits, halved, masked_norm
from kerasr.models.keyword.resnet import scaled
from kerasr.models.registry import register_model

# Frames that a kernel spans, and channels.
FIRST, LAST = (33, 256), (87, 512)
GROUPS = ((33, 256), (39, 256), (51, 512), (63, 512), (75, 512))
LAST_CHANNELS = 1024


@register_model(
    source="Kriman et al. 2020, https://arxiv.org/abs/1910.10261",
    parameters=630_850,
    macs=30_622_648,
    per_frame=True,
    stride=2,
    masks_padding=True,
    stream_options={},
    narrow={"width": 0.03125},
    variants=({"causal": True},),
    published=(({"width": 1.0, "kernel_scale": 1.0, "num_repeats": 5}, (128, 64), 29, 6_700_000, 0.01),),
)
def QuartzNet(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    num_blocks: int = 1,
    num_repeats: int = 1,
    width: float = 0.5,
    kernel_scale: float = 0.34,
    dropout: float = 0.1,
    causal: bool = False,
    name: str = "quartznet",
) -> keras.Model:
    """Build a QuartzNet-(5 num_blocks)x(num_repeats).

    Args:
        input_shape: `(time, feature)`; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        num_blocks: blocks of each of the five groups.
        num_repeats: sub-blocks of each block.
        width: factor on the channels.
        kernel_scale: factor on the frames that a kernel spans, which stay odd.
        dropout: share of each sub-block's outputs dropped in training.
        causal: convolutions see the frames before and never those to come, so that what it carries through a stream
            (`kerasr.streaming`) is answered at once. The paper's see as many on both sides.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, ceil(time / 2), num_outputs), float32.
    """
    features = keras.Input(input_shape, name="features")
    num_frames = NumFrames(name="num_frames")(features)
    x = _over_time(features, _odd(FIRST[0], kernel_scale), causal, "first", strides=2)
    num_frames = halved(num_frames)
    x = _active(_mixed(x, num_frames, scaled(FIRST[1], width), name="first"), dropout, "first")
    for group, (size, channels) in enumerate(GROUPS, 1):
        for block in range(1, num_blocks + 1):
            sizes = _odd(size, kernel_scale), scaled(channels, width)
            x = _block(x, num_frames, *sizes, num_repeats, dropout, causal, f"block{group}_{block}")
    x = _over_time(x, _odd(LAST[0], kernel_scale), causal, "last")
    x = _active(_mixed(x, num_frames, scaled(LAST[1], width), name="last"), dropout, "last")
    x = _active(_mixed(x, num_frames, scaled(LAST_CHANNELS, width), name="mix"), dropout, "mix")
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)


def _block(x, num_frames, size, channels, num_repeats, dropout, causal, name):
    """Sub-blocks, and around them a projected shortcut."""
    shortcut = _mixed(x, num_frames, channels, name=f"{name}_shortcut")
    for repeat in range(1, num_repeats + 1):
        sub_block = f"{name}_sub{repeat}"
        x = _over_time(x, size, causal, sub_block)
        x = _mixed(x, num_frames, channels, name=sub_block)
        if repeat == num_repeats:
            x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
        x = _active(x, dropout, sub_block)
    return x


def _odd(size, scale):
    """The nearest odd number of frames, which has a middle."""
    return 2 * round((size * scale - 1) / 2) + 1


def _over_time(x, size, causal, name, *, strides=1):
    padding = (size - 1, 0) if causal else None
    return convolve_over_time(x, size, strides=strides, padding=padding, name=f"{name}_time")


def _mixed(x, num_frames, channels, *, name):
    """A dense layer over the channels of each frame, and batch norm."""
    x = keras.layers.Dense(channels, use_bias=False, kernel_initializer="he_normal", name=f"{name}_channels")(x)
    return masked_norm(x, num_frames, f"{name}_norm")


def _active(x, dropout, name):
    x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
