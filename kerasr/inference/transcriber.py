"""Transcripts of a sound that goes on: of long recordings in windows, and of live sound as it comes.

The outputs come from windows that overlap, or from a network that carries its state (`kerasr.streaming`).
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from kerasr.audio.sound import why_no_sound
from kerasr.config import TrainConfig
from kerasr.decoding.segments import Segment
from kerasr.errors import UserError
from kerasr.inference.windows import OverlappingWindows, WindowSizes
from kerasr.models.receptive_field import receptive_field
from kerasr.tasks import Answer, Recognition


class Transcribing(Protocol):
    """What is seen of a run (`kerasr.runs.Run`)."""

    config: TrainConfig

    @property
    def recognition(self) -> Recognition:
        """How outputs are read."""
        ...

    @property
    def network(self) -> keras.Model:
        """Features to logits."""
        ...

    def probs(self, waveforms: Sequence[np.ndarray], *, own_speed: bool = False) -> np.ndarray:
        """Probabilities `(clips, time, outputs)`."""
        ...


class FrameOutputs(Protocol):
    """A network's outputs of a sound that comes in chunks of any size."""

    @property
    def look_ahead(self) -> float:
        """Sound that must come before an output is known, in seconds."""
        ...

    @property
    def exact(self) -> bool:
        """Whether they are those of the sound as one clip."""
        ...

    def process(self, chunk: np.ndarray) -> Iterator[np.ndarray]:
        """Take in the next samples `(samples,)`; probabilities `(time, outputs)` of what they complete, in order."""
        ...

    def finish(self) -> Iterator[np.ndarray]:
        """The sound has ended: those that are left."""
        ...


class Transcriber:
    """Transcribes a sound that comes in chunks of any size, segment by segment.

    A segment ends with a pause of a second, or after half a minute with a word. What is told is final: nothing that
    comes later changes it. The same sound gives the same transcript whatever chunks it comes in.

        transcriber = Transcriber(run, live=True)
        for chunk in chunks:  # float32 (samples,) at transcriber.sample_rate
            for segment in transcriber.process(chunk):
                print(segment.text)
            print(transcriber.partial)
        for segment in transcriber.finish():
            print(segment.text)

    Args:
        run: of the task `transcribe`.
        live: in small steps, so that text comes soon; else in large ones, which is less work.
        look_ahead: seconds of sound that must come before a moment is written down, where it is live; where None, as
            far as the network looks ahead, and 4 s where it reads clips whole.
        outputs: what gives the network's outputs, as `kerasr.streaming.frame_outputs.StatefulOutputs(run)`; where None,
            overlapping windows, whose are `live` and `look_ahead`.

    Attributes:
        sample_rate: of the sound, in Hz.
        look_ahead: in seconds.
        exact: whether the network's outputs are those of the sound as one clip: it carries its state, or its receptive
            field is in the windows.

    Raises:
        UserError: the run gives a clip one answer.
    """

    def __init__(
        self,
        run: Transcribing,
        *,
        live: bool = False,
        look_ahead: float | None = None,
        outputs: FrameOutputs | None = None,
    ):
        self._task = run.recognition
        self._segmenter = self._task.segmenter()
        self.sample_rate = run.config.features.sample_rate
        self._outputs = outputs or _Windows(run, live, look_ahead)
        self.look_ahead, self.exact = self._outputs.look_ahead, self._outputs.exact
        self._samples = 0

    @property
    def seconds(self) -> float:
        """How much of the sound has come."""
        return self._samples / self.sample_rate

    @property
    def partial(self) -> str:
        """What is said so far in the segment that has not ended: it only grows; "" where a beam is searched."""
        return self._task.partial(self._segmenter)

    @property
    def setting(self) -> str:
        """The look-ahead, in words."""
        return f"look-ahead {self.look_ahead:.1f} s"

    def process(self, chunk: np.ndarray) -> list[Any]:
        """Take in the next samples `(samples,)`; answers to the segments that end with them, with times in the sound.

        Raises:
            UserError: the samples are no sound (`kerasr.audio.sound`).
        """
        self._samples += len(chunk)
        if why := why_no_sound(chunk):
            raise UserError("sound-invalid", f"up to {self.seconds:.1f} s the sound {why}")
        return self._answers(self._cut(self._outputs.process(chunk)))

    def finish(self) -> list[Any]:
        """The sound has ended: answers to its last segments."""
        segments = (*self._cut(self._outputs.finish()), *self._segmenter.finish())
        return self._answers(segments)

    def to_json(self, found: Any) -> dict[str, Any]:
        """An answer to a segment as plain JSON types."""
        return self._task.to_json(found) | {"start": round(found.start, 3), "end": round(found.end, 3)}

    def join(self, answers: Sequence[Any]) -> Answer:
        """The answers to all segments as one."""
        return self._task.join(answers, self._segmenter)

    def _cut(self, blocks: Iterator[np.ndarray]) -> Iterator[Segment]:
        return (segment for probs in blocks for segment in self._segmenter.process(probs))

    def _answers(self, segments: Iterable[Segment]) -> list[Any]:
        """Those of segments in which there are words: a search may find none where a token was the likeliest."""
        step, answers = self._task.frame_times.step, []
        for segment in segments:
            start, end = segment.first * step, (segment.first + len(segment.probs)) * step
            answer: Any = self._task.decode(segment.probs, self._task.threshold)
            if answer.words:
                seconds = self.seconds
                answers.append(answer.placed(path=None, seconds=seconds, start=start, end=min(end, seconds)))
        return answers


class _Windows(OverlappingWindows):
    """Windows of a run's sound, whose context is its receptive field, or what is asked for."""

    def __init__(self, run: Transcribing, live: bool, look_ahead: float | None):
        spec, step = run.config.features, run.recognition.frame_times.step
        field, stride = receptive_field(run.network), round(step * spec.sample_rate / spec.hop_length)
        sizes = full = WindowSizes.of(field, spec, stride)
        if live:
            sizes = full.live(None if look_ahead is None else round(look_ahead / step))
        super().__init__(functools.partial(run.probs, own_speed=True), spec, sizes)
        self.look_ahead = sizes.after * step
        self.exact = field.is_finite and sizes.after >= full.after
