"""Attention that does not see the padding, and what a transformer starts from."""

import keras
from keras import ops

from kerasr.layers.masking import register, within_clip


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
    """Scaled dot-product attention of each position to all, in several heads; it has no weights.

    One dense layer before it makes queries, keys and values in a single product; another may mix the heads after it.

    Shapes: queries, keys and values side by side (batch, time, 3 * width), to (batch, time, width).

    Args:
        num_heads: heads that share the width equally.
    """

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def call(self, projected):
        batch, time, width = ops.shape(projected)
        heads = ops.reshape(projected, (batch, time, 3, self.num_heads, width // 3 // self.num_heads))
        query, key, value = ops.unstack(ops.transpose(heads, (2, 0, 3, 1, 4)))
        scores = ops.matmul(query / heads.shape[-1] ** 0.5, ops.transpose(key, (0, 1, 3, 2)))
        attended = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
        return ops.reshape(attended, (batch, time, width // 3))

    def compute_output_shape(self, projected_shape):
        return (*projected_shape[:-1], projected_shape[-1] // 3)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


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
