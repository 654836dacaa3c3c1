"""Layers that every model may use: the padding's length, and recurrence that does not see it.

The front-end makes the frames beyond a clip's own samples exactly zero. `NumFrames` finds them again, so a model needs
one input only, and the layers here take that count where Keras would carry a mask: Conv1D and pooling drop masks.
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


@register
class ZeroPadding(keras.layers.Layer):
    """Sets the frames past the clip's end to zero again: a layer with a bias has filled them.

    Shapes: (batch, time, feature) and num_frames (batch,), to (batch, time, feature).
    """

    def call(self, sequence, num_frames):
        return ops.where(_inside(sequence, num_frames)[:, :, None], sequence, 0)

    def compute_output_shape(self, sequence_shape, num_frames_shape):
        return sequence_shape


def _inside(sequence, num_frames):
    """True for the clip's own frames, (batch, time)."""
    return ops.arange(ops.shape(sequence)[1], dtype="int32")[None] < num_frames[:, None]


def _reversed(sequence, num_frames):
    """Each clip back to front within its own frames, so that the padding stays at the end."""
    time = ops.arange(ops.shape(sequence)[1], dtype="int32")[None]
    index = ops.where(time < num_frames[:, None], num_frames[:, None] - 1 - time, time)
    return ops.take_along_axis(sequence, index[:, :, None], axis=1)


class _Recurrent:
    """What MaskedLSTM and MaskedGRU share."""

    def __init__(self, units, *, return_sequences=False, reverse=False, **kwargs):
        super().__init__(units, return_sequences=return_sequences, **kwargs)
        self.reverse = reverse

    def build(self, sequences_shape, num_frames_shape):
        super().build(sequences_shape)

    def call(self, sequences, num_frames, training=False):
        if self.reverse:
            sequences = _reversed(sequences, num_frames)
        outputs = super().call(sequences, mask=_inside(sequences, num_frames), training=training)
        return _reversed(outputs, num_frames) if self.reverse and self.return_sequences else outputs

    def compute_output_shape(self, sequences_shape, num_frames_shape):
        return (*sequences_shape[: 2 if self.return_sequences else 1], self.units)

    def get_config(self):
        return {**super().get_config(), "reverse": self.reverse}


@register
class MaskedLSTM(_Recurrent, keras.layers.LSTM):
    """An LSTM over each clip's own frames."""


@register
class MaskedGRU(_Recurrent, keras.layers.GRU):
    """A GRU over each clip's own frames."""
