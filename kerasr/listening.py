"""Words in a stream of sound: a window of the model's clip length moves on by a hop, and its answers are smoothed.

The windows stand at whole multiples of the hop, whatever chunks the sound comes in. A word is reported when the mean of
its probabilities over the last few windows reaches the threshold; then nothing more is, until that sound has left the
window (smoothing and suppression as in Chen, Parada and Heigold, "Small-footprint keyword spotting using deep neural
networks", ICASSP 2014, section 2.3). `_silence_`, `_unknown_` and a detector's absence are never reported.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from kerasr.errors import UserError
from kerasr.rejection import stream_threshold
from kerasr.run_directory import hear, load_run

# Of a run that has no threshold of its own: most windows of a stream hold no word.
LEAST_THRESHOLD = 0.5

_ANY_LENGTH = "{}: hears clips of any length, and a stream is heard in windows of one: train with --features.clip-seconds"
    "{}: hears clips of any length; a stream is heard in windows of one length: train with --features.clip-seconds"
)


class Ear(Protocol):
    """A model that hears one window at a time.

    Attributes:
        sample_rate: in Hz.
        window: samples of a window.
        labels: the words, in the order of `probs`.
        threshold: least probability that the model's makers believe.
    """

    sample_rate: int
    window: int
    labels: Sequence[str]
    threshold: float

    def probs(self, waveform: np.ndarray) -> np.ndarray:
        """Probabilities `(labels,)` of a window `(samples,)`."""
        ...


class RunEar:
    """A run or preset, compiled for its window.

    Raises:
        UserError: there is no such run, or it hears clips of any length.
    """

    def __init__(self, path: str):
        run = load_run(path)
        spec = run.config.features
        if spec.clip_seconds is None:
            raise UserError(_ANY_LENGTH.format(path))
        self.sample_rate, self.window = spec.sample_rate, spec.clip_samples
        self.labels = run.labels
        self.threshold = stream_threshold(run)
        waveform = keras.Input(batch_shape=(1, self.window), name="waveform")
        self._model = keras.Model(waveform, run.task.probs(hear(run.front_ends, run.network, waveform)))

    def probs(self, waveform: np.ndarray) -> np.ndarray:
        """Probabilities `(labels,)` of a window `(samples,)`."""
        return keras.ops.convert_to_numpy(self._model.predict_on_batch(waveform[None]))[0]


class LiteRtEar:
    """A `.tflite` file that `kerasr.export` wrote, with its `.json` beside it.

    Raises:
        UserError: LiteRT is not installed, one of the two files is missing or damaged, or it hears clips of any length.
    """

    def __init__(self, path: str):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(f'{path}: needs ai-edge-litert: pip install -e ".[litert]"') from error
        try:
            facts = json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))
            self._interpreter = Interpreter(path, num_threads=1)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be loaded with its .json beside it ({error}); export it anew") from error
        if facts["features"]["clip_seconds"] is None:
            raise UserError(_ANY_LENGTH.format(path))
        self._run = self._interpreter.get_signature_runner()
        self.sample_rate = facts["features"]["sample_rate"]
        self.window = int(self._run.get_input_details()["waveform"]["shape"][1])
        self.labels, self.threshold = facts["labels"], facts["stream_threshold"]

    def probs(self, waveform: np.ndarray) -> np.ndarray:
        """Probabilities `(labels,)` of a window `(samples,)`."""
        return self._run(waveform=waveform[None])["probs"][0]


def open_ear(path: str) -> Ear:
    """The model in a `.tflite` file, a run's folder, or the preset of that name."""
    return LiteRtEar(path) if path.endswith(".tflite") else RunEar(path)


@dataclass(frozen=True)
class ListenOptions:
    """When a word counts as heard."""

    hop_seconds: float = 0.1
    """Time between two windows, in seconds."""
    smooth_seconds: float = 0.3
    """Time over which a word's probability is averaged, in seconds."""
    threshold: float | None = None
    """Least mean probability of a word that is reported. Where not given, the model's own, and 0.5 at least."""
    refractory_seconds: float = 1.0
    """Silence after a report, in seconds: the same sound stays in the window for a while."""


@dataclass(frozen=True)
class Heard:
    """A word that was reported.

    Attributes:
        seconds: the end of the window in which it was, from the beginning of the stream.
        word: what was heard.
        probability: the mean over the last windows.
    """

    seconds: float
    word: str
    probability: float


class Gate:
    """Decides when a smoothed answer is a word that is reported.

    Args:
        labels: the words, in the order of the answers.
        threshold: least mean probability.
        refractory_seconds: silence after a report, in seconds.
    """

    def __init__(self, labels: Sequence[str], threshold: float, refractory_seconds: float):
        self._labels = labels
        self._words = [number for number, label in enumerate(labels) if is_word(label)]
        self._threshold = threshold
        self._refractory = refractory_seconds
        self._silent_until = 0.0

    def decide(self, seconds: float, mean: np.ndarray) -> Heard | None:
        """The word that the mean of the probabilities `(labels,)` up to `seconds` reports, or None."""
        best = max(self._words, key=lambda number: mean[number])
        if mean[best] < self._threshold or seconds < self._silent_until:
            return None
        self._silent_until = seconds + self._refractory
        return Heard(round(seconds, 3), self._labels[best], float(mean[best]))


class Listener:
    """Hears a stream chunk by chunk; its state is the last window of sound and the last few answers.

    Args:
        ear: the model.
        options: when a word counts as heard.

    Raises:
        UserError: an option is out of its range.
    """

    def __init__(self, ear: Ear, options: ListenOptions | None = None):
        options = options or ListenOptions()
        _check(options)
        self.ear = ear
        self.threshold = options.threshold if options.threshold is not None else max(LEAST_THRESHOLD, ear.threshold)
        self._gate = Gate(ear.labels, self.threshold, options.refractory_seconds)
        self._hop = max(1, round(options.hop_seconds * ear.sample_rate))
        self._answers: deque[np.ndarray] = deque(maxlen=max(1, round(options.smooth_seconds / options.hop_seconds)))
        self._sound = np.zeros(0, np.float32)
        self._position = 0

    @property
    def seconds(self) -> float:
        """How much of the stream has been heard."""
        return (self._position + len(self._sound)) / self.ear.sample_rate

    def hear(self, chunk: np.ndarray) -> list[Heard]:
        """Hear the next samples `(samples,)`, any number of them; what was heard in the windows that they complete."""
        decided = (self._gate.decide(seconds, mean) for seconds, mean in self.answer(chunk))
        return [heard for heard in decided if heard is not None]

    def finish(self) -> list[Heard]:
        """The stream has ended: its last words are heard in silence after them."""
        return self.hear(np.zeros(self.ear.window, np.float32))

    def answer(self, chunk: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """The end in seconds of each window that the next samples complete, and the smoothed answer `(labels,)`."""
        self._sound = np.concatenate([self._sound, np.asarray(chunk, np.float32)])
        while len(self._sound) >= self.ear.window:
            self._answers.append(self.ear.probs(self._sound[: self.ear.window]))
            end = (self._position + self.ear.window) / self.ear.sample_rate
            self._sound = self._sound[self._hop :]
            self._position += self._hop
            if len(self._answers) == self._answers.maxlen:
                yield end, np.mean(self._answers, axis=0)


def is_word(label: str) -> bool:
    """Whether a label is something to report: `_silence_`, `_unknown_` and a detector's `not WORD` are not."""
    return not (label.startswith("_") and label.endswith("_")) and not label.startswith("not ")


def _check(options: ListenOptions) -> None:
    if not 0.01 <= options.hop_seconds <= 1:
        raise UserError(f"--hop-seconds {options.hop_seconds:g}: give 0.01 to 1")
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise UserError(f"--threshold {options.threshold:g} is no probability: give a number from 0 to 1")
    for name in ("smooth_seconds", "refractory_seconds"):
        if getattr(options, name) < 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(options, name):g}: give 0 or more")


def listen(listener: Listener, chunks: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, list[Heard]]]:
    """Each chunk with what was heard in it, and at the stream's end what was heard last."""
    for chunk in chunks:
        yield chunk, listener.hear(chunk)
    yield np.zeros(0, np.float32), listener.finish()


def describe_heard(heard: Heard) -> dict[str, Any]:
    """As plain JSON types."""
    return {"seconds": heard.seconds, "word": heard.word, "probability": round(heard.probability, 4)}
