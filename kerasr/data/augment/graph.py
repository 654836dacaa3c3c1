"""What the changes to clips share: seeds of their own, sizes as the graph knows them, a drawn share of a batch."""

from typing import Any

import tensorflow as tf

Batch = tuple[tf.Tensor, tf.Tensor]


def fold(seed: tf.Tensor, number: int) -> Any:
    """A seed of its own for each draw."""
    return tf.random.fold_in(seed, number)


def size_of(values: tf.Tensor, axis: int = 0) -> Any:
    """A size as the graph knows it; of any type, for TensorFlow's stubs want whole numbers in a shape."""
    return tf.shape(values)[axis]


def choose_clips(
    waveform: tf.Tensor, num_samples: tf.Tensor, share: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where a drawn share of the clips stands in the batch, `(chosen, 1)`, and these clips with their lengths.

    What is done to them is not computed for the others.
    """
    chosen = tf.where(tf.random.stateless_uniform(tf.shape(num_samples), seed) < share)
    return chosen, tf.gather_nd(waveform, chosen), tf.gather_nd(num_samples, chosen)


def silence_padding(waveform: tf.Tensor, num_samples: tf.Tensor) -> tf.Tensor:
    """The clips `(batch, samples)` with zeros past their own samples."""
    return tf.where(tf.range(tf.shape(waveform)[1])[None, :] < num_samples[:, None], waveform, 0.0)


def own_frames(features: tf.Tensor) -> tf.Tensor:
    """`(batch, time)`: whether a frame holds anything; the front-end makes those past the clip's end exactly zero."""
    return tf.reduce_any(features != 0, axis=-1)
