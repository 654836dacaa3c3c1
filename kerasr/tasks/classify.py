"""Which word is it? One logit for each."""

from collections.abc import Sequence

import keras
import numpy as np

from kerasr.tasks.base import FOCAL_GAMMA, Answer

NUM_TOP = 3


class Classify:
    """Softmax and cross-entropy over the words.

    Args:
        labels: the words, in the order of the outputs.
    """

    name = "classify"
    threshold = 0.0

    def __init__(self, labels: tuple[str, ...]):
        self.labels = labels
        self.num_outputs = len(labels)

    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32 index of each clip's word."""
        index = {label: number for number, label in enumerate(self.labels)}
        return np.array([index[label] for label in labels], np.int32)

    def loss(self, kind: str, label_smoothing: float) -> keras.losses.Loss:
        """Cross-entropy or focal loss between one-hot (or mixed) targets and logits."""
        if kind == "focal":
            return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=FOCAL_GAMMA, from_logits=True)
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    def distillation_loss(self, teacher_logits, logits, temperature: float):
        """`(batch,)` cross-entropy with the teacher's softened softmax."""
        probs = keras.ops.softmax(teacher_logits / temperature)
        return temperature**2 * keras.losses.categorical_crossentropy(probs, logits / temperature, from_logits=True)

    def accuracy(self) -> keras.metrics.Metric:
        """Share of clips whose largest logit is the word's."""
        return keras.metrics.CategoricalAccuracy(name="accuracy")

    def probs(self, logits):
        """Softmax: `(batch, labels)` to the same shape."""
        return keras.ops.softmax(logits)

    def answer(self, probs: np.ndarray, threshold: float) -> Answer:
        """The likeliest word, unless it is less probable than the threshold."""
        order = (-probs).argsort(kind="stable")[:NUM_TOP]
        top = tuple((self.labels[index], float(probs[index])) for index in order)
        word, probability = top[0]
        rejected = probability < threshold
        return Answer(None if rejected else word, probability, top, rejected, threshold)
