"""What a task decides: its targets, loss, metrics, what a model of it is worth, and how that is told.

A task is a subclass of `Task` in a file of its own, registered by `register_task`. Trainer, pipeline, run, export,
report and commands ask it, and know none by name.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras

from kerasr.audio.features import Features
from kerasr.config import FeatureSpec, FitConfig, TaskConfig, TrainConfig
from kerasr.core.console import isolate
from kerasr.core.scores import ACCURACY, Monitor
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.targets import Targets
from kerasr.errors import UserError
from kerasr.metrics.judgement import Judgement
from kerasr.models.registry import RECOGNISER
from kerasr.tasks.auxiliary_loss import AuxiliaryLoss
from kerasr.tasks.trained import Trained

# The focal loss weighs a clip by (1 - probability of its word) to this power: 2 did best in section 3.2 of Lin et al.
# 2017, https://arxiv.org/abs/1708.02002.
FOCAL_GAMMA = 2.0


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


class Task(abc.ABC):
    """One of the things that a network can be trained for (`kerasr.tasks.recognition`: to answer a recording).

    Args:
        labels: what the outputs stand for, as `labels_of` has found them.
        config: the task's settings.

    Attributes:
        name: as `--task` takes it.
        monitor: the history's column that tells which epoch is the best, and whether high or low is good.
        min_labels: of so many labels at least a corpus must consist, each recording with one; 0 for a task that reads
            something else off a recording.
        blends: whether clips and their targets may be mixed (mixup, CutMix).
        keeps_order: whether the order of sounds in a clip matters: then no clip is cut to a length.
        from_waveforms: whether the front-end is the first layer of what is fitted, and waveforms are its targets.
        arranges: whether what its network is given and is to give is made of features and targets (`arrange`).
        kind: of its networks, as of `kerasr.models.registry.ModelFacts`.
    """

    name: ClassVar[str]
    monitor: Monitor = ACCURACY
    min_labels: ClassVar[int] = 2
    blends: ClassVar[bool] = True
    keeps_order: ClassVar[bool] = False
    from_waveforms: ClassVar[bool] = False
    arranges: ClassVar[bool] = False
    kind: ClassVar[str] = RECOGNISER

    def __init__(self, labels: tuple[str, ...], config: TaskConfig):
        self.labels = labels
        self.monitor = self.monitor_of(config)

    @property
    def per_frame(self) -> bool:
        """Whether its network gives an output for each few frames of a recording."""
        return False

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

    @classmethod
    def usable(cls, corpus: Corpus, max_bad: int) -> Corpus:
        """The corpus less the recordings that cannot be learnt from or measured on, by what is known of them unread.

        Args:
            corpus: its `bad` recordings count, too.
            max_bad: how many bad recordings are left out before it is too much.

        Raises:
            UserError: there are more.
        """
        del max_bad  # Most tasks take any.
        return corpus

    @abc.abstractmethod
    def build_network(self, build: Callable[..., keras.Model], spec: FeatureSpec, options: Mapping[str, Any]) -> Any:
        """The network that a builder makes for this front-end and these labels, with its options."""

    @abc.abstractmethod
    def whole_model(self, front_ends: Sequence[Features], network: keras.Model) -> keras.Model:
        """What a run saves: the network with what stands before it."""

    @abc.abstractmethod
    def find_network(self, model: Any) -> keras.Model | None:
        """The network in what a run has saved; None where that is something else."""

    @abc.abstractmethod
    def why_not_network(self, model: Any, network: keras.Model, spec: FeatureSpec) -> str | None:
        """What of a saved model and its network is not of a run with this front-end and these labels; else None."""

    def learnt(self, outputs: Any, spec: FeatureSpec) -> Any:
        """What the loss is of: the network's outputs, or what is made of them."""
        del spec
        return outputs

    def arrange(self, features: Any, targets: Any) -> tuple[Any, Any]:
        """What the network is given and what it is to give, of a batch's features and targets; in a graph."""
        return features, targets

    @abc.abstractmethod
    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """The clips' targets."""

    @abc.abstractmethod
    def loss(self, config: FitConfig) -> keras.losses.Loss:
        """The loss between targets and logits."""

    def auxiliary_loss(self, network: keras.Model, config: FitConfig) -> AuxiliaryLoss | None:
        """What is learnt beside the targets, by a head that is built here; None for nothing."""
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

    def doubt(self, scores: Mapping[str, Any]) -> str | None:
        """Why a training whose validation has these scores after a third of its epochs may be in vain; else None."""
        del scores
        return None

    def add_training_clips(
        self, config: TrainConfig, corpus: Corpus, features: Features, open_run: Callable[[str], Trained]
    ) -> tuple[Corpus, tuple[Utterance, ...], dict[str, Any]]:
        """What the task trains on beside the corpus.

        Args:
            config: the settings.
            corpus: with every split decided.
            features: the front-end.
            open_run: the run in a folder.

        Returns:
            The corpus, its clips marked where the task has something to say of them; further training clips; and what
            goes into the run's facts.
        """
        return corpus, (), {}

    def repeat(self, utterances: Sequence[Utterance]) -> list[Utterance]:
        """The training clips, each as often as a pass draws it."""
        return list(utterances)

    # --- scores

    @abc.abstractmethod
    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where other recordings than the training's cannot be measured on."""

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
    def pictures(self, metrics: Mapping[str, Any]) -> list[str]:
        """The figures of the report, by the names of `kerasr.report.page.FIGURES`, in order."""


def list_words(words: Sequence[str], limit: int) -> str:
    """Words in a line, of many the first."""
    rest = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(map(isolate, words[:limit])) + rest
