"""Multi-period discriminator: tells recordings from waveforms that a vocoder has made. It is there in training alone.

For each of several periods, which are prime so that they overlap as little as can be, the waveform is folded into rows
of so many samples, and convolutions run down the columns: each sees every so-manieth sample alone. Columns lie side by
side along a picture's width, where TensorFlow is quicker on a CPU.

Source: Kong, Kim and Bae, "HiFi-GAN", NeurIPS 2020, https://arxiv.org/abs/2010.05646, section 2.3, with its periods,
kernels and strides; with fewer channels, one convolution less, and no weight norm.
"""

import keras
from keras import ops

PERIODS = (2, 3, 5, 7, 11)
KERNEL_SIZE, STRIDES, SCORE_SIZE = 5, 3, 3


class Fold(keras.layers.Layer):
    """Samples `(batch, samples)` in columns `(batch, period, time, 1)`, with rows of zeros before and after them.

    Args:
        period: samples of a row.
        num_before: rows of zeros before.
        num_after: rows of zeros after, beside what fills up the last of the samples' own.
    """

    def __init__(self, period: int, num_before: int, num_after: int, **kwargs):
        super().__init__(**kwargs)
        self._period, self._before, self._after = period, num_before * period, num_after * period

    def call(self, waveform):
        filled = ops.pad(waveform, ((0, 0), (self._before, self._after + self._period - 1)))
        size = ops.shape(filled)[1] // self._period * self._period
        rows = ops.reshape(filled[:, :size], (ops.shape(waveform)[0], -1, self._period, 1))
        return ops.transpose(rows, (0, 2, 1, 3))

    def compute_output_spec(self, waveform):
        return keras.KerasTensor((waveform.shape[0], self._period, None, 1), self.compute_dtype)


def MultiPeriodDiscriminator(
    *, channels: tuple[int, ...] = (8, 16, 32, 64), name: str = "multi_period_discriminator"
) -> keras.Model:
    """Build a multi-period discriminator.

    Only the waveform is padded, so a layer's output is of the samples that it sees, whatever the clip is batched with.

    Args:
        channels: of the convolutions for each period, each of which leaves a third of the rows.
        name: the model's name.

    Returns:
        Model from waveforms (batch, samples), zero past a clip's end, to a list for each period of what its layers
        give, (batch, period, time, channels). The scores are the last, float32 with one channel: 1 for a recording, 0
        for what is made. A clip's own are the first `num_scores`.
    """
    waveform = keras.Input((None,), name="waveform")
    outputs = [_judge(waveform, period, channels, f"period{period}") for period in PERIODS]
    return keras.Model(waveform, outputs, name=name)


def num_scores(num_samples, period, num_layers):
    """How many rows of scores are a clip's own, of its samples and of what the discriminator's layers give."""
    size = period * STRIDES ** (num_layers - 1)
    return (num_samples + size - 1) // size


def _judge(waveform, period, channels, name):
    reach = SCORE_SIZE // 2
    for _ in channels:
        reach = STRIDES * reach + KERNEL_SIZE // 2
    # The first score is of the first row; past the end, all is there that any layer can see of a clip.
    x = Fold(period, reach, 2 * reach, name=f"{name}_fold")(waveform)
    layers = []
    for number, filters in enumerate(channels, 1):
        x = keras.layers.Conv2D(
            filters, (1, KERNEL_SIZE), (1, STRIDES), activation=_activate, name=f"{name}_conv{number}"
        )(x)
        layers.append(x)
    return [*layers, keras.layers.Conv2D(1, (1, SCORE_SIZE), dtype="float32", name=f"{name}_scores")(x)]


def _activate(x):
    """ReLU, leaky by a tenth; TensorFlow would fuse its own with the convolution, and fails at that in training."""
    return ops.maximum(x, 0.1 * x)
