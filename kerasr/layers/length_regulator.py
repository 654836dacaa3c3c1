"""Tokens spread over the frames in which they sound, and how long each sounds."""

import keras
from keras import ops

from kerasr.layers.attention import sinusoids
from kerasr.layers.masking import register


@register
class NumTokens(keras.layers.Layer):
    """Number of tokens of each text: what is past its end is less than 1.

    Shapes: token ids (batch, tokens) to (batch,), int32.
    """

    def call(self, token_ids):
        return ops.sum(ops.cast(token_ids > 0, "int32"), axis=1)

    def compute_output_spec(self, token_ids):
        return keras.KerasTensor((token_ids.shape[0],), "int32")


@register
class LengthRegulator(keras.layers.Layer):
    """The vector of each token for as many frames as it sounds, with sines of each frame's place within its token.

    Shapes: (batch, tokens, channels) and token_of_frame (batch, time), to (batch, time, channels), zero past the
    speech's end.

    Source: Ren et al., "FastSpeech", NeurIPS 2019, https://arxiv.org/abs/1905.09263, section 3.2; the places within a
    token are of Vainer and Dušek, "SpeedySpeech", Interspeech 2020, https://arxiv.org/abs/2008.03802, section 2.2.
    """

    def call(self, encoded, token_of_frame):
        spread = spread_tokens(token_of_frame, ops.shape(encoded)[1])
        durations = ops.sum(spread, axis=1)
        begins = ops.cumsum(durations, axis=1) - durations
        time = ops.arange(ops.shape(token_of_frame)[1], dtype="float32")[None]
        place = time - ops.matmul(spread, begins[..., None])[..., 0]
        places = ops.cast(sinusoids(place, encoded.shape[-1]), encoded.dtype)
        own = ops.cast(token_of_frame >= 0, encoded.dtype)[..., None]
        return own * (ops.matmul(ops.cast(spread, encoded.dtype), encoded) + places)

    def compute_output_shape(self, encoded_shape, token_of_frame_shape):
        return (*token_of_frame_shape, encoded_shape[-1])


def spread_tokens(token_of_frame, num_tokens):
    """Which token sounds in which frame, as float32 `(batch, time, tokens)`; no token past the speech's end."""
    places = ops.arange(num_tokens, dtype="int32")
    return ops.cast(ops.equal(ops.cast(token_of_frame, "int32")[..., None], places), "float32")


def means_of_tokens(values, token_of_frame, num_tokens):
    """Means of the frames' values `(batch, time)` over each token, `(batch, tokens)`; 0 of one without a frame."""
    spread = spread_tokens(token_of_frame, num_tokens)
    return ops.matmul(values[:, None], spread)[:, 0] / ops.maximum(ops.sum(spread, axis=1), 1.0)


def frames_of_tokens(log_durations, token_ids, speed):
    """The frames of each token of texts that are said at a speed, int32 `(batch, tokens)`, 0 past a text's end.

    Args:
        log_durations: float32 `(batch, tokens)`, logarithms of frames.
        token_ids: int32 `(batch, tokens)`, less than 1 past a text's end.
        speed: 1 as learnt, 2 twice as fast; a number, or one for each text, `(batch, 1)`.
    """
    return whole_durations(ops.exp(log_durations) * ops.cast(token_ids > 0, "float32") / speed)


def whole_durations(durations):
    """Durations as whole frames, at least one each.

    What rounding cuts off is carried on to the next token, so that the whole keeps its length.

    Args:
        durations: float32 `(batch, tokens)`, in frames; 0 past a text's end.

    Returns:
        int32 `(batch, tokens)`, 0 past a text's end.
    """
    own = ops.cast(durations > 0, "float32")
    ends = ops.maximum(ops.round(ops.cumsum(durations, axis=1)), ops.cumsum(own, axis=1))
    begins = ops.pad(ends[:, :-1], ((0, 0), (1, 0)))
    return ops.cast(own * ops.maximum(ends - begins, 1.0), "int32")


def place_tokens(durations, num_frames):
    """The token of each frame.

    Args:
        durations: int32 `(batch, tokens)`, in frames.
        num_frames: how many there are in the longest of the batch, at least.

    Returns:
        int32 `(batch, num_frames)`, -1 past the speech's end.
    """
    ends = ops.cumsum(ops.cast(durations, "int32"), axis=1)
    time = ops.arange(num_frames, dtype="int32")[None, :, None]
    token = ops.sum(ops.cast(ends[:, None] <= time, "int32"), axis=2)
    return ops.where(time[..., 0] < ends[:, -1:], token, -1)
