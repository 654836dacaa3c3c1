"""The padding of a clip: where it begins, and how it stays zero.

The front-end makes the frames beyond a clip's own samples exactly zero. `NumFrames` finds them again, so a model needs
one input only, and layers take that count where Keras would carry a mask: Conv1D and pooling drop masks.
"""

import keras
from keras import ops

register = keras.saving.register_keras_serializable(package="kerasr")


@register
class NumFrames(keras.layers.Layer):
    """Number of frames up to the last one that is not all zeros; at least one, so that silence has an answer too.

    A frame of zeros inside the clip counts: only those at the end are padding.

    Shapes: (batch, time, feature) to (batch,), int32.
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, features):
        position = ops.arange(1, ops.shape(features)[1] + 1, dtype="int32")
        sounding = ops.any(ops.not_equal(features, 0), axis=-1)
        return ops.maximum(ops.max(ops.where(sounding, position, 0), axis=1), 1)

    def compute_output_spec(self, features):
        return keras.KerasTensor((features.shape[0],), "int32")


# Files of earlier runs know it by this name.
@keras.saving.register_keras_serializable("kerasr", name="ZeroPadding")
class MaskPadding(keras.layers.Layer):
    """Sets the frames past the clip's end to zero again: a layer with a bias has filled them.

    Shapes: (batch, time, ...) and num_frames (batch,), to (batch, time, ...).
    """

    def call(self, sequence, num_frames):
        inside = within_clip(sequence, num_frames)
        return ops.where(ops.expand_dims(inside, tuple(range(2, len(sequence.shape)))), sequence, 0)

    def compute_output_shape(self, sequence_shape, num_frames_shape):
        return sequence_shape


def within_clip(sequence, num_frames):
    """True for the clip's own frames, (batch, time)."""
    return ops.arange(ops.shape(sequence)[1], dtype="int32")[None] < num_frames[:, None]
