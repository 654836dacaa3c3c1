"""Pieces that architectures share."""

import keras

from kerasr.layers import (
    BlankPadding,
    CrossAttention,
    MaskedBatchNormalization,
    MaskedRNN,
    MaskPadding,
    NumFrames,
    SelfAttention,
)
from kerasr.models.head import HEAD


def read_both_ways(x, num_frames, units, *, cell, implementation, name):
    """States of a recurrent layer that reads each clip forwards, and of one that reads it backwards."""
    forwards = MaskedRNN(units, cell=cell, return_sequences=True, implementation=implementation, name=name)
    backwards = MaskedRNN(
        units, cell=cell, return_sequences=True, reverse=True, implementation=implementation, name=f"{name}_reverse"
    )
    return forwards(x, num_frames), backwards(x, num_frames)


def both_ways(x, num_frames, units, *, cell, implementation, name):
    """The same states, side by side."""
    both = read_both_ways(x, num_frames, units, cell=cell, implementation=implementation, name=name)
    return keras.layers.Concatenate(name=f"{name}_both")(both)


def subsample(features, filters, *, num_layers=2, name="subsample"):
    """Convolutions of 3 by 3 with a stride of 2 by 2 over time and feature, each of which halves the frames.

    Args:
        features: `(batch, time, feature)`.
        filters: of each convolution.
        num_layers: convolutions.
        name: what their names begin with.

    Returns:
        `(batch, ceil(time / 2^num_layers), width)`, zero past a clip's end, and each clip's frames `(batch,)`.
    """
    num_frames = NumFrames(name="num_frames")(features)
    shape = (*features.shape[1:], 1) if features.shape[1] else (-1, features.shape[2], 1)
    x = keras.layers.Reshape(shape, name=f"{name}_picture")(features)
    for index in range(1, num_layers + 1):
        # The same frames on each side, whatever the clip's length.
        x = keras.layers.ZeroPadding2D(1, name=f"{name}{index}_pad")(x)
        x = keras.layers.Conv2D(filters, 3, strides=2, activation="relu", name=f"{name}{index}")(x)
        num_frames = halved(num_frames)
        x = MaskPadding(name=f"{name}{index}_mask")(x, num_frames)
    return keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name=f"{name}_frames")(x), num_frames


def halved(num_frames):
    """Frames that a convolution with a stride of 2 leaves of each clip's, where both its sides are padded alike."""
    return (num_frames + 1) // 2


def masked_norm(x, num_frames, name):
    """Batch norm of the clips' own frames, and zeros past their ends."""
    return MaskedBatchNormalization(momentum=0.9, epsilon=1e-3, name=name)(x, num_frames)


def residual_block(x, num_frames, filters, strides, name):
    """Two convolutions of 3 by 3, added to the input, or to its projection where the shape changes."""
    y = conv_norm(x, num_frames, filters, 3, strides, f"{name}_conv1")
    y = conv_norm(keras.layers.ReLU(name=f"{name}_relu1")(y), num_frames, filters, 3, (1, 1), f"{name}_conv2")
    if strides != (1, 1):
        x = conv_norm(x, num_frames, filters, 1, strides, f"{name}_shortcut")
    return keras.layers.ReLU(name=f"{name}_relu2")(keras.layers.Add(name=f"{name}_add")([x, y]))


def conv_norm(x, num_frames, filters, size, strides, name):
    """A convolution, padded alike on all sides, and batch norm; `num_frames` are those that it leaves."""
    if size > 1:
        x = keras.layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    x = keras.layers.Conv2D(filters, size, strides=strides, use_bias=False, kernel_initializer="he_normal", name=name)(
        x
    )
    return masked_norm(x, num_frames, f"{name}_norm")


def attend(x, num_frames, num_heads, dropout, name, **mask):
    """What self-attention with rotary positions adds to `(batch, time, width)`, of its layer norm (pre-norm).

    `mask` is `causal`, or `chunk` and `past_chunks`, of `SelfAttention`.
    """
    width = x.shape[-1]
    x = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
    x = keras.layers.Dense(3 * width, name=f"{name}_projections")(x)
    x = SelfAttention(num_heads, rotary=True, **mask, name=name)(x, num_frames)
    x = keras.layers.Dense(width, name=f"{name}_mix")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)


def attend_to(frames, num_frames, x, num_heads, dropout, name):
    """What attention to a clip's frames `(batch, time, width)` adds to `(batch, query, width)`, of its layer norm."""
    width = x.shape[-1]
    x = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
    x = keras.layers.Dense(width, name=f"{name}_queries")(x)
    frames = keras.layers.Dense(2 * width, name=f"{name}_projections")(frames)
    x = CrossAttention(num_heads, name=name)(x, frames, num_frames)
    x = keras.layers.Dense(width, name=f"{name}_mix")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)


def feed_forward(x, activation, dropout, name, *, expansion=4):
    """What two dense layers at each position add to `(batch, time, width)`, of its layer norm (pre-norm)."""
    width = x.shape[-1]
    x = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
    x = keras.layers.Dense(expansion * width, activation=activation, name=f"{name}1")(x)
    x = keras.layers.Dropout(dropout, name=f"{name}1_dropout")(x)
    x = keras.layers.Dense(width, name=f"{name}2")(x)
    return keras.layers.Dropout(dropout, name=f"{name}2_dropout")(x)


def frame_logits(x, num_frames, num_outputs):
    """The head of an encoder: logits at each frame, `(batch, time, outputs)`, and the blank past a clip's end."""
    logits = keras.layers.Dense(num_outputs, dtype="float32", name=HEAD)(x)
    return BlankPadding(dtype="float32", name="padding")(logits, num_frames)


def convolve_over_time(x, size, *, strides=1, padding=None, name):
    """A convolution over time for each channel alone, without a bias.

    It runs on pictures one pixel wide: the weights of a DepthwiseConv1D, which lays the frames out along the picture's
    width, where TensorFlow is slower on a CPU.

    Args:
        x: `(batch, time, channel)`, zero past a clip's end.
        size: frames that a kernel spans; odd where both sides are padded alike.
        strides: frames for each output.
        padding: zeros before a clip and after it, `size - 1` in all; where None, both sides are padded alike.
        name: the layer's name.

    Returns:
        `(batch, ceil(time / strides), channel)`; a clip's last frames have gone on past its end.
    """
    channels = x.shape[-1]
    x = keras.layers.Reshape((-1, 1, channels), name=f"{name}_pixels")(x)
    x = keras.layers.ZeroPadding2D((padding or (size // 2, size // 2), (0, 0)), name=f"{name}_pad")(x)
    x = keras.layers.DepthwiseConv2D((size, 1), strides=strides, use_bias=False, name=name)(x)
    return keras.layers.Reshape((-1, channels), name=f"{name}_frames")(x)
