"""Changes to training clips that are known by name: `--augment.extra my_change=0.5`. `kerasr.data.augment` makes them.

Importing this loads no framework.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from kerasr.config import Augmentation
from kerasr.core.registry import Registry
from kerasr.errors import UserError

Change = TypeVar("Change", bound=Callable[..., Any])
Subject = Literal["waveform", "features"]


@dataclass(frozen=True)
class KnownAugmentation:
    """A change that is known by name.

    Attributes:
        name: as in `--augment.extra NAME=AMOUNT`.
        on: what it changes.
        change: makes it.
        amount: where none is given; None where one has to be.
    """

    name: str
    on: Subject
    change: Callable[..., Any]
    amount: float | None


AUGMENTATIONS: Registry[KnownAugmentation] = Registry("augmentation")


def register_augmentation(*, on: Subject) -> Callable[[Change], Change]:
    """Decorator that makes a change to training clips known by its function's name, for `--augment.extra NAME=AMOUNT`.

    On waveforms it is a function of `waveform` `(batch, samples)`, padded at the end, of `num_samples` `(batch,)`, of a
    `seed` and of the keywords `amount` and `sample_rate`; on features of normalised `features` `(batch, time,
    feature)`, a `seed` and the keyword `amount`. It returns what it has changed, in the same shape; the padding is made
    zero again. A default of `amount` is taken where no amount is given.

    It runs in TensorFlow's graph, once a batch. Whatever it draws, it draws with `tf.random.stateless_*` and the seed
    (a pair of integers, another in each batch and for each name): a run that is killed and resumed ends as if it had
    not been killed. NumPy's random numbers would be drawn once, and be the same in every batch.

    Args:
        on: what it changes, before the front-end or after it.

    Raises:
        UserError: another module has registered an augmentation of that name.
    """

    def register(change: Change) -> Change:
        amount = inspect.signature(change).parameters["amount"].default
        default = None if amount is inspect.Parameter.empty else float(amount)
        known = KnownAugmentation(change.__name__, on, change, default)
        AUGMENTATIONS.register(change.__name__, known, change.__module__)
        return change

    return register


def extra_changes(augment: Augmentation, on: Subject | None = None) -> list[tuple[KnownAugmentation, float]]:
    """The registered changes that settings ask for, in their order, each with its amount.

    Args:
        augment: the settings.
        on: only changes of waveforms, or of features.

    Raises:
        UserError: there is none of a name, or its amount is missing or no number.
    """
    found = []
    for text in augment.extra:
        name, equals, given = text.partition("=")
        if name not in AUGMENTATIONS:
            known = ", ".join(AUGMENTATIONS) or "register_augmentation makes some known"
            raise UserError("augmentation-not-found", f"--augment.extra {name}: is none of those there are ({known})")
        known = AUGMENTATIONS[name]
        try:
            amount = float(given) if equals else known.amount
        except ValueError:
            amount = None
        if amount is None:
            raise UserError("setting-out-of-range", f"--augment.extra {text}: give an amount, as {name}=0.5")
        if on in (None, known.on):
            found.append((known, amount))
    return found
