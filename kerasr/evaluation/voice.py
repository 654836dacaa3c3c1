"""Measure a voice: the test's texts said by it, beside the recordings, and what recognisers hear of both."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from kerasr.audio.features import log_mel
from kerasr.config import FeatureSpec
from kerasr.core.progress import ProgressBar
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.data.spoken_text import said_in
from kerasr.decoding.alignment import FrameTimes
from kerasr.errors import UserError
from kerasr.inference.speech import Speech
from kerasr.metrics.cepstral_distortion import cepstral_distortion
from kerasr.metrics.pitch import pitch, pitch_error
from kerasr.metrics.transcription import transcription_metrics, word_pairs
from kerasr.report.voice import Sentence
from kerasr.runs.facts import MODEL
from kerasr.runs.run import Run
from kerasr.tasks import Label
from kerasr.tasks.transcribe import Transcript
from kerasr.text import normalise

# Sentences that are said once more, and timed.
NUM_TIMED = 20
# Sentences that the report shows.
NUM_SHOWN = 5
# Of a judge's scores, those that are kept.
_KEPT = ("wer", "wer_interval", "wer_method", "cer", "num_words")


@dataclass(frozen=True)
class Heard:
    """What a recogniser hears.

    Attributes:
        judge: its name.
        texts: of the voice, a text a sentence.
        scores: its word errors, and `recordings_wer`, those on the recordings.
    """

    judge: str
    texts: list[str]
    scores: dict[str, Any]


def measure_voice(
    run: Run, utterances: Sequence[Utterance], judges: Sequence[Run] = ()
) -> tuple[dict[str, Any], list[Sentence]]:
    """The scores of a voice, as plain JSON types, and the sentences that a report shows.

    Args:
        run: the voice.
        utterances: recordings whose texts are said, each in its speaker's voice.
        judges: recognisers of transcripts that have not heard the voice.

    Returns:
        `distortion_db`, the mean mel-cepstral distortion; `pitch_error_cents`, the mean over sentences in which both
        have a pitch, None where there is none; `length_ratio`, the speech's length over the recordings';
        `real_time_factor`, processor seconds for each second of speech; `judges`, what each hears.

    Raises:
        UserError: a recording cannot be read, or its speaker is none of the voices.
    """
    spec = run.config.features
    said = _say_all(run, utterances)
    recorded = [read_clip(item.path, spec) for item in utterances]
    energies = [energies_of(waveform, spec) for waveform in recorded]
    distances = [cepstral_distortion(one.log_mel, other) for one, other in zip(said, energies, strict=True)]
    pitches = _pitch_errors(said, recorded, [distance.path for distance in distances], spec)
    heard = [_hear(judge, utterances, said) for judge in judges]
    seconds = sum(speech.seconds for speech in said)
    metrics = {
        "distortion_db": float(np.mean([distance.decibels for distance in distances])),
        "pitch_error_cents": pitches,
        "length_ratio": seconds * spec.sample_rate / sum(map(len, recorded)),
        "real_time_factor": _real_time_factor(run, utterances[:NUM_TIMED]),
        "num_clips": len(utterances),
        "judges": [{"judge": one.judge, **one.scores} for one in heard],
        **facts_of(run),
    }
    shown = [
        Sentence(
            path=utterances[place].path,
            speech=said[place],
            energies=energies[place],
            waveform=recorded[place],
            times=FrameTimes.of(spec, stride=1),
            heard={one.judge: word_pairs(said[place].text, one.texts[place]) for one in heard},
        )
        for place in range(min(NUM_SHOWN, len(said)))
    ]
    return {**metrics, "headline": run.task.headline(metrics)}, shown


def energies_of(waveform: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """`(time, n_mels)` in dB, of a waveform `(samples,)`."""
    return np.asarray(log_mel(waveform[None], spec))[0]


def facts_of(run: Run) -> dict[str, Any]:
    """What the scores of voices and vocoders have alike: which run, and how large; nothing is told by speaker."""
    size = {"parameters": run.network.count_params(), "model_bytes": (run.path / MODEL).stat().st_size}
    return {"speakers": [], "groups": {}, **size, "run": str(run.path)}


def _say_all(run: Run, utterances: Sequence[Utterance]) -> list[Speech]:
    said = []
    with ProgressBar("Speaking", len(utterances)) as progress:
        for item in utterances:
            said.append(run.synthesize(said_in(item), voice=item.speaker or ""))
            progress.advance(1)
    return said


def _real_time_factor(run: Run, utterances: Sequence[Utterance]) -> float:
    """Of texts that have been said before: what the first of a length takes is mostly to compile for it."""
    busy = time.process_time()
    seconds = sum(run.synthesize(said_in(item), voice=item.speaker or "").seconds for item in utterances)
    return (time.process_time() - busy) / seconds


def _pitch_errors(
    said: Sequence[Speech], recorded: Sequence[np.ndarray], paths: Sequence[np.ndarray], spec: FeatureSpec
) -> float | None:
    found = [
        pitch_error(pitch(speech.waveform, spec), pitch(waveform, spec), path)
        for speech, waveform, path in zip(said, recorded, paths, strict=True)
    ]
    return float(np.nanmean(found)) if np.isfinite(found).any() else None


def _hear(judge: Run, utterances: Sequence[Utterance], said: Sequence[Speech]) -> Heard:
    rate = judge.config.features.sample_rate
    # As a file holds them: a voice that has hardly learnt may be too loud for a recogniser.
    heard = [np.clip(speech.waveform, -1, 1) for speech in said]
    waveforms = [soxr.resample(one, speech.sample_rate, rate) for one, speech in zip(heard, said, strict=True)]
    truth, speakers = [normalise(said_in(item)) for item in utterances], [item.speaker for item in utterances]
    texts, recorded = (_texts(judge, sounds) for sounds in (waveforms, [item.path for item in utterances]))
    metrics = transcription_metrics(texts, truth, speakers)
    scores = {name: metrics[name] for name in _KEPT}
    return Heard(
        judge.path.name, texts, {**scores, "recordings_wer": transcription_metrics(recorded, truth, speakers)["wer"]}
    )


def _texts(judge: Run, sounds: Sequence[Any]) -> list[str]:
    """What a recogniser of transcripts, or of single words, hears."""
    texts = []
    for answer in judge.predict_each(sounds, threshold=0.0):
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, Transcript | Label):
            raise UserError("task-unsupported", f"--judges {judge.path}: says no text: it is to {judge.task.about()}")
        texts.append(answer.text if isinstance(answer, Transcript) else normalise(answer.word or ""))
    return texts
