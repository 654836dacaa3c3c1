"""A recording as a page shows it: what the model was given, to look at and to play, and what it predicted."""

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from kerasr.audio.features import Features
from kerasr.config import FeatureSpec
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.decoding.alignment import Alignment
from kerasr.inference.attribution import Explainer
from kerasr.runs.run import Run

# A clip that is longer is shown and played up to here, in seconds: the page holds its sound. Of a sentence more is.
MAX_SHOWN_SECONDS, MAX_SENTENCE_SECONDS = 5.0, 15.0


@dataclass(frozen=True)
class Clip:
    """A recording that the report shows.

    Attributes:
        path: the recording.
        word: what is said.
        predicted: the word with the highest probability.
        probability: what it gives to `predicted`.
        correct: whether that is right; a detector is right to predict `not zero` for a `seven`.
        spectrogram: log-mel energies in dB `(time, feature)` from the run's front-end; NaN beyond the clip's end. Of
            given features these, their standard deviation as 10 dB.
        seconds: how long the spectrogram is.
        speaker: who speaks, if that is known.
        sound: a WAV file's content, what the model was given; None for no sound.
        other: another word, and what the model gives to it, where a page has something to say about it.
        evidence: what spoke for `predicted` (above 0) and against it (below 0), in step with `spectrogram`; None where
            it was not asked for.
        pairs: of a transcript each word that was said beside the one that was found, "" where there is none.
        alignment: of a transcript, where its tokens are.
        is_given: whether the features were computed elsewhere, and `spectrogram` shows these.
        is_input: whether the model reads what `spectrogram` shows.
    """

    path: str
    word: str
    predicted: str
    probability: float
    correct: bool
    spectrogram: np.ndarray
    seconds: float
    speaker: str | None = None
    sound: bytes | None = None
    other: tuple[str, float] | None = None
    evidence: np.ndarray | None = None
    pairs: Sequence[tuple[str, str]] = ()
    alignment: Alignment | None = None
    is_given: bool = False
    is_input: bool = True

    @property
    def spans(self) -> list[tuple[float, float] | None]:
        """From when to when each of `pairs` is heard in `sound`, in seconds; None where that is not known.

        A word that was left out has no time of its own: who wants to hear it hears what is between its neighbours.
        """
        if self.alignment is None or self.sound is None:
            return [None] * len(self.pairs)
        words, number = self.alignment.words, 0
        spans = []
        for _, heard in self.pairs:
            if heard:
                start, end = words[number].start, words[number].end
                number += 1
            else:
                start = words[number - 1].end if number else 0.0
                end = words[number].start if number < len(words) else self.seconds
            # (What is said beyond the shown part is not in the sound.)
            spans.append((start, end) if start < self.seconds else None)
        return spans


def make_clip(run: Run, item: Utterance, **facts: Any) -> Clip:
    """What the model was given: the same crop of the recording, through the same front-end.

    Args:
        run: the model's.
        item: the recording.
        facts: `Clip`'s other fields: `predicted`, `probability`, `correct`; `word` where that is not its label.

    Raises:
        UserError: the recording cannot be read.
    """
    spec = run.config.features
    most = MAX_SENTENCE_SECONDS if run.task.keeps_order else MAX_SHOWN_SECONDS
    return picture_clip(item, spec, run.features if spec.is_given else None, most=most, **facts)


def picture_clip(
    item: Utterance, spec: FeatureSpec, front_end: Features | None = None, *, most: float, **facts: Any
) -> Clip:
    """A recording, and its log-mel energies or given features.

    Args:
        item: the recording.
        spec: of the log-mel energies, or of the features that were given.
        front_end: of given features; None for what makes the energies.
        most: seconds that are shown and played.
        facts: as for `make_clip`.

    Raises:
        UserError: the recording cannot be read.
    """
    waveform = read_clip(item.path, spec)[: round(most * spec.sample_rate)]
    if spec.is_waveform:
        spec = FeatureSpec(sample_rate=spec.sample_rate, clip_seconds=spec.clip_seconds)
    # Decibels, not a run's normalised values; and for cepstra the energies that they are made from.
    front_end = front_end or Features(dataclasses.replace(spec, kind="log_mel", num_deltas=0))
    frames = np.asarray(front_end(waveform[None], np.array([len(waveform)])))[0]
    frames = 10 * frames if spec.is_given else frames
    own = np.any(frames != 0, axis=-1, keepdims=True)
    return Clip(
        path=item.path,
        spectrogram=np.where(own, frames, np.nan),
        seconds=len(frames) * spec.hop_length / spec.sample_rate,
        speaker=item.speaker,
        is_given=spec.is_given,
        sound=None if spec.is_given else sound_file(waveform, spec.sample_rate),
        **{"word": item.label or "", **facts},
    )


def sound_file(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A WAV file's content, of a waveform `(samples,)`."""
    sound = io.BytesIO()
    soundfile.write(sound, np.clip(waveform, -1, 1), sample_rate, format="WAV", subtype="PCM_16")
    return sound.getvalue()


def explain_clip(clip: Clip, run: Run, explainer: Explainer) -> Clip:
    """The clip with what spoke for the predicted word, by integrated gradients."""
    waveform = read_clip(clip.path, run.config.features)
    evidence = explainer.integrated_gradients(waveform, run.labels.index(clip.predicted))
    return dataclasses.replace(clip, evidence=evidence[: len(clip.spectrogram)])
