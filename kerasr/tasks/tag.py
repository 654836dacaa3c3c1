"""Which labels does a clip have? Any number of them, from a manifest's column `labels`; one logit for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasr.config import TaskConfig
from kerasr.core.console import isolate
from kerasr.core.scores import Monitor, format_interval
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.targets import Targets
from kerasr.errors import UserError
from kerasr.metrics.accuracy import accuracy_metrics
from kerasr.metrics.judgement import Judgement
from kerasr.tasks.base import OutputSpec, list_words
from kerasr.tasks.binary import BinaryTask
from kerasr.tasks.recognition import Answer, Columns, same_decisions
from kerasr.tasks.registry import register_task
from kerasr.tasks.trained import Trained

# The manifest's column, and what stands between a clip's labels in it.
COLUMN, BETWEEN = "labels", "|"

NUM_TOP = 5


@dataclass(frozen=True, kw_only=True)
class Tags(Answer):
    """Which labels a recording has.

    Attributes:
        labels: those that are as probable as the threshold at least, the likeliest first; none may be.
        top: the likeliest labels and their probabilities, the first one first.
        threshold: least probability of a label that is answered.
    """

    labels: tuple[str, ...]
    top: tuple[tuple[str, float], ...]
    threshold: float


@register_task
class Tag(BinaryTask):
    """Sigmoids and binary cross-entropy: each label is there or not, whatever the others are."""

    name = "tag"
    threshold = 0.5
    monitor = Monitor("val_f1")
    min_labels = 0

    @classmethod
    def labels_of(cls, corpus: Corpus, config: TaskConfig) -> tuple[str, ...]:
        """All labels of all recordings, sorted.

        Raises:
            UserError: no recording has one.
        """
        del config
        labels = {label for item in corpus.utterances for label in labels_of(item)}
        if not labels:
            raise UserError(
                "label-missing",
                f"{corpus.source}: no recording has labels; give them in a manifest's column {COLUMN}, as a{BETWEEN}b",
            )
        return tuple(sorted(labels))

    @property
    def output(self) -> OutputSpec:
        """A logit for each label."""
        return OutputSpec(len(self.labels))

    def truth(self, utterances: Sequence[Utterance]) -> np.ndarray:
        """`(clips, labels)`, whether a clip has a label."""
        there = np.zeros((len(utterances), len(self.labels)), bool)
        number = {label: index for index, label in enumerate(self.labels)}
        for row, item in zip(there, utterances, strict=True):
            row[[number[label] for label in labels_of(item) if label in number]] = True
        return there

    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """Multi-hot `(clips, labels)`; clips of the same labels are of one kind."""
        there = self.truth(utterances)
        kinds = np.unique(there, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)
        return Targets(there.astype(np.float32), kinds=kinds)

    def metrics(self) -> list[keras.metrics.Metric]:
        """F1 of all decisions together."""
        return [F1OfLogits(average="micro", threshold=self.threshold, name="f1")]

    def probs(self, logits):
        """Sigmoids: `(batch, labels)` to the same shape."""
        return keras.ops.sigmoid(logits)

    def decode(self, probs: np.ndarray, threshold: float) -> Tags:
        """The labels that are probable enough."""
        order = (-probs).argsort(kind="stable")
        labels = tuple(self.labels[index] for index in order if probs[index] >= threshold)
        top = tuple((self.labels[index], float(probs[index])) for index in order[:NUM_TOP])
        return Tags(labels=labels, top=top, threshold=threshold)

    def to_json(self, answer: Tags) -> dict[str, Any]:
        """The labels, and what else there may be."""
        top = [{"label": label, "probability": probability} for label, probability in answer.top]
        return {"labels": list(answer.labels), "top": top, "threshold": answer.threshold}

    def cells(self, answer: Tags) -> dict[str, str | None]:
        """The labels, and the likeliest with their probabilities."""
        shown = ", ".join(f"{isolate(label)} {probability:.1%}" for label, probability in answer.top)
        return {"labels": ", ".join(map(isolate, answer.labels)) or None, "probabilities": shown}

    def decide(self, probs: np.ndarray) -> np.ndarray:
        """`(clips, labels)`, whether a label is as probable as the threshold at least."""
        return probs >= self.threshold

    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where a recording has a label that the model does not know, or none has one."""
        labels = {label for item in utterances for label in labels_of(item)}
        if not labels:
            raise UserError("label-missing", f"{source}: no recording has labels, in a manifest's column {COLUMN}")
        if unknown := sorted(labels - {*self.labels}):
            raise UserError(
                "word-not-found",
                f"{source}: the model was not trained on {list_words(unknown, 10)}; it knows "
                f"{list_words(self.labels, 40)}",
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
        """The accuracy of whole answers, and precision, recall, F1 and average precision of the labels.

        Returns:
            What `accuracy_metrics` says, of clips that are right in every label; `micro_f1`, of all decisions together;
            `macro_f1` and `mean_average_precision` over the labels that some clip has; `labels`; and `words`, a list
            with each label under `word` and its `num_clips`, `precision`, `recall`, `f1` and `average_precision`.
        """
        from sklearn.metrics import average_precision_score, precision_recall_fscore_support

        truth, decided = self.truth(utterances), self.decide(probs)
        speakers = [item.speaker for item in utterances]
        others = {name: values for name, values in (groups or {}).items() if name != COLUMN}
        found = precision_recall_fscore_support(truth, decided, zero_division=np.nan)
        columns = zip(truth.T, probs.T, strict=True)
        areas = [average_precision_score(there, own) if there.any() else None for there, own in columns]
        words = [
            {
                "word": label,
                "num_clips": int(clips),
                "precision": None if np.isnan(precision) else float(precision),
                "recall": float(recall) if clips else None,
                "f1": float(f1) if clips else None,
                "average_precision": None if area is None else float(area),
            }
            for label, area, precision, recall, f1, clips in zip(self.labels, areas, *found, strict=True)
        ]
        known = [word for word in words if word["num_clips"]]
        return {
            **accuracy_metrics(same_decisions(truth, decided), speakers, groups=others, seed=seed),
            "unit": "label",
            "labels": list(self.labels),
            "words": words,
            "micro_f1": _f1(truth, decided),
            "constant_f1": max(_f1(truth, np.arange(len(self.labels)) == index) for index in range(len(self.labels))),
            "macro_f1": float(np.mean([word["f1"] for word in known])),
            "mean_average_precision": float(np.mean([word["average_precision"] for word in known])),
        }

    def judge(self, metrics: Mapping[str, Any]) -> list[Judgement]:
        """Is it better than always answering one label?"""
        if metrics["micro_f1"] > metrics["constant_f1"]:
            return []
        text = f"It is no better than always answering one label, whose F1 is {metrics['constant_f1']:.1%}."
        return [Judgement("worse_than_constant", f"{text} More --epochs or recordings may help.")]

    def about(self) -> str:
        """How many labels there are."""
        return f"find which of {len(self.labels)} labels a clip has"

    def headline(self, metrics: Mapping[str, Any]) -> str:
        """F1 of all decisions together."""
        return f"F1 {metrics['micro_f1']:.1%}"

    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """F1, and how many clips are right in every label."""
        interval = format_interval(metrics["accuracy_interval"], metrics["interval_method"])
        clips = f"{metrics['num_correct']:,} of {metrics['num_clips']:,} test clips right in every label"
        return [f"{self.headline(metrics)}; {clips} ({interval})"]

    def rows(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """F1, clips right in every label, average precision, the worst label."""
        interval = format_interval(metrics["accuracy_interval"], metrics["interval_method"])
        worst = min((word for word in metrics["words"] if word["num_clips"]), key=lambda word: word["f1"])
        return {
            "labels": f"{self.headline(metrics)} ({metrics['measured_on']})",
            "all right": f"{metrics['num_correct']:,} of {metrics['num_clips']:,} clips ({interval})",
            "macro F1": f"{metrics['macro_f1']:.1%}",
            "mean average precision": f"{metrics['mean_average_precision']:.3f}",
            "worst label": f"{isolate(worst['word'])}, F1 {worst['f1']:.1%} of {worst['num_clips']:,} clips",
        }

    def tiles(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """Clips right in every label, macro F1, average precision."""
        return {
            "right in every label": f"{metrics['accuracy']:.1%}",
            "macro F1": f"{metrics['macro_f1']:.1%}",
            "mean average precision": f"{metrics['mean_average_precision']:.3f}",
        }

    def said(self, utterance: Utterance) -> str:
        """Its labels."""
        return ", ".join(labels_of(utterance)) or "none"

    def shown(self, probs: np.ndarray) -> tuple[str, float]:
        """The labels that are answered, and the probability of the least certain decision."""
        decided = self.decide(probs)
        labels = ", ".join(label for label, there in zip(self.labels, decided, strict=True) if there)
        return labels or "none", float(np.where(decided, probs, 1 - probs).min())

    def pictures(self, metrics: Mapping[str, Any]) -> list[str]:
        """None but those that every task has."""
        return []


@keras.saving.register_keras_serializable("kerasr")
class F1OfLogits(keras.metrics.F1Score):
    """Keras's F1, of logits."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Sigmoids first."""
        return super().update_state(y_true, keras.ops.sigmoid(y_pred), sample_weight)


def labels_of(item: Utterance) -> tuple[str, ...]:
    """A clip's labels: what stands in the column, else its one label, where it has one."""
    if COLUMN not in item.extra:
        return () if item.label is None else (item.label,)
    return tuple(label for part in item.extra[COLUMN].split(BETWEEN) if (label := part.strip()))


def _f1(truth: np.ndarray, decided: np.ndarray) -> float:
    """F1 of all decisions together."""
    hits, given = (truth & decided).sum(), np.broadcast_to(decided, truth.shape).sum()
    return float(2 * hits / max(truth.sum() + given, 1))
