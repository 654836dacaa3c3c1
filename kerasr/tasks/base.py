"""The face that every task shows to the trainer and to the evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

# The focal loss weighs a clip by (1 - probability of its word) to this power: 2 did best in section 3.2 of Lin et al.
# 2017, https://arxiv.org/abs/1708.02002.
FOCAL_GAMMA = 2.0


@dataclass(frozen=True)
class Answer:
    """What a model says of a clip.

    Attributes:
        word: what is said in it; None where that is none of the words, or not the one that is detected.
        probability: of the likeliest word, also where it is rejected; of a detector's word, also where it is absent.
        top: the likeliest words and their probabilities, the first one first.
        rejected: whether the probability is less than the threshold.
        threshold: least probability of a word that is answered.
        path: of the recording; None for a waveform.
        seconds: how long the recording is.
        start: where the part of it begins that the model has looked at, in seconds.
        end: where that ends.
    """

    word: str | None
    probability: float
    top: tuple[tuple[str, float], ...]
    rejected: bool
    threshold: float
    path: str | None = None
    seconds: float = 0.0
    start: float = 0.0
    end: float = 0.0


class Task(Protocol):
    """One of the things that a network can be trained for."""

    name: str
    labels: tuple[str, ...]
    num_outputs: int
    # Least probability of a word that is answered, where no other has been chosen.
    threshold: float

    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32 index into `self.labels` of each clip's label."""
        ...

    def loss(self, kind: str, label_smoothing: float) -> keras.losses.Loss:
        """The loss (`cross_entropy` or `focal`) between targets `(batch, num_outputs)` and logits of the same shape.

        Labels are not smoothed for the focal loss: it would weigh what the other words were given fully, and the word
        itself hardly, so that the network would learn to be unsure.
        """
        ...

    def distillation_loss(self, teacher_logits: Any, logits: Any, temperature: float) -> Any:
        """`(batch,)` cross-entropy between a teacher's probabilities and the network's, both softened.

        Logits `(batch, num_outputs)` are divided by the temperature T, and the loss multiplied by T squared, so that
        its gradient weighs as much at any T (Hinton, Vinyals and Dean 2015, section 2, https://arxiv.org/abs/1503.02531).
        """
        ...

    def accuracy(self) -> keras.metrics.Metric:
        """Share of clips for which the logits point at the target; called `accuracy`."""
        ...

    def probs(self, logits: Any) -> Any:
        """Probabilities `(batch, labels)`, a tensor, from logits `(batch, num_outputs)`: in a graph, too."""
        ...

    def answer(self, probs: np.ndarray, threshold: float) -> Answer:
        """What probabilities `(labels,)` say of a clip."""
        ...
