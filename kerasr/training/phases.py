"""A training's phases.

Of one that begins with another run's encoder, first the head, then everything; of one against a discriminator, first
without it.
"""

from dataclasses import dataclass

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
    """One phase; where there is an encoder to keep, the head's and then everything's, and before a discriminator's."""
    if config.fit.adversarial_weight:
        middle = round(ALONE * epochs)
        both = Phase(0, middle, auxiliary=False), Phase(middle, epochs)
    elif config.transfer.init_from:
        middle = round(config.transfer.head_share * epochs)
        both = Phase(0, middle, head_only=True), Phase(middle, epochs, rate=config.transfer.finetune_rate)
    else:
        both = (Phase(0, epochs),)
    return [phase for phase in both if phase.first < phase.end]
