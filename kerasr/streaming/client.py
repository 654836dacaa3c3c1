"""A sound in chunks of any size, step by step: what a client of a streaming model does.

It knows no framework: a step may be a run's (`kerasr.streaming`), a `.tflite` file's or a server's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kerasr.audio.sound import why_no_sound
from kerasr.errors import UserError

# Names of states begin so.
STATE = "state_"
SOUND, POSITION = f"{STATE}sound", f"{STATE}position"
# What an answer has.
OUTPUTS = ("logits", "probs")


@dataclass(frozen=True)
class StreamFacts:
    """What a client must know of a step.

    Attributes:
        sample_rate: in Hz.
        n_fft: samples of a frame; the first `n_fft - hop_length` of a stream are the first `state_sound`.
        hop_length: samples from one frame to the next.
        frames: frames that a step takes, of `hop_length` samples each.
        look_ahead: frames by which logits are late.
        clip_frames: frames that the network reads at once; None where it reads from the stream's beginning on.
        states: shape of each state for one stream; all are zeros at the beginning but `state_sound`.
        output_stride: frames for each row of logits; None where logits are a clip's as a whole.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    frames: int
    look_ahead: int
    clip_frames: int | None
    states: dict[str, tuple[int, ...]]
    output_stride: int | None = None

    @property
    def step_samples(self) -> int:
        """Samples that a step takes."""
        return self.frames * self.hop_length

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "StreamFacts":
        """What `to_json` made plain."""
        return cls(**{**plain, "states": {name: tuple(shape) for name, shape in plain["states"].items()}})


class Stream:
    """Predicts one sound that comes in chunks of any size.

    Where the network answers each few frames (`StreamFacts.output_stride`), an answer has the rows that are new with a
    step, `(time, outputs)`, none while the network still looks ahead: all answers together, with that of `finish`, are
    the whole clip's. Else an answer is about the clip so far.

    Args:
        step: what computes a step: a dictionary of arrays of batch 1 in and out, as `streaming_step` names them.
        facts: of that step.
    """

    def __init__(self, step: Callable[[dict[str, np.ndarray]], Mapping[str, Any]], facts: StreamFacts):
        self.facts = facts
        self._step = step
        self._sound = np.zeros(0, np.float32)
        self._states: dict[str, Any] | None = None
        self._num_steps = 0
        self._answer: dict[str, np.ndarray] = {}

    @property
    def samples(self) -> int:
        """Samples that the last answer has taken, to the end of its last frame."""
        return self._num_steps * self.facts.step_samples + self._first_samples

    def process(self, chunk: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Take in the next samples `(samples,)`; `logits` and `probs` after each step that they complete.

        Raises:
            UserError: they are no sound (`kerasr.audio.sound`), and are left out.
        """
        chunk = np.asarray(chunk, np.float32)
        if why := why_no_sound(chunk):
            raise UserError("sound-invalid", f"after {self.samples / self.facts.sample_rate:.1f} s the sound {why}")
        self._sound = np.concatenate([self._sound, chunk])
        if self._states is None and len(self._sound) >= self._first_samples:
            self._begin()
        while self._states is not None and len(self._sound) >= self.facts.step_samples:
            self._next(self.facts.frames)
            yield self._answer

    def finish(self) -> dict[str, np.ndarray]:
        """`logits` and `probs` of the whole clip, or its last rows.

        Silence follows the clip for as long as the network looks ahead.
        As offline, samples at the end that fill no frame are left out, and of a clip shorter than one frame there is
        one, filled with silence.
        """
        facts = self.facts
        if self._states is None:
            self._sound = np.pad(self._sound, (0, self._first_samples - len(self._sound)))
            self._begin()
        own = max(1, self._num_steps * facts.frames + len(self._sound) // facts.hop_length)
        until = max(own, facts.clip_frames or 0) + facts.look_ahead
        told, answers = self._rows_told, []
        while self._num_steps * facts.frames < until:
            self._sound = np.pad(self._sound, (0, max(0, facts.step_samples - len(self._sound))))
            self._next(min(facts.frames, own - self._num_steps * facts.frames))
            answers.append(self._answer)
        if facts.output_stride is None:
            return self._answer
        left = -(-own // facts.output_stride) - told
        # (Where no step was left, no row is.)
        answers = answers or [self._answer]
        return {name: np.concatenate([answer[name] for answer in answers])[:left] for name in OUTPUTS}

    @property
    def _first_samples(self) -> int:
        """Samples that the first frame has and no later step brings."""
        return self.facts.n_fft - self.facts.hop_length

    @property
    def _rows_told(self) -> int:
        """Rows of logits that all steps so far have given, without those of before the clip's beginning."""
        facts = self.facts
        return max(0, self._num_steps * facts.frames - facts.look_ahead) // (facts.output_stride or 1)

    def _begin(self) -> None:
        first, self._sound = np.split(self._sound, [self._first_samples])
        begun = {SOUND: first[None], POSITION: np.zeros(1, np.int32)}
        zeros = {name: np.zeros((1, *shape), np.float32) for name, shape in self.facts.states.items()}
        self._states = {name: begun.get(name, zeros[name]) for name in zeros}

    def _next(self, num_frames: int) -> None:
        """Run one step on the sound at hand."""
        size = self.facts.step_samples
        given = {"waveform": self._sound[None, :size], "num_frames": np.array([num_frames], np.int32)}
        found = self._step({**given, **(self._states or {})})
        self._states = {name: found[name] for name in self.facts.states}
        self._answer = {name: np.asarray(found[name])[0] for name in OUTPUTS}
        self._sound = self._sound[size:]
        told = self._rows_told
        self._num_steps += 1
        if self.facts.output_stride is not None:
            new = self._rows_told - told
            self._answer = {name: rows[len(rows) - new :] for name, rows in self._answer.items()}
