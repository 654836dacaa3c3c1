"""Pieces that architectures share."""

import keras

from kerasr.layers import BlankPadding, MaskedRNN, MaskPadding, NumFrames
from kerasr.models.head import HEAD


def both_ways(x, num_frames, units, *, cell, implementation, name):
    """States of a recurrent layer that reads each clip forwards and of one that reads it backwards, side by side."""
    forwards = MaskedRNN(units, cell=cell, return_sequences=True, implementation=implementation, name=name)
    backwards = MaskedRNN(
        units, cell=cell, return_sequences=True, reverse=True, implementation=implementation, name=f"{name}_reverse"
    )
    return keras.layers.Concatenate(name=f"{name}_both")([forwards(x, num_frames), backwards(x, num_frames)])


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
    x = keras.layers.Reshape((*features.shape[1:], 1) if features.shape[1] else (-1, features.shape[2], 1))(features)
    for index in range(1, num_layers + 1):
        # The same frames on each side, whatever the clip's length.
        x = keras.layers.ZeroPadding2D(1, name=f"{name}{index}_pad")(x)
        x = keras.layers.Conv2D(filters, 3, strides=2, activation="relu", name=f"{name}{index}")(x)
        num_frames = (num_frames + 1) // 2
        x = MaskPadding(name=f"{name}{index}_mask")(x, num_frames)
    return keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name=f"{name}_frames")(x), num_frames


def frame_logits(x, num_frames, num_outputs):
    """The head of an encoder: logits at each frame, `(batch, time, outputs)`, and the blank past a clip's end."""
    logits = keras.layers.Dense(num_outputs, dtype="float32", name=HEAD)(x)
    return BlankPadding(dtype="float32", name="padding")(logits, num_frames)
