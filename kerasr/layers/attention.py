"""Attention that does not see the padding, and what a transformer starts from."""

import keras
from keras import ops

from kerasr.layers.masking import register, within_clip

# The slowest pair of numbers turns once in about 2 pi times as many frames.
POSITION_BASE = 10000.0


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
        rotary_width: numbers of each head that are turned, its first; all of them where None.
        causal: no position sees a later one, padding behind its clip's end neither.
        chunk: positions of a chunk, where each sees its own chunk and some before it alone; 0 for all positions.
        past_chunks: chunks that are seen before its own.
    """

    def __init__(self, num_heads, *, rotary=False, rotary_width=None, causal=False, chunk=0, past_chunks=0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.rotary = rotary
        self.rotary_width = rotary_width
        self.causal = causal
        self.chunk = chunk
        self.past_chunks = past_chunks

    def call(self, projected, num_frames=None):
        return self.attend(projected, None if num_frames is None else within_clip(projected, num_frames))

    def attend(self, projected, own=None, first=0):
        """The attention of the positions from `first` on, which begins a chunk where there are any.

        Args:
            projected: queries, keys and values side by side (batch, time, 3 * width).
            own: (batch, time) whether a position is to be seen; all where None.
            first: position.

        Returns:
            (batch, time - first, width).
        """
        query, key, value = _heads(projected, 3, self.num_heads)
        if self.rotary:
            query, key = (_turned(each, self.rotary_width or each.shape[-1]) for each in (query, key))
        allowed = None if own is None else ops.expand_dims(own, (1, 2))
        if self.causal or self.chunk:
            place = ops.arange(ops.shape(projected)[1])
            place, other = place[first:, None], place[None]
            seen = self._sees(place, other)[None, None]
            allowed = seen if allowed is None else ops.logical_and(allowed, seen)
            # In a chunk past the clip's end each sees itself: an average of nothing is no number.
            allowed = ops.logical_or(allowed, place == other) if self.chunk else allowed
        return _attended(query[:, :, first:], key, value, allowed)

    def _sees(self, place, other):
        """Whether a position sees another, wherever the padding is."""
        if not self.chunk:
            return place >= other
        back = place // self.chunk - other // self.chunk
        return ops.logical_and(back >= 0, back <= self.past_chunks)

    def compute_output_shape(self, projected_shape, num_frames_shape=None):
        return (*projected_shape[:-1], projected_shape[-1] // 3)

    def get_config(self):
        own = ("num_heads", "rotary", "rotary_width", "causal", "chunk", "past_chunks")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@register
class CrossAttention(keras.layers.Layer):
    """Scaled dot-product attention of each position of one sequence to a clip's own frames; it has no weights.

    Shapes: queries (batch, query, width), keys and values of the frames side by side (batch, time, 2 * width) and
    num_frames (batch,), to (batch, query, width).

    Args:
        num_heads: heads that share the width equally.
    """

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def call(self, queries, projected, num_frames):
        (query,) = _heads(queries, 1, self.num_heads)
        key, value = _heads(projected, 2, self.num_heads)
        return _attended(query, key, value, within_clip(projected, num_frames)[:, None, None])

    def compute_output_shape(self, queries_shape, projected_shape, num_frames_shape):
        return queries_shape

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


@register
class SinusoidalPositions(keras.layers.Layer):
    """Sines and cosines of each frame's place are added to it (Vaswani et al. 2017, section 3.5).

    Shapes: (batch, time, width) to the same; the width is even.
    """

    def call(self, sequence):
        place = ops.arange(ops.shape(sequence)[1], dtype="float32")
        return sequence + ops.cast(sinusoids(place, sequence.shape[-1]), sequence.dtype)

    def compute_output_shape(self, sequence_shape):
        return sequence_shape


def sinusoids(place, width):
    """Sines and cosines of places `(...)`, float32 `(..., width)`, the width even: half of each."""
    angle = _angles(place, width // 2)
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)


def _heads(projected, num_parts, num_heads):
    """The parts that stand side by side in `(batch, time, parts * width)`, each `(batch, head, time, depth)`."""
    batch, time, width = ops.shape(projected)
    heads = ops.reshape(projected, (batch, time, num_parts, num_heads, width // num_parts // num_heads))
    return ops.unstack(ops.transpose(heads, (2, 0, 3, 1, 4)))


def _attended(query, key, value, allowed):
    """`(batch, query, width)`: of each query the values by their keys' likeness, of those that are allowed."""
    batch, num_heads, num_queries, depth = ops.shape(query)
    scores = ops.matmul(query / depth**0.5, ops.transpose(key, (0, 1, 3, 2)))
    if allowed is not None:
        scores = ops.where(allowed, scores, -float("inf"))
    attended = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
    return ops.reshape(attended, (batch, num_queries, num_heads * depth))


def _turned(heads, rotary_width):
    """The first numbers of `(batch, head, time, width)`, pairs of one of either half, turned by their frame's angle."""
    half = rotary_width // 2
    angle = _angles(ops.arange(ops.shape(heads)[2], dtype="float32"), half)
    cosine, sine = ops.cast(ops.cos(angle), heads.dtype), ops.cast(ops.sin(angle), heads.dtype)
    one, other = heads[..., :half], heads[..., half:rotary_width]
    rest = [heads[..., rotary_width:]] if rotary_width < heads.shape[-1] else []
    return ops.concatenate([one * cosine - other * sine, other * cosine + one * sine, *rest], axis=-1)


def _angles(place, count):
    """`(..., count)` angles that grow with a frame's place `(...)`, some fast and some slowly.

    They are float32: in half precision those of late frames would be rounded to whole turns.
    """
    return place[..., None] * POSITION_BASE ** (-ops.arange(count, dtype="float32") / count)


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
