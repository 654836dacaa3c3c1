"""Outputs of an encoder that carries its state, frame by frame, as a sound comes."""

from collections.abc import Iterator

import numpy as np

from kerasr.runs.run import Run
from kerasr.streaming.client import Stream
from kerasr.streaming.step_model import streaming_step


class StatefulOutputs:
    """Outputs of one sound through a run that carries its state: those of the sound as one clip, each computed once.

    They are what a `kerasr.inference.transcriber.Transcriber` takes in place of windows.

    Args:
        run: of the task `transcribe`.

    Attributes:
        look_ahead: sound that must come before an output is known, in seconds, to the end of its step.
        exact: they are those of the sound as one clip.

    Raises:
        UserError: the run cannot carry its state; the message says why.
    """

    exact = True

    def __init__(self, run: Run):
        step, facts = streaming_step(run)
        self.look_ahead = (facts.look_ahead + facts.frames - 1) * facts.hop_length / facts.sample_rate
        self._stream = Stream(step.predict_on_batch, facts)
        self._begun = False

    def process(self, chunk: np.ndarray) -> Iterator[np.ndarray]:
        """Take in the next samples `(samples,)`, any number; `(time, outputs)` of each step that they complete."""
        self._begun = self._begun or len(chunk) > 0
        return (answer["probs"] for answer in self._stream.process(chunk))

    def finish(self) -> Iterator[np.ndarray]:
        """The sound has ended: the outputs that are left; none where nothing has come."""
        if self._begun:
            yield self._stream.finish()["probs"]
