"""What a task decides: its targets, loss, metrics, how outputs are read, what they are worth, and how that is told.

A task is a subclass of `Task` in a file of its own, registered by `register_task`. Trainer, pipeline, run, export,
report and commands ask it, and know none by name.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import keras
import numpy as np

from kerasr.config import FitConfig, TaskConfig, TrainConfig
from kerasr.core.console import isolate
from kerasr.core.scores import ACCURACY, Monitor
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.targets import Targets
from kerasr.decoding.alignment import Alignment, FrameTimes
from kerasr.decoding.segments import Segmenter
from kerasr.errors import UserError
from kerasr.metrics.calibration import PlattScaling
from kerasr.metrics.judgement import Judgement
from kerasr.tasks.auxiliary_loss import AuxiliaryLoss
from kerasr.tasks.trained import Trained

# The focal loss weighs a clip by (1 - probability of its word) to this power: 2 did best in section 3.2 of Lin et al.
# 2017, https://arxiv.org/abs/1708.02002.
FOCAL_GAMMA = 2.0


# Facts of some clips by their names, each a value a clip; None where that is not known.
Columns = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class OutputSpec:
    """What a network must give for a clip.

    Attributes:
        size: numbers in an output.
        per_frame: whether there is an output for each frame, `(batch, time, size)`, or one a clip, `(batch, size)`.
    """

    size: int
    per_frame: bool = False

    @property
    def shape(self) -> tuple[int | None, ...]:
        """With None for the batch, and for the time."""
        return (None, None, self.size) if self.per_frame else (None, self.size)


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


class Task(abc.ABC):
    """One of the things that a network can be trained for.

    Args:
        labels: what the outputs stand for, as `labels_of` has found them.
        config: the task's settings.

    Attributes:
        name: as `--task` takes it.
        threshold: least probability of what is answered, where no other has been chosen.
        monitor: the history's column that tells which epoch is the best, and whether high or low is good.
        min_labels: of so many labels at least a corpus must consist, each recording with one; 0 for a task that reads
            something else off a recording.
        blends: whether clips and their targets may be mixed (mixup, CutMix).
        keeps_order: whether the order of sounds in a clip matters: then no clip is cut to a length.
        rejects: whether an answer that is not probable enough is taken back, by a threshold that is chosen on the
            validation clips.
        has_words: whether an answer has `words`, each with its times.
        none: what a table says of an answer that is none.
        calibration: of the confidences of an answer's words, fitted on the validation clips; None where it was not.
        frame_times: when the outputs are of a network that gives one for each few frames; a run tells its task.
    """

    name: ClassVar[str]
    threshold: float = 0.0
    monitor: Monitor = ACCURACY
    min_labels: ClassVar[int] = 2
    blends: ClassVar[bool] = True
    keeps_order: ClassVar[bool] = False
    rejects: ClassVar[bool] = False
    has_words: ClassVar[bool] = False
    none: ClassVar[str] = "none of the words"
    calibration: PlattScaling | None = None
    frame_times = FrameTimes()

    def __init__(self, labels: tuple[str, ...], config: TaskConfig):
        self.labels = labels
        self.monitor = self.monitor_of(config)

    # --- training

    @classmethod
    def labels_of(cls, corpus: Corpus, config: TaskConfig) -> tuple[str, ...]:
        """What the outputs stand for, from the recordings.

        Raises:
            UserError: the recordings do not say.
        """
        del config  # Most tasks have one way.
        return corpus.labels

    @classmethod
    def of_corpus(cls, corpus: Corpus, config: TaskConfig) -> "Task":
        """The task that recordings set, with the labels that they say; errors as of `labels_of`."""
        return cls(cls.labels_of(corpus, config), config)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], config: TaskConfig) -> "Task":
        """The task of a run, whose `run.json` says so.

        Raises:
            ValueError: what `facts` has written there is not of these labels.
        """
        return cls(tuple(facts["corpus"]["labels"]), config)

    def facts(self) -> dict[str, Any]:
        """What a run's facts keep of it beside the labels, as plain JSON types."""
        return {}

    @classmethod
    def monitor_of(cls, config: TaskConfig) -> Monitor:
        """What tells the best epoch, by the settings."""
        del config  # Most tasks have one.
        return cls.monitor

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Raise where the settings do not suit the task, before recordings are read."""
        del config  # Most tasks take any.

    @property
    @abc.abstractmethod
    def output(self) -> OutputSpec:
        """What a network must give."""

    @abc.abstractmethod
    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """The clips' targets."""

    @abc.abstractmethod
    def loss(self, config: FitConfig) -> keras.losses.Loss:
        """The loss between targets and logits."""

    def auxiliary_loss(self, network: keras.Model, config: FitConfig) -> AuxiliaryLoss | None:
        """What is learnt beside the targets from the same embedding, by a head that is built here; None for nothing."""
        return None

    def distillation_loss(self, teacher_logits: Any, logits: Any, temperature: float) -> Any:
        """`(batch,)` how far the network is from a teacher, both softened.

        Logits are divided by the temperature T, and the loss multiplied by T squared, so that its gradient weighs as
        much at any T (Hinton, Vinyals and Dean 2015, section 2, https://arxiv.org/abs/1503.02531).
        """
        raise UserError("task-unsupported", f"--teacher: there is no distillation for the task {self.name}")

    @abc.abstractmethod
    def metrics(self) -> list[keras.metrics.Metric]:
        """What Keras measures of each epoch, between targets and logits."""

    def add_training_clips(
        self, config: TrainConfig, corpus: Corpus, open_run: Callable[[str], Trained]
    ) -> tuple[Corpus, tuple[Utterance, ...], dict[str, Any]]:
        """What the task trains on beside the corpus.

        Args:
            config: the settings.
            corpus: with every split decided.
            open_run: the run in a folder.

        Returns:
            The corpus, its clips marked where the task has something to say of them; further training clips; and what
            goes into the run's facts.
        """
        return corpus, (), {}

    def repeat(self, utterances: Sequence[Utterance]) -> list[Utterance]:
        """The training clips, each as often as a pass draws it."""
        return list(utterances)

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
    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where other recordings than the training's cannot be measured on."""

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

    def evaluate_beside(self, run: Trained, metrics: dict[str, Any]) -> dict[str, Any]:
        """The scores, with what is measured on other recordings than the test's."""
        return metrics

    @abc.abstractmethod
    def judge(self, metrics: Mapping[str, Any]) -> list[Judgement]:
        """What is wrong with a model of these scores."""

    # --- what is told

    @abc.abstractmethod
    def about(self) -> str:
        """What it is to do, in words: "tell 10 words apart"."""

    @abc.abstractmethod
    def headline(self, metrics: Mapping[str, Any]) -> str:
        """The score in a few words, as a share in percent."""

    @abc.abstractmethod
    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """The score in a few lines, the first of which begins with the headline."""

    @abc.abstractmethod
    def rows(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """Name and value of the scores for the terminal, the headline first."""

    @abc.abstractmethod
    def tiles(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """Name and value of the few numbers that stand beside the headline."""

    def notes(self, run: Trained, metrics: Mapping[str, Any]) -> list[str]:
        """What a reader must know to judge the scores."""
        return []

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

    @abc.abstractmethod
    def pictures(self, metrics: Mapping[str, Any]) -> list[str]:
        """The figures of the report, by the names of `kerasr.report.page.FIGURES`, in order."""


def same_decisions(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`(clips,)`, whether two sets of decisions `(clips, ...)` agree in all of a clip's."""
    same = one == other
    return same.reshape(len(same), -1).all(-1)


def list_words(words: Sequence[str], limit: int) -> str:
    """Words in a line, of many the first."""
    rest = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(map(isolate, words[:limit])) + rest
