"""Measure a vocoder: recordings made anew of their own energies, beside Griffin-Lim's."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasr.audio.features import log_mel
from kerasr.core.progress import ProgressBar
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.inference.speech import Speech
from kerasr.inference.vocoder import compile_vocoder, griffin_lim_vocoder, trained_vocoder
from kerasr.metrics.cepstral_distortion import cepstral_distortion
from kerasr.report.voice import Sentence
from kerasr.runs.facts import MODEL
from kerasr.runs.run import Run

# Recordings that the report shows.
NUM_SHOWN = 5


def measure_vocoder(run: Run, utterances: Sequence[Utterance]) -> tuple[dict[str, Any], list[Sentence]]:
    """The scores of a vocoder, as plain JSON types, and the recordings that a report shows.

    Returns:
        `distortion_db`, the mean mel-cepstral distortion, `griffin_lim_db`, that of Griffin-Lim, and
        `real_time_factor`, processor seconds for each second of sound.

    Raises:
        UserError: a recording cannot be read.
    """
    spec = run.config.features
    make = compile_vocoder(trained_vocoder(run.network, run.task, spec, run.facts["statistics"], run.path), spec)
    invert = compile_vocoder(griffin_lim_vocoder(spec), spec)
    distances, inverted, shown, seconds, busy = [], [], [], 0.0, 0.0
    with ProgressBar("Making sounds anew", len(utterances)) as progress:
        for item in utterances:
            waveform = read_clip(item.path, spec)
            energies = _energies(waveform, spec)
            before = time.process_time()
            made = make(energies)
            busy += time.process_time() - before
            seconds += len(made) / spec.sample_rate
            distances.append(cepstral_distortion(_energies(made, spec), energies).decibels)
            inverted.append(cepstral_distortion(_energies(invert(energies), spec), energies).decibels)
            if len(shown) < NUM_SHOWN:
                shown.append(_sentence(item, waveform, energies, made, run))
            progress.advance(1)
    metrics = {
        "distortion_db": float(np.mean(distances)),
        "griffin_lim_db": float(np.mean(inverted)),
        "real_time_factor": busy / seconds,
        "num_clips": len(utterances),
        "judges": [],
        "speakers": [],
        "groups": {},
        "parameters": run.network.count_params(),
        "model_bytes": (run.path / MODEL).stat().st_size,
        "run": str(run.path),
    }
    return {**metrics, "headline": run.task.headline(metrics)}, shown


def _energies(waveform: np.ndarray, spec: Any) -> np.ndarray:
    return np.asarray(log_mel(waveform[None], spec))[0]


def _sentence(item: Utterance, waveform: np.ndarray, energies: np.ndarray, made: np.ndarray, run: Run) -> Sentence:
    spec = run.config.features
    speech = Speech(
        text=item.text or Path(item.path).name,
        voice=item.speaker or "",
        waveform=made,
        sample_rate=spec.sample_rate,
        log_mel=_energies(made, spec),
        alignment=(),
    )
    step = spec.hop_length / spec.sample_rate
    return Sentence(path=item.path, speech=speech, energies=energies, waveform=waveform, step=step, heard={})
