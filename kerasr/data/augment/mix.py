"""Changes that blend each clip of a batch with another one, and what belongs to them alike."""

from typing import Any

import tensorflow as tf

from kerasr.data.augment.graph import fold, own_frames, size_of


def mixup(features: tf.Tensor, beside: Any, alpha: float, seed: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Blend each clip with its mirror in the batch, and what belongs to it alike (mixup, Zhang et al., 2018).

    Args:
        features: `(batch, time, feature)`.
        beside: targets and whatever else belongs to the clips: tensors `(batch, ...)`, in dictionaries or alone.
        alpha: the shares are drawn from Beta(alpha, alpha).
        seed: draws them.
    """
    draws = tf.random.stateless_gamma([2, size_of(features)], seed, alpha)  # pyright: ignore[reportArgumentType]
    # Two draws that vanish leave the clip as it is.
    share = tf.math.divide_no_nan(draws[0], draws[0] + draws[1])
    weight = tf.maximum(share, 1 - share)
    return _blend(features, weight), tf.nest.map_structure(lambda values: _blend(values, weight), beside)


def cutmix(features: tf.Tensor, beside: Any, share: float, seed: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """In a share of the clips, take a segment of up to half the time from the clip's mirror in the batch.

    The targets blend as the time does (CutMix, Yun et al. 2019, with a segment of time for a box).
    """
    batch, time = size_of(features), size_of(features, 1)
    # The segment lies where this clip or its mirror sounds: beyond that there is nothing to exchange.
    sounding = tf.reduce_sum(tf.cast(own_frames(features), tf.float32), axis=1)
    longest = tf.maximum(sounding, tf.reverse(sounding, [0]))
    chosen = tf.cast(tf.random.stateless_uniform([batch], fold(seed, 0)) < share, tf.float32)
    part = chosen * tf.random.stateless_uniform([batch], fold(seed, 1), 0.0, 0.5)
    start = tf.random.stateless_uniform([batch], fold(seed, 2)) * (1 - part) * longest
    position = tf.range(time, dtype=tf.float32)[None, :]
    inside = (position >= start[:, None]) & (position < (start + part * longest)[:, None])
    features = tf.where(inside[:, :, None], tf.reverse(features, [0]), features)
    return features, tf.nest.map_structure(lambda values: _blend(values, 1 - part), beside)


def _blend(values: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
    """A share `(batch,)` of each row, and the rest of its mirror in the batch."""
    own = tf.reshape(own, [-1] + [1] * (values.shape.rank - 1))
    return own * values + (1 - own) * tf.reverse(values, [0])
