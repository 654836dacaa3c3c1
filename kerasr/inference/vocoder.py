"""Waveforms of log-mel energies: by Griffin-Lim, or by a vocoder that was trained."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasr.audio.inverse import GriffinLim, InverseSTFT, sounding
from kerasr.config import FeatureSpec
from kerasr.errors import UserError
from kerasr.layers.shapes import compile_few_shapes
from kerasr.models.registry import VOCODER
from kerasr.tasks import Task

# From float32 energies (batch, time, n_mels) in dB to waveforms (batch, samples), in a Keras model.
Vocoder = Callable[[Any], Any]


def griffin_lim_vocoder(spec: FeatureSpec, *, fft: bool = True) -> Vocoder:
    """The one that needs no training; `fft` as of `kerasr.audio.inverse.griffin_lim`."""
    return GriffinLim(spec, fft=fft, name="griffin_lim")


def trained_vocoder(
    network: keras.Model, task: Task, spec: FeatureSpec, statistics: Mapping[str, Any], path: Any, *, fft: bool = True
) -> Vocoder:
    """By a run's network; `fft` as of `kerasr.audio.inverse.griffin_lim`.

    Raises:
        UserError: the run is no vocoder.
    """
    if task.kind != VOCODER:
        raise UserError("task-unsupported", f"{path}: makes no waveforms: this model is to {task.about()}")
    mean, std = (np.asarray(statistics[name], np.float32) for name in ("mean", "std"))
    invert = InverseSTFT(spec, fft=fft, name="inverse_stft")

    def make(energies: Any) -> Any:
        return invert(network((energies - mean) / std * sounding(energies)))

    return make


def compile_vocoder(vocoder: Vocoder, spec: FeatureSpec) -> Callable[[np.ndarray], np.ndarray]:
    """From the energies `(time, n_mels)` of one recording to its waveform."""
    energies = keras.Input((None, spec.n_mels), name="log_mel")
    model = keras.Model(energies, vocoder(energies))
    compile_few_shapes(model)
    return lambda log_mel: ops.convert_to_numpy(model.predict_on_batch(log_mel[None]))[0]
