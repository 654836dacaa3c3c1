"""Which word is it? One logit for each."""

from collections.abc import Sequence

import keras
import numpy as np


class Classify:
    """Softmax and cross-entropy over the words.

    Args:
        labels: the words, in the order of the outputs.
    """

    name = "classify"

    def __init__(self, labels: tuple[str, ...]):
        self.labels = labels
        self.num_outputs = len(labels)

    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32 index of each clip's word."""
        index = {label: number for number, label in enumerate(self.labels)}
        return np.array([index[label] for label in labels], np.int32)

    def loss(self, label_smoothing: float) -> keras.losses.Loss:
        """Cross-entropy between one-hot (or mixed) targets and logits."""
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    def accuracy(self) -> keras.metrics.Metric:
        """Share of clips whose largest logit is the word's."""
        return keras.metrics.CategoricalAccuracy(name="accuracy")

    def probs(self, logits: np.ndarray) -> np.ndarray:
        """Softmax: `(batch, labels)` to the same shape."""
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)
