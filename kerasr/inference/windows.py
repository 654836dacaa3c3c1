"""Outputs of a sound of any length, frame by frame, from windows that overlap: memory stays as it is for hours.

Of each window the outputs of its middle are kept, whose context is inside it. Where that context is the network's whole
receptive field, they are those that the network gives of the sound as one clip; where it reads clips whole, they are
those of a clip that begins and ends so far away.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kerasr.audio.features import DELTA_WIDTH
from kerasr.config import FeatureSpec
from kerasr.models.receptive_field import ReceptiveField

# Seconds of sound on either side that a network sees of a moment, where it would read all there is.
CONTEXT_SECONDS = 4.0
# And what is kept of a window, at least.
STEP_SECONDS = 10.0
# Steps by which a window moves on over its context, where the sound is live.
LIVE_STEPS = 8
# Windows that are run side by side, where there is sound for several.
MAX_WINDOWS = 8


@dataclass(frozen=True)
class WindowSizes:
    """How a sound is cut into windows, in outputs of the network.

    Attributes:
        stride: frames of features to an output.
        before: context before those that are kept.
        after: context after them: the look-ahead.
        step: those that are kept of a window.
    """

    stride: int
    before: int
    after: int
    step: int

    @classmethod
    def of(cls, field: ReceptiveField, spec: FeatureSpec, stride: int) -> "WindowSizes":
        """Those whose context is the receptive field, or `CONTEXT_SECONDS` where it has no end.

        As much is kept of a window as is its context, `STEP_SECONDS` at least: nothing is computed more than twice.

        Args:
            field: the network's.
            spec: of the front-end, whose frames may look back and ahead on their own.
            stride: frames of features to an output.
        """
        # A centred frame sees silence where a window is cut, and differences over time the frame at the edge.
        edge = spec.num_deltas * (DELTA_WIDTH // 2) + (
            math.ceil(spec.n_fft / 2 / spec.hop_length) if spec.center else 0
        )
        rate = spec.sample_rate / spec.hop_length
        before, after = (
            math.ceil(((CONTEXT_SECONDS * rate if math.isinf(frames) else frames) + edge) / stride)
            for frames in (field.before, field.after)
        )
        return cls(stride, before, after, max(before + after, round(STEP_SECONDS * rate / stride)))

    def live(self, look_ahead: int | None = None) -> "WindowSizes":
        """Those for sound as it comes: small steps, of an eighth of the context, so that all is computed nine times.

        Args:
            look_ahead: outputs of context after those that are kept, where it is to be another.
        """
        after = self.after if look_ahead is None else look_ahead
        return replace(self, after=after, step=max(round((self.before + after) / LIVE_STEPS), 1))


class OverlappingWindows:
    """A sound that comes in chunks of any size, in windows.

    Args:
        probs: what the network says of clips `(samples,)`: `(clips, time, outputs)`, each clip whatever it is beside.
        spec: of the front-end.
        sizes: of the windows.
    """

    def __init__(self, probs: Callable[[Sequence[np.ndarray]], np.ndarray], spec: FeatureSpec, sizes: WindowSizes):
        self._probs = probs
        self._spec = spec
        self._sizes = sizes
        # Samples from one output to the next.
        self._hop = sizes.stride * spec.hop_length
        # The sound that is still needed begins at this output, and so many outputs are done.
        self._sound = np.zeros(0, np.float32)
        self._begin = self._done = 0

    def process(self, chunk: np.ndarray) -> Iterator[np.ndarray]:
        """Take in the next samples `(samples,)`; `(time, outputs)` of what they complete, in order."""
        self._sound = np.concatenate([self._sound, np.asarray(chunk, np.float32)])
        # The last frame of a window's context has all of its samples.
        whole = (self._begin - self._done) * self._hop + len(self._sound) - self._spec.n_fft
        ready = (whole // self._hop - self._sizes.after) // self._sizes.step
        yield from self._run(max(ready, 0) * self._sizes.step)

    def finish(self) -> Iterator[np.ndarray]:
        """The sound has ended: what is left, as the end of one clip."""
        if self._begin or len(self._sound):
            frames = self._begin * self._sizes.stride + self._spec.num_frames(len(self._sound))
            yield from self._run(-(-frames // self._sizes.stride) - self._done)

    def _run(self, num_outputs: int) -> Iterator[np.ndarray]:
        """So many outputs more."""
        sizes, end = self._sizes, self._done + num_outputs
        while self._done < end:
            firsts = range(self._done, end, sizes.step)[:MAX_WINDOWS]
            begins = [max(first - sizes.before, 0) for first in firsts]
            probs = self._probs([self._cut(*places) for places in zip(begins, firsts, strict=True)])
            for outputs, begin, first in zip(probs, begins, firsts, strict=True):
                yield outputs[first - begin : min(first + sizes.step, end) - begin]
            self._done = min(firsts[-1] + sizes.step, end)
            begin = max(self._done - sizes.before, 0)
            self._sound = self._sound[(begin - self._begin) * self._hop :]
            self._begin = begin

    def _cut(self, begin: int, first: int) -> np.ndarray:
        """The sound of a window from an output on, of which those from `first` on are kept."""
        end = first + self._sizes.step + self._sizes.after
        start = (begin - self._begin) * self._hop
        return self._sound[start : (end - self._begin) * self._hop + self._spec.n_fft]
