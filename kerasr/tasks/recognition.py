"""What the tasks share that answer a recording: how outputs are read, what is right, and what is told of a clip."""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.config import FeatureSpec
from kerasr.data.manifest import Utterance
from kerasr.decoding.alignment import Alignment, FrameTimes
from kerasr.decoding.segments import Segmenter
from kerasr.errors import UserError
from kerasr.metrics.calibration import PlattScaling
from kerasr.models.from_waveform import attach_front_ends, find_network, takes_features
from kerasr.tasks.base import OutputSpec, Task
from kerasr.tasks.trained import Trained

# Facts of some clips by their names, each a value a clip; None where that is not known.
Columns = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model says of a recording; each task's answers add to it.

    Attributes:
        path: of the recording; None for a waveform.
        seconds: how long the recording is.
        start: where the part of it begins that the model has looked at, in seconds.
        end: where that ends.
    """

    path: str | None = None
    seconds: float = 0.0
    start: float = 0.0
    end: float = 0.0

    def placed(self, *, path: str | None, seconds: float, start: float, end: float) -> Self:
        """The same answer, of this part of this recording."""
        return replace(self, path=path, seconds=seconds, start=start, end=end)


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A clip that the report of an evaluation shows.

    Attributes:
        index: which of the clips it is.
        predicted: what it is taken for, in words.
        probability: how sure that is.
        correct: whether it is right in all.
        pairs: of a transcript each word that was said beside the one that was found, "" where there is none.
        alignment: of a transcript, where its tokens are.
    """

    index: int
    predicted: str
    probability: float
    correct: bool
    pairs: tuple[tuple[str, str], ...] = ()
    alignment: Alignment | None = None


@dataclass(frozen=True, kw_only=True)
class Label(Answer):
    """Which word is in it.

    Attributes:
        word: what is said in it; None where that is none of the words, or not the one that is detected.
        probability: of the likeliest word, also where it is rejected; of a detector's word, also where it is absent.
        top: the likeliest words and their probabilities, the first one first.
        rejected: whether the probability is less than the threshold.
        threshold: least probability of a word that is answered.
    """

    word: str | None
    probability: float
    top: tuple[tuple[str, float], ...]
    rejected: bool
    threshold: float


class Recognition(Task):
    """A task whose network reads a recording and says something of it.

    Attributes:
        threshold: least probability of what is answered, where no other has been chosen.
        rejects: whether an answer that is not probable enough is taken back, by a threshold that is chosen on the
            validation clips.
        has_words: whether an answer has `words`, each with its times.
        none: what a table says of an answer that is none.
        calibration: of the confidences of an answer's words, fitted on the validation clips; None where it was not.
        frame_times: when the outputs are of a network that gives one for each few frames; a run tells its task.
    """

    threshold: float = 0.0
    rejects: ClassVar[bool] = False
    has_words: ClassVar[bool] = False
    none: ClassVar[str] = "none of the words"
    calibration: PlattScaling | None = None
    frame_times = FrameTimes()

    # --- training

    @property
    @abc.abstractmethod
    def output(self) -> OutputSpec:
        """What a network must give."""

    @property
    def per_frame(self) -> bool:
        """As the outputs are."""
        return self.output.per_frame

    def build_network(self, build: Callable[..., keras.Model], spec: FeatureSpec, options: Mapping[str, Any]) -> Any:
        """From features to logits."""
        return build(spec.shape, self.output.size, **options)

    def whole_model(self, front_ends: Sequence[Features], network: keras.Model) -> keras.Model:
        """From waveforms to logits."""
        return attach_front_ends(front_ends, network)

    def find_network(self, model: Any) -> keras.Model | None:
        """The one from features to logits."""
        return find_network(model)

    def gives_logits(self, network: keras.Model) -> bool:
        """Whether a network has as many outputs as the task wants."""
        return network.output_shape == self.output.shape

    def why_not_network(self, model: Any, network: keras.Model, spec: FeatureSpec) -> str | None:
        """Outputs of others than these labels, or features that another front-end makes."""
        if not self.gives_logits(network) or model.output_shape != network.output_shape:
            return (
                f"these weights have outputs of the shape {model.output_shape} and there are {len(self.labels)} labels"
            )
        if not takes_features(network, spec):
            return f"these weights take features of the shape {network.input_shape}, and not {(None, *spec.shape)}"
        return None

    # --- answers

    @abc.abstractmethod
    def probs(self, logits: Any) -> Any:
        """What is read of the logits, a tensor `(batch, labels)`: in a graph, too."""

    @abc.abstractmethod
    def decode(self, probs: np.ndarray, threshold: float) -> Answer:
        """What `(labels,)` say of a clip."""

    def segmenter(self) -> Segmenter:
        """What cuts the outputs of a sound that goes on into segments, each of which `decode` reads.

        Raises:
            UserError: the answers are of a clip as a whole.
        """
        raise UserError("task-unsupported", f"a transcript of a sound that goes on: this model is to {self.about()}")

    def partial(self, segmenter: Segmenter) -> str:
        """What is said so far in the segment that has not ended; "" where that is not known before its end."""
        return ""

    def join(self, answers: Sequence[Any], segmenter: Segmenter) -> Answer:
        """The answers to a recording's segments as one."""
        raise NotImplementedError

    def signature(self, probs: Any) -> dict[str, Any]:
        """What an exported model gives beside `logits` and `probs`: tensors by name."""
        return {}

    def output_facts(self) -> dict[str, Any]:
        """What must be known to read an exported model's outputs, beside the labels, as plain JSON types."""
        return {}

    @abc.abstractmethod
    def to_json(self, answer: Any) -> dict[str, Any]:
        """What is said of a recording, as plain JSON types."""

    @abc.abstractmethod
    def cells(self, answer: Any) -> dict[str, str | None]:
        """The same as a row of a table, by the columns' names; None for an answer that is none."""

    # --- scores

    @abc.abstractmethod
    def truth(self, utterances: Sequence[Utterance]) -> np.ndarray:
        """`(clips, ...)` the decisions that are right."""

    @abc.abstractmethod
    def decide(self, probs: np.ndarray) -> np.ndarray:
        """`(clips, ...)` the decisions by `(clips, labels)`."""

    def is_correct(self, utterances: Sequence[Utterance], probs: np.ndarray) -> np.ndarray:
        """`(clips,)`, whether each clip is right in all."""
        return same_decisions(self.decide(probs), self.truth(utterances))

    def word_error_rate(self, utterances: Sequence[Utterance], probs: np.ndarray) -> float | None:
        """Errors as a share of the words that are said; None of a task that writes no transcripts."""
        return None

    def fit_calibration(self, utterances: Sequence[Utterance], probs: np.ndarray) -> PlattScaling | None:
        """The calibration of its words' confidences by these clips; None where it has none."""
        return None

    @abc.abstractmethod
    def evaluate(
        self,
        run: Trained,
        utterances: Sequence[Utterance],
        probs: np.ndarray,
        *,
        groups: Columns | None = None,
        seed: int,
    ) -> dict[str, Any]:
        """The scores, as plain JSON types: what `kerasr.metrics.accuracy.accuracy_metrics` says, and the task's own.

        Args:
            run: the model's.
            utterances: the clips.
            probs: `(clips, labels)` what it says of them.
            groups: what else is known of each clip, by the name of the manifest's column.
            seed: of the intervals' resampling.
        """

    # --- what is told

    @abc.abstractmethod
    def said(self, utterance: Utterance) -> str:
        """What is in a clip, in words."""

    @abc.abstractmethod
    def shown(self, probs: np.ndarray) -> tuple[str, float]:
        """What `(labels,)` are taken for, in words, and how sure that is."""

    def examples(self, utterances: Sequence[Utterance], probs: np.ndarray, most: int) -> list[Example]:
        """The wrong clips of the highest confidence; where none is wrong, the right ones of the lowest."""
        correct = self.is_correct(utterances, probs)
        shown = [self.shown(row) for row in probs]
        confidence = np.array([probability for _, probability in shown])
        wrong = np.flatnonzero(~correct)
        surest = wrong[np.argsort(-confidence[wrong], kind="stable")]
        order = surest if len(wrong) else np.argsort(confidence, kind="stable")
        return [
            Example(index=index, predicted=shown[index][0], probability=shown[index][1], correct=bool(correct[index]))
            for index in order[:most].tolist()
        ]


def same_decisions(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`(clips,)`, whether two sets of decisions `(clips, ...)` agree in all of a clip's."""
    same = one == other
    return same.reshape(len(same), -1).all(-1)


def recognition(task: Task, asked: str) -> Recognition:
    """The task, where it answers a recording.

    Args:
        task: of a run.
        asked: what is asked of it (`a transcript`).

    Raises:
        UserError: it does something else.
    """
    if not isinstance(task, Recognition):
        raise UserError("task-unsupported", f"{asked}: this model is to {task.about()}")
    return task
