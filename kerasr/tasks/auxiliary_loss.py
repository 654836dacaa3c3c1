"""A loss beside a task's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, kw_only=True, eq=False)
class AuxiliaryLoss:
    """A loss beside the task's own, of a head that learns with the network and gives no answers.

    Attributes:
        names: the history's columns, one for each part of the loss, which is their sum.
        head: holds what it learns; no part of the network.
        weight: its share of the whole loss.
        compute: the parts, each `(batch,)`, from the embedding `(batch, time, channels)`, the logits, the targets, and
            whether the network is in training.
        of_embedding: whether it is of the network's embedding; where not, `compute` is given None for it.
        validated: whether the validation's loss, too, has its share, by which epochs may be compared.
    """

    names: tuple[str, ...]
    head: keras.Model
    weight: float
    compute: Callable[[Any, Any, Any, bool], tuple[Any, ...]]
    of_embedding: bool = True
    validated: bool = True
