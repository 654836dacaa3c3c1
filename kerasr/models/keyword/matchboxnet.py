"""MatchboxNet: residual blocks of convolutions that are separate over time and over channels.

A convolution over time for each channel alone, a dense layer over the channels of each frame, batch norm and ReLU make
a sub-block. Between a first convolution and two last ones stand B blocks of R sub-blocks with C channels, each block
around a projected shortcut: MatchboxNet-BxRxC. The frames are averaged before the logits.

The convolutions over time run on pictures one pixel wide: the same weights as in a DepthwiseConv1D, which lays the
frames out along the picture's width, where TensorFlow is slower on a CPU.

Parameters are those of the authors' code (NVIDIA NeMo, matchboxnet_3x1x64_v1.yaml) for 64 MFCC and 30 words:

    BxRxC     num_blocks   num_repeats   channels   paper   trainable
    3x1x64             3             1         64    77 K      77,214
    3x2x64             3             2         64    93 K      92,766

`python benchmarks/zoo.py` measures it on unseen speakers.

Source: Majumdar and Ginsburg, "MatchboxNet: 1D Time-Channel Separable Convolutional Neural Network Architecture for
Speech Commands Recognition", Interspeech 2020, https://arxiv.org/abs/2004.08531, table 1.
"""

import keras

from kerasr.layers import BatchNormalization
from kerasr.models.keyword.resnet import clip_input
from kerasr.models.registry import register_model

# Frames that a kernel spans: the first convolution, then each block two more than the one before, then the last
# convolution over time, which takes every second frame.
FIRST_SIZE, BLOCK_SIZE, LAST_SIZE, LAST_DILATION = 11, 13, 29, 2


@register_model(
    source="Majumdar and Ginsburg 2020, https://arxiv.org/abs/2004.08531",
    parameters=71_298,
    macs=6_643_064,
    narrow={"channels": 8},
    variants=({"num_repeats": 2},),
    published=(({}, (128, 64), 30, 77_214), ({"num_repeats": 2}, (128, 64), 30, 92_766)),
)
def MatchboxNet(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    num_blocks: int = 3,
    num_repeats: int = 1,
    channels: int = 64,
    dropout: float = 0.0,
    name: str = "matchboxnet",
) -> keras.Model:
    """Build a MatchboxNet-BxRxC.

    Args:
        input_shape: `(time, feature)`; time must be a number.
        num_outputs: number of logits; one for a detector.
        num_blocks: residual blocks (B).
        num_repeats: sub-blocks of each block (R).
        channels: channels of the blocks (C); the convolutions around them have twice as many.
        dropout: share of each sub-block's outputs dropped in training.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: the time in `input_shape` is None.
    """
    features = clip_input(input_shape, name)
    x = keras.layers.Reshape((input_shape[0], 1, input_shape[1]), name="frames")(features)
    x = _active(_separable(x, 2 * channels, FIRST_SIZE, name="first"), dropout, "first")
    for block in range(1, num_blocks + 1):
        shortcut = _mixed(x, channels, name=f"block{block}_shortcut")
        for repeat in range(1, num_repeats + 1):
            sub_block = f"block{block}_sub{repeat}"
            x = _separable(x, channels, BLOCK_SIZE + 2 * (block - 1), name=sub_block)
            if repeat == num_repeats:
                x = keras.layers.Add(name=f"block{block}_add")([x, shortcut])
            x = _active(x, dropout, sub_block)
    x = _active(_separable(x, 2 * channels, LAST_SIZE, LAST_DILATION, name="last"), dropout, "last")
    x = _active(_mixed(x, 2 * channels, name="mix"), dropout, "mix")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)


def _separable(x, channels, size, dilation=1, *, name):
    """A convolution over time for each channel, then over the channels of each frame, and batch norm."""
    x = keras.layers.DepthwiseConv2D(
        (size, 1), dilation_rate=(dilation, 1), padding="same", use_bias=False, name=f"{name}_time"
    )(x)
    return _mixed(x, channels, name=name)


def _mixed(x, channels, *, name):
    """A dense layer over the channels of each frame, and batch norm."""
    x = keras.layers.Dense(channels, use_bias=False, kernel_initializer="he_normal", name=f"{name}_channels")(x)
    return BatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_norm")(x)


def _active(x, dropout, name):
    x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x
