"""A training's phases.

Of one that begins with another run's encoder, first the head, then everything; of one against a discriminator, first
without it.
"""

from dataclasses import dataclass
from itertools import pairwise

from kerasr.config import TrainConfig

# The share of the epochs that a vocoder learns by spectra alone: until then a discriminator has an easy game, and is
# half of what a step costs.
ALONE = 1 / 3


@dataclass(frozen=True)
class Phase:
    """A segment of epochs with an optimiser of its own.

    Attributes:
        first: its first epoch, from 0.
        end: the epoch after its last.
        rate: factor on the learning rate.
        head_only: only the last layer learns.
        auxiliary: whether an auxiliary loss, where there is one, counts.
    """

    first: int
    end: int
    rate: float = 1.0
    head_only: bool = False
    auxiliary: bool = True


def plan_phases(config: TrainConfig, epochs: int) -> list[Phase]:
    """One phase; another before it where there is an encoder to keep, and another where there is a discriminator."""
    transfer = config.transfer
    head_end = round(transfer.head_share * epochs) if transfer.init_from else 0
    rate = transfer.finetune_rate if transfer.init_from else 1.0
    alone_end = round(ALONE * epochs) if config.fit.adversarial_weight else 0
    return [
        Phase(first, end, 1.0 if first < head_end else rate, head_only=first < head_end, auxiliary=first >= alone_end)
        for first, end in pairwise(sorted({0, head_end, alone_end, epochs}))
    ]
