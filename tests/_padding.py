"""Clips of several lengths in one batch, and how the tests of layers compare values and gradients."""

import numpy as np
import tensorflow as tf

NUM_FRAMES = np.array([7, 1, 12, 5], "int32")


def padded_clips():
    """Four clips of 7, 1, 12 and 5 frames, padded to 12; the last one has a silent frame inside."""
    values = np.random.default_rng(0).normal(size=(4, 12, 3)).astype("float32")
    values[np.arange(12)[None] >= NUM_FRAMES[:, None]] = 0
    values[3, 2] = 0
    return values


def with_gradients(call, sources):
    """What a call returns, and the slopes of a bent sum of it."""
    sources = [getattr(source, "value", source) for source in sources]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = call()
        loss = tf.reduce_sum(tf.sin(3 * outputs))
    return [outputs.numpy(), *(gradient.numpy() for gradient in tape.gradient(loss, sources))]
