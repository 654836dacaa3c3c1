"""What the tests of augmentation begin with."""

import numpy as np
import tensorflow as tf

from kerasr.config import Augmentation, FeatureSpec

SEED = tf.constant([3, 5], tf.int64)
EVERYTHING = Augmentation(time_shift=0.05, gain_db=6.0, speed=(0.8, 1.2), silence=0.1, noise=1.0, reverb=1.0, codec=1.0)
LOG_MEL = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, clip_seconds=0.5)


def two_clips(rng: np.random.Generator) -> tuple[tf.Tensor, tf.Tensor]:
    """Two clips of 4,000 and 2,500 samples, padded to 4,000."""
    waveform = 0.1 * rng.standard_normal((2, 4000)).astype("float32")
    waveform[1, 2500:] = 0
    return tf.constant(waveform), tf.constant([4000, 2500])
