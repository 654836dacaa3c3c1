"""Changes to training clips, in the graph: each a function of the clip and of a seed, so that a run can be repeated.

Waveform functions take `waveform` `(batch, samples)`, padded at the end, and `num_samples` `(batch,)`; feature
functions take normalised `features` `(batch, time, feature)`. Every one draws anew for each clip of the batch. The seed
is a pair of integers as TensorFlow's stateless random functions take it.
"""

import math
import zlib
from typing import Any

import numpy as np
import tensorflow as tf

from kerasr.audio.features import Features, cubic, mel_edges
from kerasr.config import Augmentation, FeatureSpec
from kerasr.data.augmentations import extra_changes
from kerasr.data.clips import most_shift

Batch = tuple[tf.Tensor, tf.Tensor]

# Half-waves over the bands in the quickest curve of `equalise`.
EQ_WAVES = 4


def changes_waveform(augment: Augmentation) -> bool:
    """Whether features must be computed anew in each epoch."""
    return bool(
        augment.time_shift
        or augment.silence
        or augment.gain_db
        or augment.speed != (1.0, 1.0)
        or augment.noise
        or augment.reverb
        or augment.codec
        or extra_changes(augment, "waveform")
    )


def feature_changes(augment: Augmentation) -> list[str]:
    """Names of the settings that are on and change clips after the front-end."""
    factors = [name for name in ("tempo", "vtlp") if getattr(augment, name) != (1.0, 1.0)]
    amounts = ("tilt_db", "eq_db", "time_masks", "frequency_masks", "mixup", "cutmix")
    extra = [known.name for known, _ in extra_changes(augment, "features")]
    return factors + [name for name in amounts if getattr(augment, name)] + extra


def changes_bands(augment: Augmentation) -> bool:
    """Whether anything drawn takes neighbouring features for neighbouring bands, as only those of a log-mel are."""
    return bool(augment.vtlp != (1.0, 1.0) or augment.tilt_db or augment.eq_db)


def augment_waveform(
    waveform: tf.Tensor,
    num_samples: tf.Tensor,
    augment: Augmentation,
    *,
    spec: FeatureSpec,
    noise: tf.Tensor | None,
    seed: tf.Tensor,
) -> Batch:
    """Speed, shift, silence, room, gain, noise, codec: the order in which they happen to a voice until it is heard.

    What was registered comes last.
    """
    sample_rate = spec.sample_rate
    if augment.speed != (1.0, 1.0):
        waveform, num_samples = change_speed(waveform, num_samples, augment.speed, _fold(seed, 0))
    if augment.time_shift:
        most = most_shift(spec, augment)
        window = None if spec.clip_seconds is None else spec.clip_samples
        waveform, num_samples = shift_time(waveform, num_samples, most, window, _fold(seed, 1))
    if augment.silence:
        waveform, num_samples = add_silence(
            waveform, num_samples, round(augment.silence * sample_rate), _fold(seed, 14)
        )
    if augment.reverb:
        waveform = reverberate(waveform, num_samples, augment, sample_rate, _fold(seed, 8))
    if augment.gain_db:
        gain = tf.random.stateless_uniform(tf.shape(num_samples), _fold(seed, 2), -augment.gain_db, augment.gain_db)
        waveform *= tf.pow(10.0, gain[:, None] / 20)
    if augment.noise:
        waveform = add_noise(waveform, num_samples, augment, noise, _fold(seed, 3))
    if augment.codec:
        waveform = telephone(waveform, num_samples, augment.codec, sample_rate, _fold(seed, 9))
    for known, amount in extra_changes(augment, "waveform"):
        changed = known.change(waveform, num_samples, _named(seed, known.name), amount=amount, sample_rate=sample_rate)
        waveform = _silence_padding(tf.ensure_shape(changed, waveform.shape), num_samples)
    return waveform, num_samples


def augment_features(
    features: tf.Tensor, targets: tf.Tensor, augment: Augmentation, *, front_end: Features, seed: tf.Tensor
) -> Batch:
    """Tempo, vocal tract, microphone, what was registered, masks, cutmix, mixup; these two blend the targets alike."""
    spec = front_end.spec
    if augment.tempo != (1.0, 1.0):
        features = stretch_time(features, augment.tempo, _fold(seed, 10))
    if augment.vtlp != (1.0, 1.0):
        features = warp_frequency(features, augment.vtlp, front_end, _fold(seed, 11))
    if augment.tilt_db:
        features = tilt_spectrum(features, augment.tilt_db, front_end.std, _fold(seed, 4))
    if augment.eq_db:
        features = equalise(features, augment.eq_db, front_end.std, _fold(seed, 12))
    for known, amount in extra_changes(augment, "features"):
        changed = known.change(features, _named(seed, known.name), amount=amount)
        features = tf.where(_own_frames(features)[:, :, None], tf.ensure_shape(changed, features.shape), 0.0)
    if augment.time_masks:
        longest = round(augment.time_mask_seconds * spec.sample_rate / spec.hop_length)
        features = mask(features, augment.time_masks, longest, axis=1, seed=_fold(seed, 5))
    if augment.frequency_masks:
        features = mask(features, augment.frequency_masks, augment.frequency_mask_width, axis=2, seed=_fold(seed, 6))
    if augment.cutmix:
        features, targets = cutmix(features, targets, augment.cutmix, _fold(seed, 13))
    if augment.mixup:
        features, targets = mixup(features, targets, augment.mixup, _fold(seed, 7))
    return features, targets


def change_speed(waveform: tf.Tensor, num_samples: tf.Tensor, speed: tuple[float, float], seed: tf.Tensor) -> Batch:
    """Play each clip at its own rate between the two given (Ko et al., Audio Augmentation, Interspeech 2015).

    Samples between samples are read off a cubic through their four neighbours (Catmull and Rom, 1974).
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
    return _silence_padding(cubic(a, b, c, d, x), num_samples), num_samples


def shift_time(waveform: tf.Tensor, num_samples: tf.Tensor, most: int, window: int | None, seed: tf.Tensor) -> Batch:
    """Move each clip up to `most` samples later (silence in front) or earlier (half of it at most is cut).

    It moves inside the window that the model looks at, the middle `window` samples of a longer clip, and is cut to it
    here: the front-end would take the middle anew, and with it half of a later start back. With None, the model looks
    at all of a clip.
    """
    size = tf.shape(waveform)[1]
    shift = tf.random.stateless_uniform(tf.shape(num_samples), seed, -most, most + 1, dtype=tf.int32)
    shift = tf.maximum(shift, -(num_samples // 2))
    # Where the window begins in the clip, before the shift and after it.
    start = 0 if window is None else tf.maximum(num_samples - window, 0) // 2
    start -= shift
    width = size + most if window is None else tf.minimum(size + most, window)
    position = tf.range(width)[None, :] + start[:, None]
    moved = tf.gather(waveform, tf.clip_by_value(position, 0, size - 1), batch_dims=1)
    num_samples = tf.minimum(num_samples - start, width)
    return _silence_padding(tf.where(position >= 0, moved, 0.0), num_samples), num_samples


def add_silence(waveform: tf.Tensor, num_samples: tf.Tensor, most: int, seed: tf.Tensor) -> Batch:
    """Put up to `most` samples of silence before each clip and after it; at each end, half of the clips get none."""
    ends = tf.random.stateless_uniform([2, _size(num_samples)], seed, -most, most + 1, dtype=tf.int32)
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
    chosen, clips, num_samples = _choose(waveform, num_samples, augment.noise, _fold(seed, 2))
    batch, width = tf.unstack(tf.shape(clips))
    if noise is None:
        sound = coloured_noise(batch, width, _fold(seed, 0))
    else:
        sound = noise_segments(noise, batch, width, _fold(seed, 0))
    sound = _silence_padding(sound, num_samples)
    snr_db = tf.random.stateless_uniform([batch, 1], _fold(seed, 1), *augment.noise_snr_db)
    wanted = tf.reduce_sum(tf.square(clips), 1, keepdims=True) / tf.pow(10.0, snr_db / 10)
    scale = tf.sqrt(tf.math.divide_no_nan(wanted, tf.reduce_sum(tf.square(sound), 1, keepdims=True)))
    return tf.tensor_scatter_nd_add(waveform, chosen, scale * sound)


def coloured_noise(batch: Any, width: Any, seed: tf.Tensor) -> tf.Tensor:
    """`(batch, width)` noise whose power falls with frequency to the power of 0 (white) to 1 (pink)."""
    size = _quick_size(width)
    # The spectrum of white noise is white noise itself: it need not be computed.
    parts = tf.random.stateless_normal([2, batch, size // 2 + 1], _fold(seed, 0))
    slope = tf.random.stateless_uniform([batch, 1], _fold(seed, 1), 0.0, 0.5)
    coloured = parts * tf.range(1, size // 2 + 2, dtype=tf.float32) ** -slope
    return tf.signal.irfft(tf.complex(coloured[0], coloured[1]), [size])[:, :width]


def noise_segments(noise: tf.Tensor, batch: Any, width: Any, seed: tf.Tensor) -> tf.Tensor:
    """`(batch, width)` stretches from recordings of noise, each from its own place; a short recording is repeated."""
    which = tf.random.stateless_uniform([batch], _fold(seed, 0), 0, tf.shape(noise)[0], dtype=tf.int32)
    start = tf.random.stateless_uniform([batch], _fold(seed, 1), 0, tf.shape(noise)[1], dtype=tf.int32)
    position = (start[:, None] + tf.range(width)[None, :]) % tf.shape(noise)[1]
    return tf.gather_nd(noise, tf.stack([tf.broadcast_to(which[:, None], tf.shape(position)), position], -1))


def reverberate(
    waveform: tf.Tensor, num_samples: tf.Tensor, augment: Augmentation, sample_rate: int, seed: tf.Tensor
) -> tf.Tensor:
    """Put a share of the clips into a room: an impulse, then noise that dies away (Polack's model of late echoes).

    The echo holds between a hundredth of the direct sound's energy and as much of it, evenly in dB.
    """
    chosen, clips, num_samples = _choose(waveform, num_samples, augment.reverb, _fold(seed, 3))
    batch, width = tf.unstack(tf.shape(clips))
    length = round(augment.reverb_seconds[1] * sample_rate)
    rt60 = tf.random.stateless_uniform([batch, 1], _fold(seed, 0), *augment.reverb_seconds)
    seconds = tf.range(1, length + 1, dtype=tf.float32)[None, :] / sample_rate
    echo = tf.random.stateless_normal([batch, length], _fold(seed, 1)) * tf.pow(10.0, -3 * seconds / rt60)
    energy_db = tf.random.stateless_uniform([batch, 1], _fold(seed, 2), -20.0, 0.0)
    echo *= tf.pow(10.0, energy_db / 20) * tf.math.rsqrt(tf.reduce_sum(tf.square(echo), 1, keepdims=True))
    size = _quick_size(width + length)
    spectrum = _spectrum(clips, size) * _spectrum(tf.pad(echo, [[0, 0], [1, 0]]), size)
    echoed = tf.signal.irfft(spectrum, [size])[:, :width]
    return tf.tensor_scatter_nd_add(waveform, chosen, _silence_padding(echoed, num_samples))


def telephone(
    waveform: tf.Tensor, num_samples: tf.Tensor, share: float, sample_rate: int, seed: tf.Tensor
) -> tf.Tensor:
    """Send a share of the clips over a telephone: a band around 300 to 3,400 Hz, and 8 bits of mu-law (ITU-T G.711)."""
    chosen, clips, num_samples = _choose(waveform, num_samples, share, _fold(seed, 2))
    batch, width = tf.unstack(tf.shape(clips))
    size = _quick_size(width)
    hertz = tf.linspace(0.0, sample_rate / 2, size // 2 + 1)[None, :]
    low = tf.random.stateless_uniform([batch, 1], _fold(seed, 0), 100.0, 400.0)
    high = tf.random.stateless_uniform([batch, 1], _fold(seed, 1), 2800.0, 4000.0)
    band = tf.sigmoid((hertz - low) / 20) * tf.sigmoid((high - hertz) / 50)
    filtered = tf.signal.irfft(_spectrum(clips, size) * tf.cast(band, tf.complex64), [size])[:, :width]
    peak = tf.maximum(tf.reduce_max(tf.abs(filtered), 1, keepdims=True), 1e-6)
    compressed = tf.sign(filtered) * tf.math.log1p(255.0 * tf.abs(filtered) / peak) / math.log(256.0)
    coded = tf.round(compressed * 127) / 127
    decoded = tf.sign(coded) * tf.math.expm1(math.log(256.0) * tf.abs(coded)) / 255.0 * peak
    return tf.tensor_scatter_nd_update(waveform, chosen, _silence_padding(decoded, num_samples))


def stretch_time(features: tf.Tensor, tempo: tuple[float, float], seed: tf.Tensor) -> tf.Tensor:
    """Read each clip's frames at a pace of its own, between frames linearly; what does not fit is cut off."""
    batch, time = _size(features), _size(features, 1)
    pace = tf.random.stateless_uniform([batch, 1], seed, *tempo)
    position = tf.range(time, dtype=tf.float32)[None, :] * pace
    num_frames = tf.reduce_sum(tf.cast(_own_frames(features), tf.float32), axis=1)
    # Past the last frame there is nothing to read: the padding grows or shrinks with the clip.
    weights = tf.where((position <= num_frames[:, None] - 1)[:, :, None], _between(position, time), 0.0)
    return tf.matmul(weights, features)


def warp_frequency(features: tf.Tensor, vtlp: tuple[float, float], front_end: Features, seed: tf.Tensor) -> tf.Tensor:
    """Vocal tract length perturbation (Jaitly and Hinton 2013, equation 1), on the mel bands.

    A band hears what is at its frequency times the factor; from 60% of the highest frequency on, the map bends so that
    the ends stay where they are.
    """
    spec = front_end.spec
    centres = tf.constant(mel_edges(spec)[1:-1], tf.float32)
    factor = tf.random.stateless_uniform([_size(features), 1], seed, *vtlp)
    knee = 0.6 * spec.fmax_hz * tf.minimum(1.0, 1 / factor)
    above = spec.fmax_hz - (spec.fmax_hz - knee * factor) / (spec.fmax_hz - knee) * (spec.fmax_hz - centres)
    hertz = tf.where(centres <= knee, centres * factor, above)
    right = tf.reshape(tf.searchsorted(centres, tf.reshape(hertz, [-1])), tf.shape(hertz))
    right = tf.clip_by_value(right, 1, spec.n_mels - 1)
    below, over = tf.gather(centres, right - 1), tf.gather(centres, right)
    position = tf.cast(right, tf.float32) - 1 + tf.clip_by_value((hertz - below) / (over - below), 0.0, 1.0)
    mean, std = tf.constant(front_end.mean), tf.constant(front_end.std)
    warped = tf.matmul(features * std + mean, _between(position, spec.n_mels), transpose_b=True)
    return tf.where(_own_frames(features)[:, :, None], (warped - mean) / std, 0.0)


def tilt_spectrum(features: tf.Tensor, most_db: float, std: tuple[float, ...], seed: tf.Tensor) -> tf.Tensor:
    """Add a slope over the bands of up to `most_db`, end to end; the padding stays zero."""
    slope = tf.random.stateless_uniform([_size(features), 1, 1], seed, -most_db, most_db)
    ramp = (np.linspace(-0.5, 0.5, len(std)) / np.array(std)).astype("float32")
    return tf.where(_own_frames(features)[:, :, None], features + slope * ramp, 0.0)


def equalise(features: tf.Tensor, size_db: float, std: tuple[float, ...], seed: tf.Tensor) -> tf.Tensor:
    """Add a smooth curve over the bands, with a standard deviation of `size_db`; the padding stays zero.

    The curve is a sum of cosines of one to `EQ_WAVES` half-waves over the bands, each with a normal weight.
    """
    waves = np.arange(1, EQ_WAVES + 1)[:, None] * np.linspace(0, np.pi, len(std))[None, :]
    # Each cosine has a mean square of one half.
    curves = (np.cos(waves) * math.sqrt(2 / EQ_WAVES) / np.array(std)).astype("float32")
    weights = tf.random.stateless_normal([_size(features), EQ_WAVES], seed, stddev=size_db)
    return tf.where(_own_frames(features)[:, :, None], features + tf.matmul(weights, curves)[:, None], 0.0)


def mask(features: tf.Tensor, count: int, longest: int, *, axis: int, seed: tf.Tensor) -> tf.Tensor:
    """Set `count` segments of up to `longest` steps along `axis` to 0, the mean (SpecAugment, Park et al., 2019).

    Those of time (`axis` 1) lie within the clip's own frames: in the padding there is nothing to blank. A segment is
    half of what there is at most.
    """
    batch, width = _size(features), _size(features, axis)
    own = tf.reduce_sum(tf.cast(_own_frames(features), tf.int32), axis=1) if axis == 1 else tf.fill([batch], width)
    size = own[:, None, None]
    length = tf.random.stateless_uniform([batch, count, 1], _fold(seed, 0), 0, longest + 1, dtype=tf.int32)
    length = tf.minimum(length, size // 2)
    place = tf.random.stateless_uniform([batch, count, 1], _fold(seed, 1))
    start = tf.cast(place * tf.cast(size - length + 1, tf.float32), tf.int32)
    position = tf.range(width)[None, None, :]
    blank = tf.reduce_any((position >= start) & (position < start + length), axis=1)
    return tf.where(tf.expand_dims(blank, 3 - axis), 0.0, features)


def mixup(features: tf.Tensor, targets: tf.Tensor, alpha: float, seed: tf.Tensor) -> Batch:
    """Blend each clip with its mirror in the batch, and their targets alike (mixup, Zhang et al., 2018)."""
    draws = tf.random.stateless_gamma([2, _size(features)], seed, alpha)  # pyright: ignore[reportArgumentType]
    # Two draws that vanish leave the clip as it is.
    share = tf.math.divide_no_nan(draws[0], draws[0] + draws[1])
    weight = tf.maximum(share, 1 - share)
    blended = [
        values * tf.reshape(weight, [-1] + [1] * (values.shape.rank - 1))
        + tf.reverse(values, [0]) * tf.reshape(1 - weight, [-1] + [1] * (values.shape.rank - 1))
        for values in (features, targets)
    ]
    return blended[0], blended[1]


def cutmix(features: tf.Tensor, targets: tf.Tensor, share: float, seed: tf.Tensor) -> Batch:
    """In a share of the clips, take a stretch of up to half the time from the clip's mirror in the batch.

    The targets blend as the time does (CutMix, Yun et al. 2019, with a stretch of time for a box).
    """
    batch, time = _size(features), _size(features, 1)
    # The stretch lies where this clip or its mirror sounds: beyond that there is nothing to exchange.
    sounding = tf.reduce_sum(tf.cast(_own_frames(features), tf.float32), axis=1)
    longest = tf.maximum(sounding, tf.reverse(sounding, [0]))
    chosen = tf.cast(tf.random.stateless_uniform([batch], _fold(seed, 0)) < share, tf.float32)
    part = chosen * tf.random.stateless_uniform([batch], _fold(seed, 1), 0.0, 0.5)
    start = tf.random.stateless_uniform([batch], _fold(seed, 2)) * (1 - part) * longest
    position = tf.range(time, dtype=tf.float32)[None, :]
    inside = (position >= start[:, None]) & (position < (start + part * longest)[:, None])
    features = tf.where(inside[:, :, None], tf.reverse(features, [0]), features)
    own = (1 - part)[:, None]
    return features, own * targets + (1 - own) * tf.reverse(targets, [0])


def _choose(
    waveform: tf.Tensor, num_samples: tf.Tensor, share: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where a drawn share of the clips stands in the batch, `(chosen, 1)`, and these clips with their lengths.

    What is done to them is not computed for the others.
    """
    chosen = tf.where(tf.random.stateless_uniform(tf.shape(num_samples), seed) < share)
    return chosen, tf.gather_nd(waveform, chosen), tf.gather_nd(num_samples, chosen)


def _size(values: tf.Tensor, axis: int = 0) -> Any:
    """A size as the graph knows it; of any type, for TensorFlow's stubs want whole numbers in a shape."""
    return tf.shape(values)[axis]


def _silence_padding(waveform: tf.Tensor, num_samples: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.range(tf.shape(waveform)[1])[None, :] < num_samples[:, None], waveform, 0.0)


def _own_frames(features: tf.Tensor) -> tf.Tensor:
    """`(batch, time)`: whether a frame holds anything; the front-end makes those past the clip's end exactly zero."""
    return tf.reduce_any(features != 0, axis=-1)


def _between(position: tf.Tensor, size: tf.Tensor | int) -> tf.Tensor:
    """`(..., size)` weights that read off a line of `size` values at each `position` `(...)`, linearly."""
    places = tf.range(tf.cast(size, tf.float32))
    return tf.maximum(1 - tf.abs(tf.expand_dims(position, -1) - places), 0.0)


def _spectrum(waveform: tf.Tensor, size: Any) -> tf.Tensor:
    """The transform of each clip, padded to `size` by hand: `tf.signal.rfft` fails to where there is no clip."""
    return tf.signal.rfft(tf.pad(waveform, [[0, 0], [0, size - _size(waveform, 1)]]), [size])


def _quick_size(size: Any) -> Any:
    """The next multiple of 512: a Fourier transform of a length with large factors takes up to four times as long."""
    return -(-size // 512) * 512


def _fold(seed: tf.Tensor, number: int) -> Any:
    """A seed of its own for each draw."""
    return tf.random.fold_in(seed, number)


def _named(seed: tf.Tensor, name: str) -> Any:
    """A seed for the draws of a registered change, whatever others there are."""
    return _fold(_fold(seed, 15), zlib.crc32(name.encode()) % 2**31)
