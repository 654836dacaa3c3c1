"""Attention that does not see the padding, and what a transformer starts from."""

import keras
from keras import ops

from kerasr.layers.masking import register, within_clip

# The slowest pair turns once in about 2 pi times as many frames.
ROTARY_BASE = 10000.0


@register
class FrameAttention(keras.layers.Layer):
    """For each query the average of a clip's own frames, weighted by a softmax of their dot products with the query.

    Shapes: queries (batch, query, width), sequence (batch, time, width) and num_frames (batch,), to
    (batch, query, width).
    """

    def call(self, queries, sequence, num_frames):
        scores = ops.matmul(queries, ops.transpose(sequence, (0, 2, 1)))
        scores = ops.where(ops.expand_dims(within_clip(sequence, num_frames), 1), scores, -float("inf"))
        return ops.matmul(ops.softmax(scores), sequence)

    def compute_output_shape(self, queries_shape, sequence_shape, num_frames_shape):
        return queries_shape


@register
class SelfAttention(keras.layers.Layer):
    """Scaled dot-product attention of each position to all of its clip, in several heads; it has no weights.

    One dense layer before it makes queries, keys and values in a single product; another may mix the heads after it.
    With rotary positions a query and a key meet turned by an angle for each frame between them, so that what they make
    of each other depends on their distance alone (Su et al. 2021, https://arxiv.org/abs/2104.09864, equation 34).

    Shapes: queries, keys and values side by side (batch, time, 3 * width), and num_frames (batch,) where the padding is
    not to be seen, to (batch, time, width).

    Args:
        num_heads: heads that share the width equally.
        rotary: turn queries and keys by their places; a head's width is then even.
    """

    def __init__(self, num_heads, *, rotary=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.rotary = rotary

    def call(self, projected, num_frames=None):
        batch, time, width = ops.shape(projected)
        heads = ops.reshape(projected, (batch, time, 3, self.num_heads, width // 3 // self.num_heads))
        query, key, value = ops.unstack(ops.transpose(heads, (2, 0, 3, 1, 4)))
        if self.rotary:
            query, key = _turned(query), _turned(key)
        scores = ops.matmul(query / heads.shape[-1] ** 0.5, ops.transpose(key, (0, 1, 3, 2)))
        if num_frames is not None:
            inside = ops.expand_dims(within_clip(projected, num_frames), (1, 2))
            scores = ops.where(inside, scores, -float("inf"))
        attended = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
        return ops.reshape(attended, (batch, time, width // 3))

    def compute_output_shape(self, projected_shape, num_frames_shape=None):
        return (*projected_shape[:-1], projected_shape[-1] // 3)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "rotary": self.rotary}


def _turned(heads):
    """Each pair of numbers of `(batch, head, time, width)`, one of either half, turned by its frame's angle.

    The angles are float32: in half precision those of late frames would be rounded to whole turns.
    """
    half = heads.shape[-1] // 2
    place = ops.arange(ops.shape(heads)[2], dtype="float32")[:, None]
    angle = place * ROTARY_BASE ** (-ops.arange(half, dtype="float32") / half)
    cosine, sine = ops.cast(ops.cos(angle), heads.dtype), ops.cast(ops.sin(angle), heads.dtype)
    one, other = heads[..., :half], heads[..., half:]
    return ops.concatenate([one * cosine - other * sine, other * cosine + one * sine], axis=-1)


@register
class ClassToken(keras.layers.Layer):
    """A learned token before the first frame, and a learned position added to each: what a transformer starts from.

    Shapes: (batch, time, width) to (batch, 1 + time, width); time must be a number.
    """

    def build(self, sequence_shape):
        _, time, width = sequence_shape
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight((1, 1, width), initializer, name="token")
        self.positions = self.add_weight((1, 1 + time, width), initializer, name="positions")

    def call(self, sequence):
        token = ops.broadcast_to(self.token, (ops.shape(sequence)[0], 1, sequence.shape[-1]))
        return ops.concatenate([token, sequence], axis=1) + self.positions

    def compute_output_shape(self, sequence_shape):
        batch, time, width = sequence_shape
        return batch, 1 + time, width
