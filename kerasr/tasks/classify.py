"""Which word is it? One logit for each."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kerasr.config import FitConfig
from kerasr.core.console import isolate
from kerasr.core.scores import format_interval
from kerasr.data.manifest import Utterance
from kerasr.data.targets import Targets
from kerasr.errors import UserError
from kerasr.metrics.classification import classification_metrics
from kerasr.metrics.judgement import Judgement, judge_classification
from kerasr.metrics.rejection import count_rejected
from kerasr.tasks.base import FOCAL_GAMMA, OutputSpec, list_words
from kerasr.tasks.recognition import Columns, Label
from kerasr.tasks.registry import register_task
from kerasr.tasks.trained import Trained
from kerasr.tasks.words import WordTask

NUM_TOP = 3


@register_task
class Classify(WordTask):
    """Softmax and cross-entropy over the words."""

    name = "classify"
    rejects = True

    @property
    def output(self) -> OutputSpec:
        """A logit for each word."""
        return OutputSpec(len(self.labels))

    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32 index of each clip's word."""
        index = {label: number for number, label in enumerate(self.labels)}
        return np.array([index[label] for label in labels], np.int32)

    def encode(self, utterances: Sequence[Utterance]) -> Targets:
        """One-hot `(clips, words)`."""
        return Targets.one_hot(self.truth(utterances), len(self.labels))

    def loss(self, config: FitConfig) -> keras.losses.Loss:
        """Cross-entropy or focal loss between one-hot (or mixed) targets and logits.

        Labels are not smoothed for the focal loss: it would weigh what the other words were given fully, and the word
        itself hardly, so that the network would learn to be unsure.
        """
        if config.loss == "focal":
            return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=FOCAL_GAMMA, from_logits=True)
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)

    def distillation_loss(self, teacher_logits, logits, temperature: float):
        """`(batch,)` cross-entropy with the teacher's softened softmax."""
        probs = keras.ops.softmax(teacher_logits / temperature)
        return temperature**2 * keras.losses.categorical_crossentropy(probs, logits / temperature, from_logits=True)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Share of clips whose largest logit is the word's."""
        return [keras.metrics.CategoricalAccuracy(name="accuracy")]

    def probs(self, logits):
        """Softmax: `(batch, labels)` to the same shape."""
        return keras.ops.softmax(logits)

    def decode(self, probs: np.ndarray, threshold: float) -> Label:
        """The likeliest word, unless it is less probable than the threshold."""
        order = (-probs).argsort(kind="stable")[:NUM_TOP]
        top = tuple((self.labels[index], float(probs[index])) for index in order)
        word, probability = top[0]
        rejected = probability < threshold
        return Label(
            word=None if rejected else word, probability=probability, top=top, rejected=rejected, threshold=threshold
        )

    def to_json(self, answer: Label) -> dict[str, Any]:
        """The word, null where it is none of them, and what else it may be."""
        return {
            "word": answer.word,
            "probability": answer.probability,
            "rejected": answer.rejected,
            "top": [{"word": word, "probability": probability} for word, probability in answer.top],
            "threshold": answer.threshold,
        }

    def cells(self, answer: Label) -> dict[str, str | None]:
        """The word, and the words it may be else."""
        others = answer.top[answer.word is not None :]
        return {
            "word": answer.word,
            "probability": f"{answer.probability:.1%}",
            "or else": ", ".join(f"{isolate(word)} {probability:.1%}" for word, probability in others),
        }

    def decide(self, probs: np.ndarray) -> np.ndarray:
        """`(clips,)` index of the likeliest word."""
        return probs.argmax(-1)

    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where a recording has no label, or a word that the model does not know."""
        super().check_utterances(utterances, source)
        words = {item.label for item in utterances if item.label is not None}
        if unknown := sorted(words - set(self.labels)):
            raise UserError(
                "word-not-found",
                f"{source}: the model was not trained on {list_words(unknown, 10)}; it knows "
                f"{list_words(self.labels, 40)}, and these recordings have {list_words(sorted(words), 40)}: take the "
                "unknown words out, or train on them",
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
        """What `classification_metrics` says, and what the run's threshold rejects."""
        label_index = self.truth(utterances)
        speakers = [item.speaker for item in utterances]
        metrics = classification_metrics(probs, label_index, self.labels, speakers, groups=groups, seed=seed)
        if run.threshold:
            metrics["rejection"] = count_rejected(probs, label_index, run.threshold)
        return metrics

    def judge(self, metrics: Mapping[str, Any]) -> list[Judgement]:
        """Is it better than the constant answer, and than chance?"""
        return judge_classification(metrics)

    def about(self) -> str:
        """How many words there are."""
        return f"tell {len(self.labels)} words apart"

    def headline(self, metrics: Mapping[str, Any]) -> str:
        """The accuracy."""
        return f"{metrics['accuracy']:.1%}"

    def summary(self, metrics: Mapping[str, Any]) -> list[str]:
        """The accuracy with its interval, and that of people's clips where others have no speaker."""
        interval = format_interval(metrics["accuracy_interval"], metrics["interval_method"])
        lines = [f"{self.headline(metrics)} of {metrics['num_clips']:,} test clips right ({interval})"]
        if people := metrics["people"]:
            interval = format_interval(people["accuracy_interval"], people["interval_method"])
            lines.append(
                f"{people['accuracy']:.1%} of the {people['num_clips']:,} clips that people say ({interval}); the "
                "others have no speaker"
            )
        return lines

    def rows(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """The accuracy, its interval, that of people, recall, the worst word."""
        clips = f"{metrics['num_correct']:,} of {metrics['num_clips']:,} clips"
        interval = format_interval(metrics["accuracy_interval"], metrics["interval_method"])
        rows = {
            "accuracy": f"{self.headline(metrics)}, {clips} ({metrics['measured_on']})",
            "95% interval": interval.removeprefix("95% interval "),
        }
        if people := _of_people(metrics):
            rows["of people"] = people
        rows["macro recall"] = f"{metrics['macro_recall']:.1%}"
        worst = min((word for word in metrics["words"] if word["recall"] is not None), key=lambda word: word["recall"])
        rows["worst word"] = f"{isolate(worst['word'])}, {worst['recall']:.1%} of {worst['num_clips']:,} clips right"
        return rows

    def tiles(self, metrics: Mapping[str, Any]) -> dict[str, str]:
        """The accuracy of people's clips, recall, calibration."""
        people = {"of people's clips": f"{metrics['people']['accuracy']:.1%}"} if metrics["people"] else {}
        return {
            **people,
            "macro recall": f"{metrics['macro_recall']:.1%}",
            "calibration error": f"{100 * metrics['calibration']['ece']:.1f} points",
        }

    def pictures(self, metrics: Mapping[str, Any]) -> list[str]:
        """Which words are taken for which, and whether its confidence can be trusted."""
        return ["confusion", "calibration"]


def _of_people(metrics: Mapping[str, Any]) -> str:
    """The accuracy of the clips that have a speaker, of how many, and its interval; "" where all have one."""
    if not (people := metrics["people"]):
        return ""
    interval = format_interval(people["accuracy_interval"], people["interval_method"])
    return f"{people['accuracy']:.1%} of {people['num_clips']:,} clips ({interval})"
