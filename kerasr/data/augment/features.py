"""Changes to features: tempo, vocal tract, tilt, equaliser, masks.

Each takes normalised `features` `(batch, time, feature)` and a seed, and draws for each clip of the batch.
"""

import math

import numpy as np
import tensorflow as tf

from kerasr.audio.features import Features, mel_edges
from kerasr.data.augment.graph import fold, own_frames, size_of

# Half-waves over the bands in the quickest curve of `equalise`.
EQ_WAVES = 4


def stretch_time(features: tf.Tensor, tempo: tuple[float, float], seed: tf.Tensor, *, whole: bool = False) -> tf.Tensor:
    """Read each clip's frames at a pace of its own, between frames linearly.

    Where clips are `whole` there is time for the slowest; else what does not fit is cut off.
    """
    batch, time = size_of(features), size_of(features, 1)
    pace = tf.random.stateless_uniform([batch, 1], seed, *tempo)
    room = tf.cast(tf.math.ceil(tf.cast(time, tf.float32) / min(tempo[0], 1.0)), tf.int32) if whole else time
    position = tf.range(room, dtype=tf.float32)[None, :] * pace
    num_frames = tf.reduce_sum(tf.cast(own_frames(features), tf.float32), axis=1)
    # Past the last frame there is nothing to read: the padding grows or shrinks with the clip.
    weights = tf.where((position <= num_frames[:, None] - 1)[:, :, None], _between(position, time), 0.0)
    return tf.matmul(weights, features)


def warp_frequency(features: tf.Tensor, vtlp: tuple[float, float], front_end: Features, seed: tf.Tensor) -> tf.Tensor:
    """Vocal tract length perturbation (Jaitly and Hinton 2013, equation 1), on the mel bands.

    A band gets what is at its frequency times the factor; from 60% of the highest frequency on, the map bends so that
    the ends stay where they are.
    """
    spec = front_end.spec
    centres = tf.constant(mel_edges(spec)[1:-1], tf.float32)
    factor = tf.random.stateless_uniform([size_of(features), 1], seed, *vtlp)
    knee = 0.6 * spec.fmax_hz * tf.minimum(1.0, 1 / factor)
    above = spec.fmax_hz - (spec.fmax_hz - knee * factor) / (spec.fmax_hz - knee) * (spec.fmax_hz - centres)
    hertz = tf.where(centres <= knee, centres * factor, above)
    right = tf.reshape(tf.searchsorted(centres, tf.reshape(hertz, [-1])), tf.shape(hertz))
    right = tf.clip_by_value(right, 1, spec.n_mels - 1)
    below, over = tf.gather(centres, right - 1), tf.gather(centres, right)
    position = tf.cast(right, tf.float32) - 1 + tf.clip_by_value((hertz - below) / (over - below), 0.0, 1.0)
    mean, std = tf.constant(front_end.mean), tf.constant(front_end.std)
    warped = tf.matmul(features * std + mean, _between(position, spec.n_mels), transpose_b=True)
    return tf.where(own_frames(features)[:, :, None], (warped - mean) / std, 0.0)


def tilt_spectrum(features: tf.Tensor, most_db: float, std: tuple[float, ...], seed: tf.Tensor) -> tf.Tensor:
    """Add a slope over the bands of up to `most_db`, end to end; the padding stays zero."""
    slope = tf.random.stateless_uniform([size_of(features), 1, 1], seed, -most_db, most_db)
    ramp = (np.linspace(-0.5, 0.5, len(std)) / np.array(std)).astype("float32")
    return tf.where(own_frames(features)[:, :, None], features + slope * ramp, 0.0)


def equalise(features: tf.Tensor, size_db: float, std: tuple[float, ...], seed: tf.Tensor) -> tf.Tensor:
    """Add a smooth curve over the bands, with a standard deviation of `size_db`; the padding stays zero.

    The curve is a sum of cosines of one to `EQ_WAVES` half-waves over the bands, each with a normal weight.
    """
    waves = np.arange(1, EQ_WAVES + 1)[:, None] * np.linspace(0, np.pi, len(std))[None, :]
    # Each cosine has a mean square of one half.
    curves = (np.cos(waves) * math.sqrt(2 / EQ_WAVES) / np.array(std)).astype("float32")
    weights = tf.random.stateless_normal([size_of(features), EQ_WAVES], seed, stddev=size_db)
    return tf.where(own_frames(features)[:, :, None], features + tf.matmul(weights, curves)[:, None], 0.0)


def mask(features: tf.Tensor, count: int, longest: int, *, axis: int, seed: tf.Tensor, share: float = 0.5) -> tf.Tensor:
    """Set `count` segments of up to `longest` steps along `axis` to 0, the mean (SpecAugment, Park et al., 2019).

    Those of time (`axis` 1) lie within the clip's own frames: in the padding there is nothing to blank. A segment is no
    more than `share` of what there is, so that its width follows the clip's length (Park et al., SpecAugment on Large
    Scale Datasets, ICASSP 2020, section 3.2).
    """
    batch, width = size_of(features), size_of(features, axis)
    own = tf.reduce_sum(tf.cast(own_frames(features), tf.int32), axis=1) if axis == 1 else tf.fill([batch], width)
    size = own[:, None, None]
    most = tf.minimum(longest, tf.cast(share * tf.cast(size, tf.float32), tf.int32))
    drawn = tf.random.stateless_uniform([batch, count, 1], fold(seed, 0))
    length = tf.cast(drawn * tf.cast(most + 1, tf.float32), tf.int32)
    place = tf.random.stateless_uniform([batch, count, 1], fold(seed, 1))
    start = tf.cast(place * tf.cast(size - length + 1, tf.float32), tf.int32)
    position = tf.range(width)[None, None, :]
    blank = tf.reduce_any((position >= start) & (position < start + length), axis=1)
    return tf.where(tf.expand_dims(blank, 3 - axis), 0.0, features)


def _between(position: tf.Tensor, size: tf.Tensor | int) -> tf.Tensor:
    """`(..., size)` weights that read off a line of `size` values at each `position` `(...)`, linearly."""
    places = tf.range(tf.cast(size, tf.float32))
    return tf.maximum(1 - tf.abs(tf.expand_dims(position, -1) - places), 0.0)
