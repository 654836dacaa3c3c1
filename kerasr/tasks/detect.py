"""Is it the wanted word? One logit."""

from collections.abc import Sequence

import keras
import numpy as np

from kerasr.errors import UserError
from kerasr.tasks.base import FOCAL_GAMMA, Answer


class Detect:
    """Sigmoid and binary cross-entropy: the wanted word against everything else.

    Args:
        labels: the corpus's words.
        wanted: the one to detect.

    Raises:
        UserError: the corpus has no such word, or no other.
    """

    name = "detect"
    num_outputs = 1
    threshold = 0.5

    def __init__(self, labels: tuple[str, ...], wanted: str):
        if wanted not in labels:
            raise UserError(
                "word-not-found", f"--wanted {wanted}: the corpus has no such word; it has {', '.join(labels)}"
            )
        if len(labels) == 1:
            raise UserError(
                "too-few-labels",
                f"--wanted {wanted}: the corpus has no other word to tell it from; add some recordings",
            )
        self.wanted = wanted
        self.labels = (f"not {wanted}", wanted)

    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32: 1 where a clip is the wanted word, else 0."""
        return np.array([label == self.wanted for label in labels], np.int32)

    def loss(self, kind: str, label_smoothing: float) -> keras.losses.Loss:
        """Binary cross-entropy or focal loss between 0 or 1 and the logit."""
        if kind == "focal":
            return keras.losses.BinaryFocalCrossentropy(gamma=FOCAL_GAMMA, from_logits=True)
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    def distillation_loss(self, teacher_logits, logits, temperature: float):
        """`(batch,)` binary cross-entropy with the teacher's softened sigmoid."""
        probs = keras.ops.sigmoid(teacher_logits / temperature)
        return temperature**2 * keras.losses.binary_crossentropy(probs, logits / temperature, from_logits=True)

    def accuracy(self) -> keras.metrics.Metric:
        """Share of clips whose logit has the right sign."""
        return keras.metrics.MeanMetricWrapper(_same_side, name="accuracy")

    def probs(self, logits):
        """Sigmoid: `(batch, 1)` to `(batch, 2)`, the absence and the presence of the word."""
        return keras.ops.sigmoid(keras.ops.concatenate([-logits, logits], -1))

    def answer(self, probs: np.ndarray, threshold: float) -> Answer:
        """The wanted word, unless it is less probable than the threshold."""
        probability = float(probs[1])
        rejected = probability < threshold
        return Answer(
            None if rejected else self.wanted, probability, ((self.wanted, probability),), rejected, threshold
        )


def _same_side(targets, logits):
    """`(batch,)` whether target and logit point at the same answer; mixed targets lie between 0 and 1."""
    same = keras.ops.equal(targets >= 0.5, logits > 0)
    return keras.ops.mean(keras.ops.cast(same, "float32"), axis=-1)
