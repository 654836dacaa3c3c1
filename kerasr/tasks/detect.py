"""Is it the wanted word? One logit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.config import TaskConfig, TrainConfig
from kerasr.core.console import isolate
from kerasr.core.scores import format_alarms, format_missed, format_score
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.targets import Targets
from kerasr.errors import UserError
from kerasr.metrics.detection import THRESHOLD, detection_metrics, is_present
from kerasr.metrics.judgement import Judgement, judge_detection
from kerasr.tasks.base import OutputSpec
from kerasr.tasks.binary import BinaryTask
from kerasr.tasks.false_alarms import add_negatives, check_negatives, measure_false_alarms, repeat_hard
from kerasr.tasks.recognition import Columns, Label
from kerasr.tasks.registry import register_task
from kerasr.tasks.trained import Trained
from kerasr.tasks.words import WordTask


@register_task
class Detect(BinaryTask, WordTask):
    """Sigmoid and binary cross-entropy: the wanted word against everything else.

    Args:
        labels: the corpus's words.
        config: names the wanted one.

    Raises:
        UserError: no word is wanted, the corpus has no such word, or no other.
    """

    name = "detect"
    threshold = THRESHOLD

    def __init__(self, labels: tuple[str, ...], config: TaskConfig):
        wanted = config.wanted
        if wanted is None:
            raise UserError("setting-missing", "a detector is of one word: name it with --wanted")
        if wanted not in labels:
            raise UserError(
                "word-not-found", f"--wanted {wanted}: the corpus has no such word; it has {', '.join(labels)}"
            )
        if len(labels) == 1:
            raise UserError(
                "too-few-labels",
                f"--wanted {wanted}: the corpus has no other word to tell it from; add some recordings",
            )
        super().__init__((f"not {wanted}", wanted), config)
        self.wanted = wanted

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Raise where no word is wanted, or long recordings cannot be cut."""
        if config.task.wanted is None:
            raise UserError(
                "setting-missing", f"the recipe {config.recipe} trains a detector: name its word with --wanted"
            )
        check_negatives(config)

    @property
    def output(self) -> OutputSpec:
        """One logit."""
        return OutputSpec(1)

    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32: 1 where a clip is the wanted word, else 0."""
        return np.array([label == self.wanted for label in labels], np.int32)

    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """`(clips, 1)`: 1 where a clip is the wanted word, else 0."""
        present = self.truth(utterances)
        return Targets(present[:, None].astype(np.float32), kinds=present)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Share of clips whose logit has the right sign."""
        return [keras.metrics.MeanMetricWrapper(_same_side, name="accuracy")]

    def add_training_clips(
        self, config: TrainConfig, corpus: Corpus, features: Features, open_run: Callable[[str], Trained]
    ) -> tuple[Corpus, tuple[Utterance, ...], dict[str, Any]]:
        """Segments of long recordings without the word, and the hard ones among them and the clips, where asked for."""
        corpus, segments, facts = add_negatives(config, corpus, open_run)
        return corpus, segments, {"negatives": facts} if facts else {}

    def repeat(self, utterances: Sequence[Utterance]) -> list[Utterance]:
        """Hard negatives several times."""
        return repeat_hard(utterances)

    def probs(self, logits):
        """Sigmoid: `(batch, 1)` to `(batch, 2)`, the absence and the presence of the word."""
        return keras.ops.sigmoid(keras.ops.concatenate([-logits, logits], -1))

    def decode(self, probs: np.ndarray, threshold: float) -> Label:
        """The wanted word, unless it is less probable than the threshold."""
        probability = float(probs[1])
        rejected = probability < threshold
        return Label(
            word=None if rejected else self.wanted,
            probability=probability,
            top=((self.wanted, probability),),
            rejected=rejected,
            threshold=threshold,
        )

    def to_json(self, answer: Label) -> dict[str, Any]:
        """Whether the wanted word is there."""
        return {
            "wanted": self.wanted,
            "present": not answer.rejected,
            "probability": answer.probability,
            "threshold": answer.threshold,
        }

    def cells(self, answer: Label) -> dict[str, str | None]:
        """Yes or no."""
        return {
            f"{isolate(self.wanted)}?": "no" if answer.rejected else "yes",
            "probability": f"{answer.probability:.1%}",
        }

    def decide(self, probs: np.ndarray) -> np.ndarray:
        """`(clips,)`, 1 where the word is there."""
        return is_present(probs)

    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where a recording has no label, or none has the wanted word."""
        super().check_utterances(utterances, source)
        if self.wanted not in {item.label for item in utterances}:
            raise UserError(
                "word-not-found", f"{source}: none of its recordings is {self.wanted!r}, which the model detects"
            )

    def evaluate(
        self,
        run: Trained,
        utterances: Sequence[Utterance],
        probs: np.ndarray,
        *,
        groups: Columns | None = None,
        seed: int,
    ) -> dict[str, Any]:
        """What `detection_metrics` says."""
        speakers = [item.speaker for item in utterances]
        return detection_metrics(probs, self.truth(utterances), self.labels, speakers, groups=groups, seed=seed)

    def evaluate_beside(self, run: Trained, metrics: dict[str, Any]) -> dict[str, Any]:
        """With the false alarms on the part of the long recordings that no training has met, where there are some."""
        if run.config.task.negatives is None:
            return metrics
        return metrics | {"detector": metrics["detector"] | {"negatives": measure_false_alarms(run)}}

    def judge(self, metrics: Mapping[str, Any]) -> list[Judgement]:
        """Does it answer more than always yes or no, and are there clips enough to tell?"""
        return judge_detection(metrics)

    def about(self) -> str:
        """Its word."""
        return f"detect {isolate(repr(self.wanted))}"

    def headline(self, metrics: Mapping[str, Any]) -> str:
        """Misses and false alarms: to whom a rare word matters, the accuracy says nothing."""
        return format_score(metrics)

    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """Misses and false alarms, in the test's clips and in long recordings."""
        lines = [f"{self.headline(metrics)} of the test's other clips"]
        if negatives := metrics["detector"].get("negatives"):
            lines.append(f"{format_alarms(negatives)}; {format_missed(metrics['detector'])}")
        return lines

    def rows(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """Misses and false alarms, and the curves' scores."""
        detector = metrics["detector"]
        names = {"precision": "precision", "recall": "recall", "ROC AUC": "roc_auc"}
        names["average precision"] = "average_precision"
        found = {name: detector[key] for name, key in names.items()}
        return {
            "detector": f"{self.headline(metrics)} ({metrics['measured_on']})",
            "scores": ", ".join(f"{name} {value:.3f}" for name, value in found.items() if value is not None),
            "misses": format_missed(detector),
        }

    def tiles(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """The curves' scores, false alarms an hour, words missed, calibration."""
        detector = metrics["detector"]
        people = {"of people's clips": f"{metrics['people']['accuracy']:.1%}"} if metrics["people"] else {}
        tiles = {
            **people,
            **{
                name: "-" if detector[key] is None else f"{detector[key]:.3f}"
                for name, key in (("ROC AUC", "roc_auc"), ("average precision", "average_precision"))
            },
        }
        if negatives := detector.get("negatives"):
            low, high = negatives["false_alarms_per_hour_interval"]
            rate = negatives["false_alarms_per_hour"]
            tiles["false alarms an hour (95% interval)"] = f"{rate:.1f} ({low:.1f} to {high:.1f})"
        if detector["recall"] is not None:
            tiles["words missed"] = f"{detector['num_missed']:,} of {detector['num_words']:,}"
        return {**tiles, "calibration error": f"{100 * metrics['calibration']['ece']:.1f} points"}

    def notes(self, run: Trained, metrics: Mapping[str, Any]) -> list[str]:
        """Where false alarms were counted, and labels of which there is no clip."""
        notes = []
        if negatives := metrics["detector"].get("negatives"):
            notes.append(
                f"False alarms were counted on {isolate(str(run.config.task.negatives))}, the last fifth of each "
                f"recording: at the threshold {THRESHOLD}, {format_alarms(negatives)}."
            )
        return notes + super().notes(run, metrics)

    def pictures(self, metrics: Mapping[str, Any]) -> list[str]:
        """Misses and false alarms at each threshold, beside a word model's."""
        return ["confusion", "calibration", "detector"]


def _same_side(targets, logits):
    """`(batch,)` whether target and logit point at the same answer; mixed targets lie between 0 and 1."""
    same = keras.ops.equal(targets >= 0.5, logits > 0)
    return keras.ops.mean(keras.ops.cast(same, "float32"), axis=-1)
