"""WAV files read inside the graph: any common width and rate, one channel or several, resampled to the model's rate.

`tf.audio.decode_wav` reads 16-bit PCM only and leaves the rate to the caller. Here the header is parsed in the graph,
so that a served model is given what `kerasr.predict` is given. What it cannot read is an InvalidArgument that says what
came.
"""

import functools
import math
from typing import Any

import numpy as np
import soxr
import tensorflow as tf

from kerasr.audio.features import middle_start
from kerasr.audio.sound import LOUDEST
from kerasr.data.clips import MAX_CLIP_SECONDS

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)

# Format tags (Microsoft, mmreg.h). In the extensible format, the tag proper opens the GUID at byte 24 of the chunk.
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# What stands before the samples is a handful of chunks; noise after "RIFF" might make a million.
_MAX_CHUNKS = 64
# The `fmt ` chunk's fields end here.
_MOST_FIELDS = 40
# A size that a writer to a pipe could not know: the samples go on to the end of the file.
_UNKNOWN_SIZE = 0xFFFFFFFF

# soxr at its high quality passes everything up to here, as a share of the lower rate's half, and nothing beyond that
# half; between the two the slope is kept at so many points.
_PASSBAND = 0.9
_SLOPE_POINTS = 513
# Seconds of silence after the clip, in which its echo through the filter ends before the Fourier transform wraps round.
_TAIL_SECONDS = 0.05


def decode_wavs(
    contents: tf.Tensor, sample_rate: int, clip_seconds: float | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch of WAV files at one rate, one channel each.

    Args:
        contents: string `(batch,)`, the files' bytes.
        sample_rate: of the waveforms, in Hz.
        clip_seconds: keep the middle of longer ones, as `kerasr.data.clips.read_clip` does: a batch is as wide as its
            longest clip, and one recording of minutes shall not make many short ones as long as itself.

    Returns:
        `waveform` float32 `(batch, samples)`, padded at the end, and `num_samples` int32 `(batch,)`.

    Raises:
        tf.errors.InvalidArgumentError: on running the graph, where one is no WAV file of a kind that is read here.
    """
    clips = tf.map_fn(
        lambda content: _middle(decode_wav(content, sample_rate, clip_seconds), sample_rate, clip_seconds),
        contents,
        fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
    )
    return clips.to_tensor(), tf.cast(clips.row_lengths(), tf.int32)


def _middle(waveform: tf.Tensor, sample_rate: int, clip_seconds: float | None) -> tf.Tensor:
    if clip_seconds is None:
        return waveform
    most = round(clip_seconds * sample_rate)
    start = middle_start(tf.shape(waveform)[0], most)
    return waveform[start : start + most]


def decode_wav(content: tf.Tensor, sample_rate: int, clip_seconds: float | None = None) -> tf.Tensor:
    """One WAV file, string `()`, as float32 `(samples,)` at `sample_rate`: the mean of its channels.

    Where clips have a length, no more is decoded than `kerasr.data.clips` decodes.
    """
    length = tf.cast(tf.strings.length(content), tf.int64)
    # So that a field may be read that the file is too short for: it is zero.
    content = tf.strings.join([content, bytes(_MOST_FIELDS)])
    fmt, data, size = _find_chunks(content, length)
    tag, channels, rate, block, bits = (
        _integer(content, fmt + offset, width) for offset, width in ((0, 2), (2, 2), (4, 4), (12, 2), (14, 2))
    )
    tag = tf.cond(tf.equal(tag, _EXTENSIBLE), lambda: _integer(content, fmt + 24, 2), lambda: tag)
    kinds = [(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)]
    known = [(tag == kind) & (bits == width) for kind, width in kinds]
    with tf.control_dependencies([
        _claim(tf.reduce_any(known), "samples of format {} with {} bits are not read: send PCM of 8, 16, 24 or 32 bits "
               "(format 1) or float of 32 or 64 (format 3)", tag, bits),
        _claim((channels > 0) & (block * 8 == channels * bits),
               "a block of {} bytes does not hold {} channels of {} bits", block, channels, bits),
    ]):  # fmt: skip
        frames = tf.minimum(size, length - data) // block
        if clip_seconds is not None:
            most = max(MAX_CLIP_SECONDS, clip_seconds)
            frames = tf.minimum(frames, tf.cast(tf.math.ceil(most * tf.cast(rate, tf.float64)), tf.int64))
        samples = tf.strings.substr(content, tf.cast(data, tf.int32), tf.cast(frames * block, tf.int32))
        kind = tf.argmax(known, output_type=tf.int32)
        waveform = tf.switch_case(kind, [functools.partial(read, samples) for read in _READERS])
    with tf.control_dependencies([
        _claim(frames > 0, "the file has no samples"),
        # (Which a NaN is not.)
        _claim(tf.reduce_all(tf.abs(waveform) <= LOUDEST),
               f"a sample is not a finite number, or beyond {LOUDEST:g} times full scale"),
    ]):  # fmt: skip
        waveform = tf.reduce_mean(tf.reshape(waveform, tf.stack([frames, channels])), axis=1)
        return resample(waveform, rate, sample_rate)


def resample(waveform: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """`waveform` `(samples,)` from `rate`, an int64 scalar of `RATES`, to `sample_rate`: `ceil(samples * new / old)`.

    The spectrum is cut as soxr cuts it, with linear phase: `kerasr.audio.resample` with its filter in the spectrum.
    """
    rates = sorted({*RATES, sample_rate})
    readable = ", ".join(map(str, rates))
    is_known = _claim(
        tf.reduce_any(tf.equal(rate, rates)), f"a rate of {{}} Hz is not read: send one of {readable}", rate
    )
    with tf.control_dependencies([is_known]):
        place = tf.argmax(tf.equal(rate, rates), output_type=tf.int32)
    # In lowest terms: whole numbers of samples before and after are multiples of these.
    old = tf.gather([old // math.gcd(old, sample_rate) for old in rates], place)
    new = tf.gather([sample_rate // math.gcd(old, sample_rate) for old in rates], place)
    return tf.cond(tf.equal(old, new), lambda: waveform, lambda: _resample(waveform, old, new, rate))


def _resample(waveform: tf.Tensor, old: tf.Tensor, new: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
    size = tf.shape(waveform)[0]
    tail = tf.cast(_TAIL_SECONDS * tf.cast(rate, tf.float32), tf.int32)
    # In multiples of 64 a Fourier transform has small factors, and is quick.
    units = 64 * (1 + (size + tail) // (64 * old))
    spectrum = tf.signal.rfft(_extend(waveform, units * old - size)[None])[0]
    # Frequencies up to the half of the lower rate, as a share of it.
    bins = 1 + units * tf.minimum(old, new) // 2
    share = tf.range(bins, dtype=tf.float32) / tf.cast(bins - 1, tf.float32)
    slope = _measure_slope()
    position = tf.clip_by_value((share - _PASSBAND) / (1 - _PASSBAND), 0.0, 1.0) * (len(slope) - 1)
    below = tf.minimum(tf.cast(position, tf.int32), len(slope) - 2)
    part = position - tf.cast(below, tf.float32)
    low_pass = (1 - part) * tf.gather(slope, below) + part * tf.gather(slope, below + 1)
    low_pass *= tf.cast(new, tf.float32) / tf.cast(old, tf.float32)
    kept = spectrum[:bins] * tf.cast(low_pass, tf.complex64)
    kept = _extend(kept, 1 + units * new // 2 - bins)
    resampled = tf.signal.irfft(kept[None], [units * new])[0]
    return resampled[: -(-size * new // old)]


def _extend(values: tf.Tensor, more: Any) -> tf.Tensor:
    """`values` `(points,)` and so many zeros."""
    return tf.pad(values, [[0, more]])


@functools.cache
def _measure_slope() -> np.ndarray:
    """soxr's low-pass, float32 `(points,)` from `_PASSBAND` of the lower rate's half up to the whole, from an impulse.

    It is the same for all rates.
    """
    impulse = np.zeros(2**15)
    impulse[len(impulse) // 2] = 1
    response = np.abs(np.fft.rfft(soxr.resample(impulse, 2, 1, quality="HQ")))
    wanted = np.linspace(_PASSBAND, 1, _SLOPE_POINTS)
    return np.interp(wanted, np.linspace(0, 1, len(response)), response / response[0]).astype(np.float32)


def _find_chunks(content: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where the `fmt ` chunk's body and the samples begin, and how many bytes of samples the header promises."""
    is_wav = (tf.strings.substr(content, 0, 4) == b"RIFF") & (tf.strings.substr(content, 8, 4) == b"WAVE")
    with tf.control_dependencies([_claim(is_wav, "{} bytes that do not begin as a WAV file does", length)]):
        start = tf.constant(12, tf.int64)
    none = tf.constant(-1, tf.int64)

    def searching(place, number, _, data, __):
        return (data < 0) & (place + 8 <= length) & (number < _MAX_CHUNKS)

    def step(place, number, fmt, data, size):
        name = tf.strings.substr(content, tf.cast(place, tf.int32), 4)
        long = _integer(content, place + 4, 4)
        # Sixteen bytes are what is read of it, and 26 of the extensible kind.
        is_fmt = (name == b"fmt ") & (place + 8 + tf.maximum(long, 16) <= length)
        is_data = name == b"data"
        found = tf.where(is_fmt, place + 8, fmt), tf.where(is_data, place + 8, data), tf.where(is_data, long, size)
        # Chunks begin at even bytes.
        return (place + 8 + long + long % 2, number + 1, *found)

    _, _, fmt, data, size = tf.while_loop(searching, step, (start, 0, none, none, none))
    with tf.control_dependencies([
        _claim(fmt >= 0, "the WAV file has no header of its format before its samples"),
        _claim(data >= 0, "the WAV file has no samples in its first chunks"),
    ]):  # fmt: skip
        return tf.identity(fmt), tf.identity(data), tf.where(size == _UNKNOWN_SIZE, length, size)


def _integer(content: tf.Tensor, place: tf.Tensor, width: int) -> Any:
    """The unsigned little-endian integer of `width` bytes at `place`, int64."""
    field = tf.strings.substr(content, tf.cast(place, tf.int32), width)
    values = tf.cast(tf.io.decode_raw(field, tf.uint8), tf.int64)
    return tf.reduce_sum(values * [256**power for power in range(width)])


def _read_8_bits(samples: tf.Tensor) -> tf.Tensor:
    return (tf.cast(tf.io.decode_raw(samples, tf.uint8), tf.float32) - 128) / 128


def _read_16_bits(samples: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(samples, tf.int16), tf.float32) / 2**15


def _read_24_bits(samples: tf.Tensor) -> tf.Tensor:
    low, middle, high = tf.unstack(tf.cast(tf.reshape(tf.io.decode_raw(samples, tf.uint8), [-1, 3]), tf.int32), axis=1)
    return tf.cast(low + 256 * middle + 65536 * (high - 256 * (high // 128)), tf.float32) / 2**23


def _read_32_bits(samples: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.cast(tf.io.decode_raw(samples, tf.int32), tf.float64) / 2**31, tf.float32)


def _read_float(samples: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_raw(samples, tf.float32)


def _read_double(samples: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(samples, tf.float64), tf.float32)


# In the order of `kinds` in `decode_wav`.
_READERS = (_read_8_bits, _read_16_bits, _read_24_bits, _read_32_bits, _read_float, _read_double)


def _claim(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation:
    """InvalidArgument with this message, in which each {} is one of the values, unless the condition holds."""
    return tf.debugging.Assert(condition, [tf.strings.format(f"wav: {message}", values)])
