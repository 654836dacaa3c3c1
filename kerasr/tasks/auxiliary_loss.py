"""A loss beside a task's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, kw_only=True, eq=False)
class AuxiliaryLoss:
    """A loss beside the task's own, of a head that learns from the same embedding and gives no answers.

    Attributes:
        name: the history's column.
        head: holds what it learns; no part of the network.
        weight: its share of the whole loss.
        compute: `(batch,)` losses, from the embedding `(batch, time, channels)`, the logits, the targets, and whether
            the network is in training.
    """

    name: str
    head: keras.Model
    weight: float
    compute: Callable[[Any, Any, Any, bool], Any]
