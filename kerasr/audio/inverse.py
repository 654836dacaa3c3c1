"""The front-end backwards: log-mel energies, or spectra, to a waveform, with `keras.ops` alone.

What a mel band holds is spread over its frequencies, and phases that fit to one another are found by going back and
forth between waveform and spectrum (Griffin and Lim).
"""

import functools
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasr.audio.features import MIN_POWER, mel_matrix, spectrum, window
from kerasr.config import FeatureSpec
from kerasr.errors import UserError

# Rounds of the search for phases.
NUM_ITERATIONS = 32
# How far each round goes beyond what it has found (Perraudin et al. 2013, section 3).
MOMENTUM = 0.99
# Rounds of the search for powers.
_NUM_UPDATES = 30
# Of the windows' sum where least overlap, as at a waveform's ends: what is divided by less is blown up.
_LEAST_OVERLAP = 0.1


class GriffinLim(keras.layers.Layer):
    """`griffin_lim` as a layer: float32 energies `(batch, time, n_mels)` in dB to waveforms `(batch, num_samples)`.

    Args:
        spec: of the front-end that computes the energies.
    """

    def __init__(self, spec: FeatureSpec, **options: Any):
        super().__init__(**options)
        self._spec = spec

    def call(self, energies: Any) -> Any:
        return griffin_lim(energies, self._spec)

    def compute_output_spec(self, energies: Any) -> Any:
        return keras.KerasTensor((energies.shape[0], None), "float32")


class InverseSTFT(keras.layers.Layer):
    """Waveforms of spectra, as a layer: (batch, time, n_fft + 2), the real parts first, to (batch, `num_samples`).

    Args:
        spec: of the front-end whose frames they are.
    """

    def __init__(self, spec: FeatureSpec, **options: Any):
        super().__init__(**options)
        self._spec = spec

    def call(self, spectra: Any) -> Any:
        real, imag = ops.split(spectra, 2, axis=-1)
        waveform = overlap_add(real, imag, self._spec)
        side = self._spec.n_fft // 2 if self._spec.center else 0
        return waveform[:, side : ops.shape(waveform)[1] - side]

    def compute_output_spec(self, spectra: Any) -> Any:
        return keras.KerasTensor((spectra.shape[0], None), "float32")


def griffin_lim(energies: Any, spec: FeatureSpec, *, num_iterations: int = NUM_ITERATIONS, seed: int = 0) -> Any:
    """A waveform of which the front-end computes about these log-mel energies.

    Each round takes the phases of the spectrum of what the last one made, with momentum. The first phases depend on
    the frame alone: a clip's waveform is its own.

    Args:
        energies: float32 `(batch, time, n_mels)`, in dB, as `kerasr.audio.features.log_mel` gives them.
        spec: of the front-end that computes them.
        num_iterations: rounds.
        seed: of the phases that it begins with.

    Returns:
        float32 `(batch, num_samples)`: `(time - 1) * hop_length + n_fft`, without `n_fft // 2` at each end where frames
        are centred.

    Raises:
        UserError: the spec computes no log-mel energies.

    Source: Griffin and Lim, "Signal estimation from modified short-time Fourier transform", 1984; with the momentum of
    Perraudin, Balazs and Søndergaard, "A fast Griffin-Lim algorithm", WASPAA 2013.
    """
    if spec.kind != "log_mel":
        raise UserError("settings-conflict", f"features.kind {spec.kind}: a waveform is found for log_mel alone")
    magnitude, side = ops.sqrt(powers(energies, spec)), spec.n_fft // 2 if spec.center else 0
    spec = replace(spec, center=False)  # What stands beyond the ends is kept until the end.
    num_frames = ops.shape(magnitude)[1]
    phase = ops.take(_begun_phases(seed, magnitude.shape[2]), ops.arange(num_frames) % _NUM_PHASES, axis=0)[None]
    zeros = ops.zeros_like(magnitude)

    def go_round(_, state):
        real, imag, *before = state
        found = spectrum(overlap_add(real, imag, spec), spec)
        ahead = [(one + MOMENTUM * (one - last)) for one, last in zip(found, before, strict=True)]
        scale = magnitude / ops.maximum(ops.sqrt(ops.square(ahead[0]) + ops.square(ahead[1])), 1e-8)
        return scale * ahead[0], scale * ahead[1], *found

    state = (magnitude * ops.cos(phase), magnitude * ops.sin(phase), zeros, zeros)
    real, imag, *_ = ops.fori_loop(0, num_iterations, go_round, state)
    waveform = overlap_add(real, imag, spec)
    return waveform[:, side : ops.shape(waveform)[1] - side]


def num_samples(num_frames: int, spec: FeatureSpec) -> int:
    """How long the waveform is that `griffin_lim` makes of so many frames."""
    return (num_frames - 1) * spec.hop_length + spec.n_fft - 2 * (spec.n_fft // 2) * spec.center


def powers(energies: Any, spec: FeatureSpec) -> Any:
    """Powers of frequencies whose sums by the mel filters are about these.

    They begin as the bands' means, drawn through between the bands, and come nearer by multiplicative updates, which
    keep them positive and lessen the divergence (Lee and Seung, NIPS 2000, theorem 2): a soft band beside a loud one
    counts, too, which it would not among squares.

    Args:
        energies: `(batch, time, n_mels)`, in dB.
        spec: of the front-end.

    Returns:
        `(batch, time, 1 + n_fft // 2)`.
    """
    wanted = ops.power(10.0, energies / 10.0)
    filters, spread = mel_matrix(spec), _spread_matrix(spec)
    found, reach = ops.matmul(wanted, spread), np.maximum(filters.sum(1), 1e-12)

    def update(_, found):
        ratio = wanted / ops.maximum(ops.matmul(found, filters), MIN_POWER**2)
        return found * ops.matmul(ratio, filters.T) / reach

    return ops.fori_loop(0, _NUM_UPDATES, update, found)


def overlap_add(real: Any, imag: Any, spec: FeatureSpec) -> Any:
    """The waveform whose frames have, as nearly as can be, this spectrum `(batch, time, 1 + n_fft // 2)`.

    Frames are windowed once more and added up, and the sum divided by that of the squared windows.

    Returns:
        `(batch, (time - 1) * hop_length + n_fft)`.
    """
    added = _add_up(ops.irfft((real, imag), spec.n_fft) * window(spec), spec.hop_length)
    overlap = _add_up(ops.ones_like(real[:1, :, :1]) * ops.square(window(spec)), spec.hop_length)
    return added / ops.maximum(overlap, _LEAST_OVERLAP * ops.max(overlap))


def _add_up(frames: Any, hop_length: int) -> Any:
    """`(batch, time, samples)` frames, each so many samples after the last, added up: `(batch, ...)`."""
    size = frames.shape[2]
    num_parts = -(-size // hop_length)
    frames = ops.pad(frames, ((0, 0), (0, 0), (0, num_parts * hop_length - size)))
    # Of each frame, the parts that are as long as a hop: part i belongs i hops later.
    parts = ops.split(frames, num_parts, axis=2)
    shifted = [ops.pad(part, ((0, 0), (index, num_parts - 1 - index), (0, 0))) for index, part in enumerate(parts)]
    added = ops.reshape(sum(shifted), (ops.shape(frames)[0], -1))
    return added[:, : (ops.shape(frames)[1] - 1) * hop_length + size]


_NUM_PHASES = 997


@functools.lru_cache(maxsize=4)
def _begun_phases(seed: int, num_bins: int) -> np.ndarray:
    """`(frames, bins)` random phases, which repeat in a longer clip: those of a frame do not depend on the clip."""
    return np.random.default_rng(seed).uniform(0, 2 * np.pi, (_NUM_PHASES, num_bins)).astype("float32")


@functools.lru_cache(maxsize=16)
def _spread_matrix(spec: FeatureSpec) -> np.ndarray:
    """`(n_mels, 1 + n_fft // 2)` what each band gives each frequency: between the middles of two, of both."""
    filters = mel_matrix(spec)
    area = np.maximum(filters.sum(0), 1e-12)
    # (A band that is narrower than the distance of two frequencies may hold none.)
    middles = np.arange(len(filters)) @ filters / area
    rows = [np.interp(np.arange(len(filters)), middles, row) for row in np.eye(filters.shape[1])]
    return (np.stack(rows) / area[:, None]).astype("float32")
