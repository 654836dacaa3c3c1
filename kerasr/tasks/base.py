"""The face that every task shows to the trainer and to the evaluation."""

import importlib
from collections.abc import Sequence
from typing import Protocol

import keras
import numpy as np

# The focal loss weighs a clip by (1 - probability of its word) to this power: 2 did best in section 3.2 of Lin et al.
# 2017, https://arxiv.org/abs/1708.02002.
FOCAL_GAMMA = 2.0


class Task(Protocol):
    """One of the things that a network can be trained for."""

    name: str
    labels: tuple[str, ...]
    num_outputs: int

    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32 index into `self.labels` of each clip's label."""
        ...

    def loss(self, kind: str, label_smoothing: float) -> keras.losses.Loss:
        """The loss (`cross_entropy` or `focal`) between targets `(batch, num_outputs)` and logits of the same shape.

        Labels are not smoothed for the focal loss: it would weigh what the other words were given fully, and the word
        itself hardly, so that the network would learn to be unsure.
        """
        ...

    def agreement(self, teacher_logits, logits, temperature: float):
        """`(batch,)` cross-entropy between a teacher's probabilities and the network's, both softened.

        Logits `(batch, num_outputs)` are divided by the temperature T, and the loss multiplied by T squared, so that
        its gradient weighs as much at any T (Hinton, Vinyals and Dean 2015, section 2, https://arxiv.org/abs/1503.02531).
        """
        ...

    def accuracy(self) -> keras.metrics.Metric:
        """Share of clips for which the logits point at the target; called `accuracy`."""
        ...

    def probs(self, logits):
        """Probabilities `(batch, labels)`, a tensor, from logits `(batch, num_outputs)`: in a graph, too."""
        ...


def task_for(labels: tuple[str, ...], wanted: str | None) -> Task:
    """The detector of the wanted word where there is one, else the classifier of all words."""
    if wanted is None:
        return importlib.import_module("kerasr.tasks.classify").Classify(labels)
    return importlib.import_module("kerasr.tasks.detect").Detect(labels, wanted)
