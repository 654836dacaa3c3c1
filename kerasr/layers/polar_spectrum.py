"""A spectrum from magnitudes and phases."""

import keras
from keras import ops

from kerasr.layers.masking import register

# Largest magnitude: an exponential that runs away early in a training would end it.
LOUDEST = 1e2


@register
class PolarSpectrum(keras.layers.Layer):
    """Real and imaginary parts of log magnitudes and phases; any number is a phase.

    Shapes: (batch, time, 2 * frequencies), the log magnitudes first, to the same, the real parts first.

    Source: Siuzdak, "Vocos", ICLR 2024, https://arxiv.org/abs/2306.00814, section 3.1.
    """

    def call(self, x):
        log_magnitude, phase = ops.split(x, 2, axis=-1)
        magnitude = ops.minimum(ops.exp(log_magnitude), LOUDEST)
        return ops.concatenate([magnitude * ops.cos(phase), magnitude * ops.sin(phase)], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape
