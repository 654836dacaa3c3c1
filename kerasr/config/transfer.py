"""Settings of what a training takes from earlier runs."""

from dataclasses import dataclass
from typing import Annotated

from kerasr.config.bounds import Positive, Share, check_bounds
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.signatures import plain_signature

# What stands before the name or the folder of a pretrained model of keras-hub.
HUB = "hub:"


def is_hub(name: str) -> bool:
    """Whether it names a pretrained model of keras-hub."""
    return name.startswith(HUB)


@plain_signature
@dataclass(frozen=True)
class TransferConfig:
    """What is taken from earlier runs: weights, what they say of the same clips, labels for others."""

    init_from: Annotated[str | None, ESSENTIAL] = None
    """Transfer learning: this run's or preset's front-end and weights, but for the last."""
    head_share: Share = 0.25
    """With init_from: share of the epochs in which only the new last layer learns; then everything does."""
    finetune_rate: Positive = 0.1
    """With init_from: factor on the learning rate once everything learns."""
    teacher: str | None = None
    """Knowledge distillation: learn from what this run or preset says of the same clips, beside the labels."""
    teacher_weight: Share = 0.5
    """With a teacher: its share of the loss; the labels have the rest."""
    temperature: Positive = 2.0
    """With a teacher: its logits and the network's are divided by this before they are compared."""
    pseudo_labels: str | None = None
    """A folder of unlabelled recordings: those that the teacher (or else init_from's run) is sure of join the training.
    Their speakers are not known: keep test speakers out of it."""
    pseudo_threshold: Share = 0.95
    """With pseudo_labels: the least probability that makes a label."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The earlier runs that the training begins from and learns from; none for a training from nothing."""
        return tuple(run for run in (self.init_from, self.teacher) if run and run != self.pretrained)

    @property
    def pretrained(self) -> str | None:
        """The pretrained model of keras-hub that the training begins from, with `hub:` before it."""
        return self.init_from if self.init_from and is_hub(self.init_from) else None

    def __post_init__(self) -> None:
        check_bounds(self)
