"""The front-end: waveforms to log-mel energies or cepstral coefficients, with `keras.ops` alone.

The one implementation that training, serving and streaming share. It agrees with `librosa.feature.melspectrogram` and
`librosa.feature.mfcc` (through `power_to_db` with `top_db=None`), gives a clip the same features whatever it is batched
with, and marks what lies beyond a clip's own samples with frames of exact zeros.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasr.audio import dft
from kerasr.config import FeatureSpec, from_json, to_json

__all__ = ["FeatureSpec", "Features", "change_speed", "log_mel", "measure_statistics", "mel_matrix", "mfcc"]

# The floor that librosa.power_to_db puts under a power (-100 dB). It is fixed: a floor that follows the loudest band
# of a clip (`top_db`) cannot be computed on a stream.
MIN_POWER = 1e-10

# librosa.feature.delta's default width, in frames.
DELTA_WIDTH = 9
# Divides the weighted sum of its frames into a slope; also the factor by which their variance shrinks in it.
_DELTA_NORM = 2 * sum(n * n for n in range(1, DELTA_WIDTH // 2 + 1))


def log_mel(waveform: Any, spec: FeatureSpec, *, fft: bool = True) -> Any:
    """Log-mel energies, in dB.

    Args:
        waveform: float32 `(batch, samples)` in [-1, 1] at `spec.sample_rate`.
        spec: sizes; `clip_seconds` and `num_deltas` play no part here.
        fft: by a fast Fourier transform, or by products with matrices (`kerasr.audio.dft`).

    Returns:
        float32 `(batch, spec.num_frames(samples), n_mels)`: `10 log10` of the power in each mel band, at least -100 dB.
        Of given features, these as they are; of `kind="waveform"` its samples, a frame each.
    """
    if spec.is_waveform:
        length = ops.shape(waveform)[1]
        # Where there is no sample, a frame of zeros.
        frames = max(length, 1) if isinstance(length, int) else ops.maximum(length, 1)
        return ops.expand_dims(ops.pad(waveform, ((0, 0), (0, 1)))[:, :frames], 2)
    if spec.is_given:
        return _frames(waveform, spec)
    real, imag = spectrum(waveform, spec, fft=fft)
    power = ops.square(real) + ops.square(imag)
    return 10.0 * ops.log10(ops.maximum(ops.matmul(power, mel_matrix(spec)), MIN_POWER))


def mfcc(waveform: Any, spec: FeatureSpec) -> Any:
    """Mel-frequency cepstral coefficients: the orthonormal DCT-II of `log_mel`.

    Args:
        waveform: float32 `(batch, samples)` in [-1, 1] at `spec.sample_rate`.
        spec: sizes; `clip_seconds` and `num_deltas` play no part here.

    Returns:
        float32 `(batch, spec.num_frames(samples), n_mfcc)`.
    """
    return _cepstra(log_mel(waveform, spec), spec)


def change_speed(waveform: Any, num_samples: Any, speed: float) -> tuple[Any, Any]:
    """Play clips faster (above 1) or slower, as a tape: pitch and formants move along, as with another vocal tract.

    Samples between samples are read off a cubic through their four neighbours (Catmull and Rom, 1974); frequencies that
    a faster clip has no room for are not filtered out. `perturb_speed` of `kerasr.data.augment.waveform` plays training
    clips so, each at a speed of its own, in TensorFlow's graph.

    Args:
        waveform: float32 `(batch, samples)`, padded at the end.
        num_samples: int32 `(batch,)` samples that are the clip's own.
        speed: the rate; the nearest fraction with a denominator of 100 or less is taken.

    Returns:
        `waveform` `(batch, ceil(samples / speed))`, silent past the clip's own samples, and `num_samples` of it.
    """
    steps, parts = Fraction(speed).limit_denominator(100).as_integer_ratio()
    size = ops.shape(waveform)[1]
    # In whole numbers: a float32 would lose the place between samples of a long recording.
    place = ops.arange((size * parts + steps - 1) // steps, dtype="int32") * steps
    x = ops.cast(place % parts, "float32") / parts
    a, b, c, d = (
        ops.take(waveform, ops.clip(place // parts + offset, 0, size - 1), axis=1) for offset in (-1, 0, 1, 2)
    )
    moved = cubic(a, b, c, d, x)
    num_samples = ops.maximum(num_samples * parts // steps, 1)
    return ops.where(ops.arange(ops.shape(moved)[1])[None, :] < num_samples[:, None], moved, 0.0), num_samples


def middle_start(num_samples: Any, size: int) -> Any:
    """Where the middle `size` samples of clips begin, of which each has its `num_samples`; 0 in those with no more.

    It is the sample at which `kerasr.audio.crop.crop_middle` cuts a recording.
    """
    return ops.maximum(num_samples - size, 0) // 2


def cubic(a: Any, b: Any, c: Any, d: Any, x: Any) -> Any:
    """What lies at `x` between `b` (0) and `c` (1), of four neighbours: the cubic of Catmull and Rom, 1974."""
    return b + 0.5 * x * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)))


@keras.saving.register_keras_serializable("kerasr")
class Features(keras.layers.Layer):
    """Waveforms in, normalised features out.

    A clip is first cropped (to its middle) or zero-padded (at its end) to `spec.clip_seconds`, so what a batch pads
    does not matter; at another speed it is cropped before and after. Features are then shifted and scaled to the
    statistics of the training split, and the frames beyond the clip's own samples set to exactly 0: that is how a
    recurrent model knows them.

    Args:
        spec: what to compute.
        mean: one value a feature, subtracted; zeros where None.
        std: one value a feature, divided by; ones where None.
        speed: rate at which the clip is played first, as by `change_speed`.
        fft: compute spectra by a fast Fourier transform; False does it by products with matrices, which export where no
            transform does.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        *,
        speed: float = 1.0,
        fft: bool = True,
        **kwargs: Any,
    ):
        # The features stay float32 under a mixed precision policy: a dB in bfloat16 is half a dB off.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.spec = spec
        self.mean: tuple[float, ...] = (0.0,) * spec.num_features if mean is None else tuple(mean)
        self.std: tuple[float, ...] = (1.0,) * spec.num_features if std is None else tuple(std)
        self.speed = speed
        self.fft = fft
        if not len(self.mean) == len(self.std) == spec.num_features:
            raise ValueError(
                f"the spec gives {spec.num_features} features a frame, but there are {len(self.mean)} means "
                f"and {len(self.std)} standard deviations"
            )

    def call(self, waveform: Any, num_samples: Any = None) -> Any:
        """Features of a batch.

        Args:
            waveform: `(batch, samples)` in [-1, 1] at `spec.sample_rate`, padded at the end.
            num_samples: `(batch,)` samples that are the clip's own; where None, trailing exact zeros are padding.

        Returns:
            float32 `(batch, time, feature)`.
        """
        waveform = ops.cast(waveform, "float32")
        if num_samples is None:
            num_samples = _count_samples(waveform)
        num_samples = ops.cast(num_samples, "int32")
        if self.speed != 1:
            # At another speed the network gets the part of the clip that it gets at the clip's own.
            waveform, num_samples = change_speed(*_crop(waveform, num_samples, self.spec), self.speed)
        waveform, num_samples = _fit(waveform, num_samples, self.spec)
        return self.from_log_mel(log_mel(waveform, self.spec, fft=self.fft), _count_frames(num_samples, self.spec))

    def from_log_mel(self, energies: Any, num_frames: Any) -> Any:
        """What follows the log-mel energies: cepstra and differences where the spec has them, the statistics, zeros.

        Args:
            energies: `(batch, time, n_mels)` in dB, as `log_mel` gives them.
            num_frames: `(batch,)` frames that are the clip's own.

        Returns:
            float32 `(batch, time, feature)`.
        """
        features = _cepstra(energies, self.spec) if self.spec.kind == "mfcc" else energies
        features = _append_deltas(features, num_frames, self.spec.num_deltas)
        return self.normalise(features, num_frames)

    def normalise(self, features: Any, num_frames: Any) -> Any:
        """Features `(batch, time, feature)` to the training split's statistics, zeros past `num_frames` `(batch,)`."""
        features = (features - np.asarray(self.mean, "float32")) / np.asarray(self.std, "float32")
        own = ops.arange(ops.shape(features)[1])[None, :] < num_frames[:, None]
        return ops.where(own[..., None], features, 0.0)

    def compute_output_spec(self, waveform: Any, num_samples: Any = None) -> keras.KerasTensor:
        """`(batch, time, feature)`; time is None where neither the spec nor the waveform fixes it."""
        time = self.spec.shape[0]
        if time is None and waveform.shape[1] is not None:
            time = self.spec.num_frames(math.ceil(waveform.shape[1] / self.speed))
        return keras.KerasTensor((waveform.shape[0], time, self.spec.num_features), "float32")

    def get_config(self) -> dict[str, Any]:
        """The spec and the statistics, as plain JSON types."""
        own = {"spec": to_json(self.spec), "mean": list(self.mean), "std": list(self.std)}
        own |= {"speed": self.speed, "fft": self.fft}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Features":
        """The layer that `get_config` described."""
        return cls(**{**config, "spec": from_json(FeatureSpec, config["spec"])})


def measure_statistics(spec: FeatureSpec, batches: Iterable[tuple[Any, Any]]) -> Features:
    """A front-end that normalises to the recordings given: the training split's, never the test split's.

    Args:
        spec: what to compute.
        batches: pairs of `waveform` `(batch, samples)` and `num_samples` `(batch,)`.

    Returns:
        A `Features` layer whose output has mean 0 and standard deviation 1 over all frames of those recordings; of
        `kind="waveform"` one that changes nothing, for a pretrained network knows sounds by their level, too.
    """
    plain = Features(spec)
    count, total, squares = 0, np.zeros(spec.num_features), np.zeros(spec.num_features)
    for waveform, num_samples in batches:
        # Frames of padding are all zeros, and so add nothing to the sums; of given features others may be, too.
        features = ops.convert_to_numpy(plain(waveform, num_samples)).astype("float64")
        own = np.asarray(num_samples) // spec.n_mels if spec.is_given else np.any(features != 0, axis=-1)
        count += int(own.sum())
        total += features.sum((0, 1))
        squares += np.square(features).sum((0, 1))
    if not count:
        raise ValueError("there is no recording to measure the features' statistics on")
    if spec.is_waveform:
        return plain
    mean = total / count
    if spec.is_given:
        return _given_statistics(spec, mean, squares / count - np.square(mean))
    # A feature that never moves (a band above an 8 kHz recording's limit) would be divided by zero: 1 dB at least, and
    # for differences what they are of frames that move by 1 dB.
    least = np.repeat(_DELTA_NORM ** -np.arange(1.0 + spec.num_deltas), spec.num_features // (1 + spec.num_deltas))
    std = np.sqrt(np.maximum(squares / count - np.square(mean), least))
    return Features(spec, np.round(mean, 4).tolist(), np.round(std, 4).tolist())


def _given_statistics(spec: FeatureSpec, mean: np.ndarray, variance: np.ndarray) -> Features:
    """The front-end of given features, of whose scale nothing is known; one that never moves is divided by 1."""
    std = np.sqrt(np.where(variance > 1e-10 * np.square(mean), variance, 1.0))
    return Features(spec, mean.tolist(), std.tolist())


def mel_edges(spec: FeatureSpec) -> np.ndarray:
    """Where the filters begin, peak and end, evenly apart in mel, as in `librosa.mel_frequencies`.

    Returns:
        `(n_mels + 2,)` frequencies in Hz: filter `i` rises from `i`, peaks at `i + 1` and ends at `i + 2`.
    """
    to_mel, to_hz = (_hz_to_slaney, _slaney_to_hz) if spec.mel_scale == "slaney" else (_hz_to_htk, _htk_to_hz)
    return to_hz(np.linspace(to_mel(np.array(spec.fmin)), to_mel(np.array(spec.fmax_hz)), spec.n_mels + 2))


@functools.lru_cache(maxsize=16)
def mel_matrix(spec: FeatureSpec) -> np.ndarray:
    """Triangular mel filters, each scaled to unit area (Slaney, Auditory Toolbox, 1998), as in `librosa.filters.mel`.

    Returns:
        float32 `(1 + n_fft // 2, n_mels)`.
    """
    edges = mel_edges(spec)
    bins = np.linspace(0, spec.sample_rate / 2, 1 + spec.n_fft // 2)[:, None]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (edges[2:] - edges[:-2])).astype("float32")


def _cepstra(energies: Any, spec: FeatureSpec) -> Any:
    """`(batch, time, n_mfcc)` of log-mel energies."""
    return ops.matmul(energies, _dct_matrix(spec.n_mels, spec.n_mfcc))


@functools.lru_cache(maxsize=16)
def _dct_matrix(n_mels: int, n_mfcc: int) -> np.ndarray:
    """Orthonormal DCT-II as a `(n_mels, n_mfcc)` matrix: a matmul exports where a DCT does not."""
    angles = np.pi / n_mels * (np.arange(n_mels)[:, None] + 0.5) * np.arange(n_mfcc)
    scale = np.where(np.arange(n_mfcc) == 0, np.sqrt(1 / n_mels), np.sqrt(2 / n_mels))
    return (np.cos(angles) * scale).astype("float32")


@functools.lru_cache(maxsize=16)
def window(spec: FeatureSpec) -> np.ndarray:
    """`(n_fft,)` periodic Hann window of `win_length`, centred in `n_fft`."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.win_length) / spec.win_length)
    left = (spec.n_fft - spec.win_length) // 2
    return np.pad(hann, (left, spec.n_fft - spec.win_length - left)).astype("float32")


def _hz_to_htk(hz: np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + hz / 700)


def _htk_to_hz(mel: np.ndarray) -> np.ndarray:
    return 700 * (10 ** (mel / 2595) - 1)


# Slaney's scale: linear below 1 kHz (15 mel), logarithmic above, 27 mel for a factor of 6.4.
def _hz_to_slaney(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def _slaney_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) / 27 * np.log(6.4)))


def _frames(waveform: Any, spec: FeatureSpec) -> Any:
    """`(batch, samples)` cut into frames, `(batch, time, n_fft)`."""
    side = spec.n_fft // 2 if spec.center else 0
    num_frames = spec.num_frames(ops.shape(waveform)[1]) if _is_static(waveform) else None
    # A clip shorter than one frame is padded to it, as is the last of the given ones; the frames that this adds to
    # longer clips are cut off below.
    short = num_frames is None or spec.is_given or ops.shape(waveform)[1] + 2 * side < spec.n_fft
    padded = ops.pad(waveform, ((0, 0), (side, side + (spec.n_fft if short else 0))))
    frames = ops.extract_sequences(padded, spec.n_fft, spec.hop_length)
    if num_frames is None:
        samples = ops.full((1,), ops.shape(waveform)[1], dtype="int32")
        num_frames = _count_frames(samples, spec)[0]
    return frames[:, :num_frames]


def spectrum(waveform: Any, spec: FeatureSpec, *, fft: bool = True) -> tuple[Any, Any]:
    """Real and imaginary part of each windowed frame's Fourier transform, both `(batch, time, 1 + n_fft // 2)`."""
    transform = ops.rfft if fft else dft.rfft
    return transform(_frames(waveform, spec) * window(spec), spec.n_fft)


def _is_static(waveform: Any) -> bool:
    return isinstance(ops.shape(waveform)[1], int)


def _count_samples(waveform: Any) -> Any:
    """`(batch,)` samples up to the last one that is not exactly zero; at least 1."""
    position = ops.arange(1, ops.shape(waveform)[1] + 1, dtype="int32")
    return ops.maximum(ops.max(ops.where(waveform != 0, position, 0), axis=1), 1)


def _count_frames(num_samples: Any, spec: FeatureSpec) -> Any:
    """`FeatureSpec.num_frames` of a tensor."""
    if spec.is_given:
        return ops.maximum((num_samples + spec.n_mels - 1) // spec.n_mels, 1)
    padded = num_samples + (2 * (spec.n_fft // 2) if spec.center else 0)
    return 1 + ops.maximum(padded - spec.n_fft, 0) // spec.hop_length


def _fit(waveform: Any, num_samples: Any, spec: FeatureSpec) -> tuple[Any, Any]:
    """Crop to the middle or pad at the end to `clip_seconds`, and silence what is not the clip's own."""
    waveform, num_samples = _crop(waveform, num_samples, spec)
    if spec.clip_seconds is not None:
        waveform = ops.pad(waveform, ((0, 0), (0, spec.clip_samples)))[:, : spec.clip_samples]
    own = ops.arange(ops.shape(waveform)[1], dtype="int32")[None, :] < num_samples[:, None]
    return ops.where(own, waveform, 0.0), num_samples


def _crop(waveform: Any, num_samples: Any, spec: FeatureSpec) -> tuple[Any, Any]:
    """Of clips that are longer than `clip_seconds`, their middle."""
    if spec.clip_seconds is None:
        return waveform, num_samples
    length = ops.shape(waveform)[1]

    def keep_middle() -> Any:
        start = middle_start(num_samples, spec.clip_samples)
        position = ops.arange(spec.clip_samples, dtype="int32")[None, :] + start[:, None]
        return ops.take_along_axis(waveform, ops.minimum(position, length - 1), axis=1)

    # Picking samples one by one takes as long as all that follows, and only a longer clip needs it.
    if isinstance(length, int):
        clip = keep_middle() if length > spec.clip_samples else waveform
    else:
        clip = ops.cond(length > spec.clip_samples, keep_middle, lambda: waveform)
    return clip, ops.minimum(num_samples, spec.clip_samples)


def _append_deltas(features: Any, num_frames: Any, order: int) -> Any:
    """Append `order` orders of differences, as `librosa.feature.delta(mode="nearest")` computes them.

    The slope of a line fitted to `DELTA_WIDTH` frames; beyond a clip's own first and last frame, it is repeated.
    """
    half = DELTA_WIDTH // 2
    time = ops.arange(ops.shape(features)[1], dtype="int32")[None, :]
    last = (num_frames - 1)[:, None]

    def at(values: Any, offset: int) -> Any:
        return ops.take_along_axis(values, ops.minimum(ops.maximum(time + offset, 0), last)[..., None], axis=1)

    parts = [features]
    for _ in range(order):
        previous = parts[-1]
        parts.append(sum(n * (at(previous, n) - at(previous, -n)) for n in range(1, half + 1)) / _DELTA_NORM)
    return ops.concatenate(parts, axis=-1) if order else features
