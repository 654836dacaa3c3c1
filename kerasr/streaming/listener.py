"""Words in a stream of sound: a model's answers as the sound goes on are smoothed, and a word is reported once.

A model takes a window of its clip's length that moves on by a hop: the windows stand at whole multiples of it, whatever
chunks the sound comes in. Or, if it can, it carries its state from chunk to chunk (`kerasr.streaming`) and answers
after each of its steps, sooner than a window ends; a recurrent model that has learnt from clips, though, is lost in a
stream that does not end, as docs/streaming.md shows. A word is reported when the mean of its probabilities over the
last few answers reaches the threshold; then nothing more is, until that sound has left the window (smoothing and
suppression as in Chen, Parada and Heigold, "Small-footprint keyword spotting using deep neural networks", ICASSP 2014,
section 2.3). `_silence_`, `_unknown_` and a detector's absence are never reported.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kerasr.audio.sound import why_no_sound
from kerasr.config import FeatureSpec, ListenOptions, TaskConfig, fault_of_json, from_json, read_json, shorten
from kerasr.core.extras import require_extra
from kerasr.errors import UserError
from kerasr.models.from_waveform import compute_logits
from kerasr.runs.run import Run, load_run
from kerasr.streaming.client import Stream, StreamFacts
from kerasr.streaming.step_model import streaming_step
from kerasr.tasks.registry import find_task
from kerasr.tasks.words import WordTask, word_task

# Windows that are run side by side, where a chunk completes several.
MAX_WINDOWS = 32

_ANY_LENGTH = (
    "{}: takes clips of any length, and windows have one: train with --features.clip-seconds, or --carry-state"
)


class ProbabilityStream(Protocol):
    """Probabilities of the words in one stream.

    Attributes:
        hop: samples from one answer to the next.
    """

    hop: int

    def process(self, chunk: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Take in the next samples `(samples,)`, any number of them.

        Yields:
            For each answer that they complete, how many samples of the stream it has taken, and its probabilities
            `(labels,)`.
        """
        ...


class Listening(Protocol):
    """What takes in a sound and tells what is in it: a `Listener`, or a `kerasr.inference.transcriber.Transcriber`."""

    @property
    def sample_rate(self) -> int:
        """Of the sound, in Hz."""
        ...

    @property
    def seconds(self) -> float:
        """How much of the sound has come."""
        ...

    @property
    def partial(self) -> str:
        """What is being said and not told yet."""
        ...

    @property
    def setting(self) -> str:
        """What decides when something is told, in words."""
        ...

    def process(self, chunk: np.ndarray) -> list[Any]:
        """What is found in the next samples `(samples,)`, any number of them."""
        ...

    def finish(self) -> list[Any]:
        """What is found at the sound's end."""
        ...

    def to_json(self, found: Any) -> dict[str, Any]:
        """What is found as plain JSON types."""
        ...


class WindowedStream:
    """A stream in windows that move on by a hop.

    Args:
        probs: probabilities `(batch, labels)` of windows `(batch, samples)`.
        window: samples of a window.
        hop: samples from one window to the next.
    """

    def __init__(self, probs: Callable[[np.ndarray], np.ndarray], window: int, hop: int):
        self._probs = probs
        self._window = window
        self.hop = hop
        # Silence goes before the stream, so that a word at its very beginning is in as many windows as another.
        self._sound = np.zeros(max(window - hop, 0), np.float32)
        self._position = -len(self._sound)

    def process(self, chunk: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """As of `ProbabilityStream`."""
        self._sound = np.concatenate([self._sound, np.asarray(chunk, np.float32)])
        while len(self._sound) >= self._window:
            windows = sliding_window_view(self._sound, self._window)[:: self.hop][:MAX_WINDOWS]
            first = self._position + self._window
            self._sound = self._sound[len(windows) * self.hop :]
            self._position += len(windows) * self.hop
            yield from zip(count(first, self.hop), self._probs(windows), strict=False)


class StatefulStream:
    """A stream through a model that carries its state.

    Args:
        stream: a stream at its beginning.
    """

    def __init__(self, stream: Stream):
        self._stream = stream
        self.hop = stream.facts.step_samples

    def process(self, chunk: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """As of `ProbabilityStream`."""
        for answer in self._stream.process(chunk):
            yield self._stream.samples, answer["probs"]


@dataclass(frozen=True)
class StreamModel:
    """A model for streams.

    Attributes:
        sample_rate: in Hz.
        window: samples of a clip as it learnt from; a second's where they were of any length.
        labels: in the order of its answers.
        words: the labels that are reported.
        threshold: least mean probability of a word that is reported, where the user gives none.
        follow: begins a stream, given the samples from one window to the next; a model that carries its state has a
            hop of its own.
    """

    sample_rate: int
    window: int
    labels: Sequence[str]
    words: Sequence[str]
    threshold: float
    follow: Callable[[int], ProbabilityStream]


def open_stream_model(path: str, *, carry_state: bool = False) -> StreamModel:
    """The model in a `.tflite` file, a run's folder, or the preset of that name.

    Args:
        path: where it is.
        carry_state: carry its state from chunk to chunk, instead of taking windows.

    Raises:
        UserError: it cannot be loaded, or used so; the message says why.
    """
    run = open_run(path)
    return _litert_stream_model(path, carry_state) if run is None else stream_model_of(run, carry_state=carry_state)


def open_run(path: str) -> Run | None:
    """The run in a folder, or the preset of that name; None for a `.tflite` file.

    Raises:
        UserError: it is another export, or cannot be loaded.
    """
    if path.endswith(".tflite"):
        return None
    if path.endswith(".onnx") or any(Path(path).glob("*/saved_model.pb")) or Path(path, "saved_model.pb").exists():
        raise UserError(
            "export-unsupported",
            f"{path}: give the run, a preset's name or a .tflite file; other exports are not listened with",
        )
    return load_run(path)


def stream_model_of(run: Run, *, carry_state: bool = False) -> StreamModel:
    """A run or preset; arguments and errors as of `open_stream_model`."""
    spec = run.config.features
    run.check_front_end("listening")
    word_task(run.task, "listening")
    follow = _run_steps(run) if carry_state else _run_windows(run)
    words = reported_words(run.labels, run.task.name)
    return StreamModel(spec.sample_rate, _window(spec), run.labels, words, run.stream_threshold, follow)


def _run_windows(run: Run) -> Callable[[int], ProbabilityStream]:
    spec = run.config.features
    if spec.clip_seconds is None:
        raise UserError("clip-length-missing", _ANY_LENGTH.format(run.path))
    waveform = keras.Input((spec.clip_samples,), name="waveform")
    model = keras.Model(waveform, run.recognition.probs(compute_logits(run.front_ends, run.network, waveform)))

    def probs(windows: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(model.predict_on_batch(windows))

    return lambda hop: WindowedStream(probs, spec.clip_samples, hop)


def _run_steps(run: Run) -> Callable[[int], ProbabilityStream]:
    step, facts = streaming_step(run)
    return lambda _: StatefulStream(Stream(step.predict_on_batch, facts))


class FileFacts(TypedDict):
    """What is read of the `.json` beside a `.tflite` file; `kerasr.export` writes more."""

    features: dict[str, Any]
    labels: list[str]
    task: str
    stream_threshold: float
    stream: NotRequired[dict[str, Any] | None]


def _litert_stream_model(path: str, carry_state: bool) -> StreamModel:
    """A `.tflite` file that `kerasr.export` wrote, with its `.json` beside it."""
    require_extra("litert", f"{path}:", only=("ai_edge_litert",))
    from ai_edge_litert.interpreter import Interpreter

    try:
        facts = read_json(f"{path}.json")
        if (fault := fault_of_json(facts, FileFacts)) is not None:
            raise UserError("file-damaged", fault)
        spec, stream = from_json(FeatureSpec, facts["features"]), facts.get("stream")
        labels, task, threshold = (facts[name] for name in ("labels", "task", "stream_threshold"))
        interpreter = Interpreter(path, num_threads=1)
    except (OSError, ValueError, UserError) as error:
        reason = shorten(error)
        raise UserError(
            "file-damaged", f"{path}: cannot be loaded with its .json beside it ({reason}); export it again"
        ) from error
    if not issubclass(find_task(TaskConfig(task)), WordTask):
        raise UserError("task-unsupported", f"{path}: gives no words of a stream (task {task}): listen with its run")
    if spec.clip_seconds is None and not carry_state:
        raise UserError("clip-length-missing", _ANY_LENGTH.format(path))
    if carry_state and not stream:
        raise UserError(
            "streaming-unsupported", f"{path}: carries no state: export it again with --stream, if its model can"
        )

    def follow(hop: int) -> ProbabilityStream:
        if carry_state and stream:
            step = interpreter.get_signature_runner("stream")
            return StatefulStream(Stream(lambda inputs: step(**inputs), StreamFacts.from_json(stream)))
        clip = interpreter.get_signature_runner("serving_default")

        def probs(windows: np.ndarray) -> np.ndarray:
            return np.concatenate([clip(waveform=window[None])["probs"] for window in windows])

        return WindowedStream(probs, spec.clip_samples, hop)

    return StreamModel(spec.sample_rate, _window(spec), labels, reported_words(labels, task), threshold, follow)


def _window(spec: FeatureSpec) -> int:
    return spec.sample_rate if spec.clip_seconds is None else spec.clip_samples


@dataclass(frozen=True)
class Detection:
    """A word that was reported.

    Attributes:
        seconds: the end of what had come when it was reported, from the beginning of the stream.
        word: the label.
        probability: the mean over the last windows.
    """

    seconds: float
    word: str
    probability: float


class DetectionRule:
    """Decides when a smoothed answer is a word that is reported.

    Args:
        labels: in the order of the answers.
        words: those of them that are reported.
        threshold: least mean probability.
        refractory_seconds: silence after a report, in seconds.
    """

    def __init__(self, labels: Sequence[str], words: Sequence[str], threshold: float, refractory_seconds: float):
        self._labels = labels
        self._words = [number for number, label in enumerate(labels) if label in words]
        self._threshold = threshold
        self._refractory = refractory_seconds
        self._silent_until = 0.0

    def decide(self, seconds: float, mean: np.ndarray) -> Detection | None:
        """The word that the mean of the probabilities `(labels,)` up to `seconds` reports, or None."""
        best = max(self._words, key=lambda number: mean[number])
        # (A probability that is no number reaches no threshold.)
        if not mean[best] >= self._threshold or seconds < self._silent_until:
            return None
        self._silent_until = seconds + self._refractory
        return Detection(round(seconds, 3), self._labels[best], float(mean[best]))


class Listener:
    """Detects words in a stream that comes in chunks, by the mean of the last few answers.

    Args:
        stream_model: the model.
        options: when a word is reported.

    Raises:
        UserError: windows would lie further apart than they are long.
    """

    def __init__(self, stream_model: StreamModel, options: ListenOptions | None = None):
        options = options or ListenOptions()
        self.stream_model = stream_model
        self.threshold = options.threshold if options.threshold is not None else stream_model.threshold
        self._rule = DetectionRule(stream_model.labels, stream_model.words, self.threshold, options.refractory_seconds)
        self._stream = stream_model.follow(max(1, round(options.hop_seconds * stream_model.sample_rate)))
        if self._stream.hop > stream_model.window:
            window = f"{stream_model.window / stream_model.sample_rate:g} s"
            raise UserError(
                "setting-out-of-range",
                f"--hop-seconds {options.hop_seconds:g}: this model takes {window} at a time; give less",
            )
        num_answers = round(options.smooth_seconds * stream_model.sample_rate / self._stream.hop)
        self._answers: deque[np.ndarray] = deque(maxlen=max(1, num_answers))
        self._samples = 0

    @property
    def sample_rate(self) -> int:
        """Of the stream, in Hz."""
        return self.stream_model.sample_rate

    @property
    def seconds(self) -> float:
        """How much of the stream has come."""
        return self._samples / self.sample_rate

    @property
    def partial(self) -> str:
        """Nothing: a word is reported as a whole."""
        return ""

    @property
    def setting(self) -> str:
        """The threshold, in words."""
        return f"threshold {self.threshold:.0%}"

    def process(self, chunk: np.ndarray) -> list[Detection]:
        """Detections in the next samples `(samples,)`, any number of them."""
        decided = (self._rule.decide(seconds, mean) for seconds, mean in self.answer(chunk))
        return [detection for detection in decided if detection is not None]

    def finish(self) -> list[Detection]:
        """The stream has ended: its last words are found in silence after them."""
        return self.process(np.zeros(self.stream_model.window, np.float32))

    def to_json(self, found: Detection) -> dict[str, Any]:
        """A detection as plain JSON types."""
        return {"seconds": found.seconds, "word": found.word, "probability": round(found.probability, 4)}

    def answer(self, chunk: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """The smoothed answers `(labels,)` that the next samples complete, each with the seconds that have come.

        Raises:
            UserError: the samples are no sound (`kerasr.audio.sound`): a carried state might never be rid of it.
        """
        self._samples += len(chunk)
        if why := why_no_sound(chunk):
            raise UserError("sound-invalid", f"up to {self.seconds:.1f} s the sound {why}")
        for samples, probs in self._stream.process(chunk):
            self._answers.append(probs)
            if len(self._answers) == self._answers.maxlen:
                yield samples / self.stream_model.sample_rate, np.mean(self._answers, axis=0)


def reported_words(labels: Sequence[str], task: str) -> tuple[str, ...]:
    """The labels that a listener reports: of a detector its word, else all but `_silence_`, `_unknown_` and such."""
    if task == "detect":
        return tuple(labels[1:])
    return tuple(label for label in labels if not (label.startswith("_") and label.endswith("_")))


def listen(listener: Listening, chunks: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, list[Any]]]:
    """Each chunk with what is found in it, and at the stream's end the last of it."""
    for chunk in chunks:
        yield chunk, listener.process(chunk)
    yield np.zeros(0, np.float32), listener.finish()
