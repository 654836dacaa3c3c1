"""Changes to waveforms: speed, shift, silence, noise, rooms, telephones.

Each takes `waveform` `(batch, samples)`, padded at the end, `num_samples` `(batch,)` and a seed, and draws for each
clip of the batch.
"""

import math
from typing import Any

import tensorflow as tf

from kerasr.audio.features import cubic
from kerasr.config import Augmentation
from kerasr.data.augment.graph import Batch, choose_clips, fold, silence_padding, size_of

# How much softer than the clip in whose place it is noise may be.
NOISE_ONLY_RANGE_DB = 30.0


def perturb_speed(waveform: tf.Tensor, num_samples: tf.Tensor, speed: tuple[float, float], seed: tf.Tensor) -> Batch:
    """Play each clip at its own rate between the two given (Ko et al., Audio Augmentation, Interspeech 2015).

    As `kerasr.audio.features.change_speed`, which has one speed for all clips and runs on every backend.
    """
    rate = tf.random.stateless_uniform(tf.shape(num_samples), seed, *speed)
    width = tf.cast(tf.math.ceil(tf.cast(tf.shape(waveform)[1], tf.float32) / speed[0]), tf.int32)
    position = tf.range(width, dtype=tf.float32)[None, :] * rate[:, None]
    whole = tf.floor(position)
    x = position - whole
    # The four neighbours of each sample side by side: one look-up finds them all.
    size = tf.shape(waveform)[1]
    beside = tf.concat([waveform[:, :1], waveform, waveform[:, -1:], waveform[:, -1:]], 1)
    neighbours = tf.stack([beside[:, offset : offset + size] for offset in range(4)], -1)
    places = tf.minimum(tf.cast(whole, tf.int32), size - 1) + size * tf.range(tf.shape(waveform)[0])[:, None]
    a, b, c, d = tf.unstack(tf.gather(tf.reshape(neighbours, [-1, 4]), places), axis=-1)
    num_samples = tf.maximum(tf.cast(tf.cast(num_samples, tf.float32) / rate, tf.int32), 1)
    return silence_padding(cubic(a, b, c, d, x), num_samples), num_samples


def shift_time(waveform: tf.Tensor, num_samples: tf.Tensor, most: int, window: int | None, seed: tf.Tensor) -> Batch:
    """Move each clip up to `most` samples later (silence in front) or earlier (half of it at most is cut).

    It moves inside the window that the model looks at, the middle `window` samples of a longer clip, and is cut to it
    here: the front-end would take the middle again, and with it half of a later start back. With None, the model looks
    at all of a clip.
    """
    size = tf.shape(waveform)[1]
    shift = tf.random.stateless_uniform(tf.shape(num_samples), seed, -most, most + 1, dtype=tf.int32)
    shift = tf.maximum(shift, -(num_samples // 2))
    # Where the window begins in the clip, before the shift (as `middle_start` of the front-end says) and after it.
    start = 0 if window is None else tf.maximum(num_samples - window, 0) // 2
    start -= shift
    width = size + most if window is None else tf.minimum(size + most, window)
    position = tf.range(width)[None, :] + start[:, None]
    moved = tf.gather(waveform, tf.clip_by_value(position, 0, size - 1), batch_dims=1)
    num_samples = tf.minimum(num_samples - start, width)
    return silence_padding(tf.where(position >= 0, moved, 0.0), num_samples), num_samples


def add_silence(waveform: tf.Tensor, num_samples: tf.Tensor, most: int, seed: tf.Tensor) -> Batch:
    """Put up to `most` samples of silence before each clip and after it; at each end, half of the clips get none."""
    ends = tf.random.stateless_uniform([2, size_of(num_samples)], seed, -most, most + 1, dtype=tf.int32)
    before, after = tf.unstack(tf.maximum(ends, 0))
    size = tf.shape(waveform)[1]
    position = tf.range(size + 2 * most)[None, :] - before[:, None]
    moved = tf.gather(waveform, tf.clip_by_value(position, 0, size - 1), batch_dims=1)
    inside = (position >= 0) & (position < num_samples[:, None])
    return tf.where(inside, moved, 0.0), before + num_samples + after


def add_noise(
    waveform: tf.Tensor, num_samples: tf.Tensor, augment: Augmentation, noise: tf.Tensor | None, seed: tf.Tensor
) -> tf.Tensor:
    """Add noise to a share of the clips: from recordings `(recording, samples)`, else between white and pink."""
    chosen, clips, num_samples = choose_clips(waveform, num_samples, augment.noise, fold(seed, 2))
    batch, width = tf.unstack(tf.shape(clips))
    sound = silence_padding(draw_noise(noise, batch, width, fold(seed, 0)), num_samples)
    snr_db = tf.random.stateless_uniform([batch, 1], fold(seed, 1), *augment.noise_snr_db)
    wanted = tf.reduce_sum(tf.square(clips), 1, keepdims=True) / tf.pow(10.0, snr_db / 10)
    scale = tf.sqrt(tf.math.divide_no_nan(wanted, tf.reduce_sum(tf.square(sound), 1, keepdims=True)))
    return tf.tensor_scatter_nd_add(waveform, chosen, scale * sound)


def leave_noise(
    waveform: tf.Tensor, num_samples: tf.Tensor, share: float, noise: tf.Tensor | None, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Put noise in the place of a share of the clips: the changed batch, and `(chosen, 1)`, which these are.

    It is as loud as the clip or up to 30 dB softer, and between steady and as loud over time as the clip is: noise that
    bears a voice's envelope and none of its speech (Schroeder, Reference Signal for Signal Quality Studies, JASA 1968).
    """
    chosen, clips, num_samples = choose_clips(waveform, num_samples, share, fold(seed, 0))
    batch, width = tf.unstack(tf.shape(clips))
    envelope = tf.pow(tf.abs(clips), tf.random.stateless_uniform([batch, 1], fold(seed, 1)))
    sound = silence_padding(envelope * draw_noise(noise, batch, width, fold(seed, 2)), num_samples)
    level_db = tf.random.stateless_uniform([batch, 1], fold(seed, 3), -NOISE_ONLY_RANGE_DB, 0.0)
    wanted = tf.reduce_sum(tf.square(clips), 1, keepdims=True) * tf.pow(10.0, level_db / 10)
    scale = tf.sqrt(tf.math.divide_no_nan(wanted, tf.reduce_sum(tf.square(sound), 1, keepdims=True)))
    return tf.tensor_scatter_nd_update(waveform, chosen, scale * sound), chosen


def draw_noise(noise: tf.Tensor | None, batch: Any, width: Any, seed: tf.Tensor) -> tf.Tensor:
    """`(batch, width)` from recordings of noise `(recording, samples)`, else between white and pink."""
    return coloured_noise(batch, width, seed) if noise is None else noise_segments(noise, batch, width, seed)


def coloured_noise(batch: Any, width: Any, seed: tf.Tensor) -> tf.Tensor:
    """`(batch, width)` noise whose power falls with frequency to the power of 0 (white) to 1 (pink)."""
    size = _quick_size(width)
    # The spectrum of white noise is white noise itself: it need not be computed.
    parts = tf.random.stateless_normal([2, batch, size // 2 + 1], fold(seed, 0))
    slope = tf.random.stateless_uniform([batch, 1], fold(seed, 1), 0.0, 0.5)
    coloured = parts * tf.range(1, size // 2 + 2, dtype=tf.float32) ** -slope
    return tf.signal.irfft(tf.complex(coloured[0], coloured[1]), [size])[:, :width]


def noise_segments(noise: tf.Tensor, batch: Any, width: Any, seed: tf.Tensor) -> tf.Tensor:
    """`(batch, width)` segments from recordings of noise, each from its own place; a short recording is repeated."""
    which = tf.random.stateless_uniform([batch], fold(seed, 0), 0, tf.shape(noise)[0], dtype=tf.int32)
    start = tf.random.stateless_uniform([batch], fold(seed, 1), 0, tf.shape(noise)[1], dtype=tf.int32)
    position = (start[:, None] + tf.range(width)[None, :]) % tf.shape(noise)[1]
    return tf.gather_nd(noise, tf.stack([tf.broadcast_to(which[:, None], tf.shape(position)), position], -1))


def reverberate(
    waveform: tf.Tensor, num_samples: tf.Tensor, augment: Augmentation, sample_rate: int, seed: tf.Tensor
) -> tf.Tensor:
    """Put a share of the clips into a room: an impulse, then noise that dies away (Polack's model of late echoes).

    The echo holds between a hundredth of the direct sound's energy and as much of it, evenly in dB.
    """
    chosen, clips, num_samples = choose_clips(waveform, num_samples, augment.reverb, fold(seed, 3))
    batch, width = tf.unstack(tf.shape(clips))
    length = round(augment.reverb_seconds[1] * sample_rate)
    rt60 = tf.random.stateless_uniform([batch, 1], fold(seed, 0), *augment.reverb_seconds)
    seconds = tf.range(1, length + 1, dtype=tf.float32)[None, :] / sample_rate
    echo = tf.random.stateless_normal([batch, length], fold(seed, 1)) * tf.pow(10.0, -3 * seconds / rt60)
    energy_db = tf.random.stateless_uniform([batch, 1], fold(seed, 2), -20.0, 0.0)
    echo *= tf.pow(10.0, energy_db / 20) * tf.math.rsqrt(tf.reduce_sum(tf.square(echo), 1, keepdims=True))
    size = _quick_size(width + length)
    spectrum = _spectrum(clips, size) * _spectrum(tf.pad(echo, [[0, 0], [1, 0]]), size)
    echoed = tf.signal.irfft(spectrum, [size])[:, :width]
    return tf.tensor_scatter_nd_add(waveform, chosen, silence_padding(echoed, num_samples))


def telephone(
    waveform: tf.Tensor, num_samples: tf.Tensor, share: float, sample_rate: int, seed: tf.Tensor
) -> tf.Tensor:
    """Send a share of the clips over a telephone: a band around 300 to 3,400 Hz, and 8 bits of mu-law (ITU-T G.711)."""
    chosen, clips, num_samples = choose_clips(waveform, num_samples, share, fold(seed, 2))
    batch, width = tf.unstack(tf.shape(clips))
    size = _quick_size(width)
    hertz = tf.linspace(0.0, sample_rate / 2, size // 2 + 1)[None, :]
    low = tf.random.stateless_uniform([batch, 1], fold(seed, 0), 100.0, 400.0)
    high = tf.random.stateless_uniform([batch, 1], fold(seed, 1), 2800.0, 4000.0)
    band = tf.sigmoid((hertz - low) / 20) * tf.sigmoid((high - hertz) / 50)
    filtered = tf.signal.irfft(_spectrum(clips, size) * tf.cast(band, tf.complex64), [size])[:, :width]
    peak = tf.maximum(tf.reduce_max(tf.abs(filtered), 1, keepdims=True), 1e-6)
    compressed = tf.sign(filtered) * tf.math.log1p(255.0 * tf.abs(filtered) / peak) / math.log(256.0)
    coded = tf.round(compressed * 127) / 127
    decoded = tf.sign(coded) * tf.math.expm1(math.log(256.0) * tf.abs(coded)) / 255.0 * peak
    return tf.tensor_scatter_nd_update(waveform, chosen, silence_padding(decoded, num_samples))


def _spectrum(waveform: tf.Tensor, size: Any) -> tf.Tensor:
    """The transform of each clip, padded to `size` by hand: `tf.signal.rfft` fails to where there is no clip."""
    return tf.signal.rfft(tf.pad(waveform, [[0, 0], [0, size - size_of(waveform, 1)]]), [size])


def _quick_size(size: Any) -> Any:
    """The next multiple of 512: a Fourier transform of a length with large factors takes up to four times as long."""
    return -(-size // 512) * 512
