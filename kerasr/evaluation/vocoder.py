"""Measure a vocoder: recordings made anew of their own energies, beside Griffin-Lim's."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasr.config import FeatureSpec
from kerasr.core.progress import ProgressBar
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.decoding.alignment import FrameTimes
from kerasr.evaluation.voice import NUM_SHOWN, NUM_TIMED, energies_of, facts_of
from kerasr.inference.speech import Speech
from kerasr.inference.vocoder import compile_vocoder, griffin_lim_vocoder, trained_vocoder
from kerasr.metrics.cepstral_distortion import cepstral_distortion
from kerasr.report.voice import Sentence
from kerasr.runs.run import Run


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
            energies = energies_of(waveform, spec)
            made = make(energies)
            if len(distances) < NUM_TIMED:  # Again: what the first of a length takes is mostly to compile for it.
                before = time.process_time()
                make(energies)
                busy += time.process_time() - before
                seconds += len(made) / spec.sample_rate
            found = energies_of(made, spec)
            distances.append(cepstral_distortion(found, energies).decibels)
            inverted.append(cepstral_distortion(energies_of(invert(energies), spec), energies).decibels)
            if len(shown) < NUM_SHOWN:
                speech = _speech(item, made, found, spec)
                times = FrameTimes.of(spec, stride=1)
                shown.append(
                    Sentence(path=item.path, speech=speech, energies=energies, waveform=waveform, times=times, heard={})
                )
            progress.advance(1)
    metrics = {
        "distortion_db": float(np.mean(distances)),
        "griffin_lim_db": float(np.mean(inverted)),
        "real_time_factor": busy / seconds,
        "num_clips": len(utterances),
        "judges": [],
        **facts_of(run),
    }
    return {**metrics, "headline": run.task.headline(metrics)}, shown


def _speech(item: Utterance, waveform: np.ndarray, energies: np.ndarray, spec: FeatureSpec) -> Speech:
    return Speech(
        text=item.text or Path(item.path).name,
        voice=item.speaker or "",
        waveform=waveform,
        sample_rate=spec.sample_rate,
        log_mel=energies,
        alignment=(),
    )
