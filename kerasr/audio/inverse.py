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

from kerasr.audio import dft
from kerasr.audio.features import MIN_POWER, mel_matrix, spectrum, window
from kerasr.config import FeatureSpec
from kerasr.errors import UserError

# Rounds of the search for phases.
NUM_ITERATIONS = 32
# How far each round goes beyond what it has found (Perraudin et al. 2013, section 3).
MOMENTUM = 0.99
# Rounds of the search for powers.
_NUM_UPDATES = 30
# Energies of no more than this are the front-end's least, in dB.
_SILENCE = float(10 * np.log10(MIN_POWER)) + 1e-3
# Of the windows' sum where least overlap, as at a waveform's ends: what is divided by less is blown up.
_LEAST_OVERLAP = 0.1


class GriffinLim(keras.layers.Layer):
    """`griffin_lim` as a layer: float32 energies `(batch, time, n_mels)` in dB to waveforms `(batch, num_samples)`.

    Args:
        spec: of the front-end that computes the energies.
        fft: as of `griffin_lim`.
    """

    def __init__(self, spec: FeatureSpec, *, fft: bool = True, **options: Any):
        super().__init__(**options)
        self._spec, self._fft = spec, fft

    def call(self, energies: Any) -> Any:
        return griffin_lim(energies, self._spec, fft=self._fft)

    def compute_output_spec(self, energies: Any) -> Any:
        return keras.KerasTensor((energies.shape[0], None), "float32")


class InverseSTFT(keras.layers.Layer):
    """Waveforms of spectra, as a layer: (batch, time, n_fft + 2), the real parts first, to (batch, `num_samples`).

    Args:
        spec: of the front-end whose frames they are.
        fft: as of `griffin_lim`.
    """

    def __init__(self, spec: FeatureSpec, *, fft: bool = True, **options: Any):
        super().__init__(**options)
        self._spec, self._fft = spec, fft

    def call(self, spectra: Any) -> Any:
        real, imag = ops.split(_with_silence(spectra, self._spec), 2, axis=-1)
        return _cut(overlap_add(real, imag, self._spec, fft=self._fft), ops.shape(spectra)[1], self._spec)

    def compute_output_spec(self, spectra: Any) -> Any:
        return keras.KerasTensor((spectra.shape[0], None), "float32")


def griffin_lim(
    energies: Any, spec: FeatureSpec, *, num_iterations: int = NUM_ITERATIONS, seed: int = 0, fft: bool = True
) -> Any:
    """A waveform of which the front-end computes about these log-mel energies.

    Each round takes the phases of the spectrum of what the last one made, with momentum. The first phases depend on
    the frame alone, and silence after a clip makes no sound: a clip's waveform is its own, however it is padded.

    Args:
        energies: float32 `(batch, time, n_mels)`, in dB, as `kerasr.audio.features.log_mel` gives them.
        spec: of the front-end that computes them.
        num_iterations: rounds.
        seed: of the phases that it begins with.
        fft: by fast transforms; False writes them as products with matrices (`kerasr.audio.dft`), which every
            converter knows.

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
    magnitude = _with_silence(ops.sqrt(powers(energies, spec)) * sounding(energies), spec)
    whole, spec = spec, replace(spec, center=False)  # What stands beyond the ends is kept until the end.
    num_frames = ops.shape(magnitude)[1]
    phase = ops.take(_begun_phases(seed, magnitude.shape[2]), ops.arange(num_frames) % _NUM_PHASES, axis=0)[None]
    zeros = ops.zeros_like(magnitude)

    def go_round(_, state):
        _, real, imag, *before = state
        waveform = overlap_add(real, imag, spec, fft=fft)
        found = spectrum(waveform, spec, fft=fft)
        ahead = [(one + MOMENTUM * (one - last)) for one, last in zip(found, before, strict=True)]
        scale = magnitude / ops.maximum(ops.sqrt(ops.square(ahead[0]) + ops.square(ahead[1])), 1e-8)
        return waveform, scale * ahead[0], scale * ahead[1], *found

    silence = ops.zeros((ops.shape(energies)[0], (num_frames - 1) * spec.hop_length + spec.n_fft))
    state = (silence, magnitude * ops.cos(phase), magnitude * ops.sin(phase), zeros, zeros)
    # The waveform is made within a round, of which one more is needed for it: the graph holds the way back once.
    waveform, *_ = ops.fori_loop(0, num_iterations + 1, go_round, state)
    return _cut(waveform, ops.shape(energies)[1], whole)


def sounding(energies: Any) -> Any:
    """`(batch, time, 1)` of energies in dB: 1.0 up to the last frame that is not silent, and 0.0 past it."""
    loud = ops.cast(ops.max(energies, axis=-1, keepdims=True) > _SILENCE, "float32")
    to_come = ops.flip(ops.cumsum(ops.flip(loud, axis=1), axis=1), axis=1)
    return ops.cast(to_come > 0, "float32")


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


def _with_silence(frames: Any, spec: FeatureSpec) -> Any:
    """Frames `(batch, time, size)`, and as many of zeros as reach into the last of them.

    So a frame that is followed by silence and one that is followed by nothing are added up alike.
    """
    return ops.pad(frames, ((0, 0), (0, -(-spec.n_fft // spec.hop_length)), (0, 0)))


def _cut(waveform: Any, num_frames: Any, spec: FeatureSpec) -> Any:
    """What so many frames reach, without what centred ones have beyond the ends."""
    start = spec.n_fft // 2 if spec.center else 0
    return waveform[:, start : start + num_samples(num_frames, spec)]


def overlap_add(real: Any, imag: Any, spec: FeatureSpec, *, fft: bool = True) -> Any:
    """The waveform whose frames have, as nearly as can be, this spectrum `(batch, time, 1 + n_fft // 2)`.

    Frames are windowed once more and added up, and the sum divided by that of the squared windows.

    Returns:
        `(batch, (time - 1) * hop_length + n_fft)`.
    """
    added = _add_up(_frames_of(real, imag, spec, fft) * window(spec), spec.hop_length)
    overlap = _add_up(ops.ones_like(real[:1, :, :1]) * ops.square(window(spec)), spec.hop_length)
    return added / ops.maximum(overlap, _LEAST_OVERLAP * ops.max(overlap))


def _frames_of(real: Any, imag: Any, spec: FeatureSpec, fft: bool) -> Any:
    """The inverse Fourier transform of each frame, `(batch, time, n_fft)`."""
    if fft:
        return ops.irfft((real, imag), spec.n_fft)
    return dft.irfft((real, imag), spec.n_fft)


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


_NUM_PHASES = 101


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
