"""A training's phases: of one that begins with another run's encoder, first the head, then everything."""

from dataclasses import dataclass

from kerasr.config import TrainConfig


@dataclass(frozen=True)
class Phase:
    """A segment of epochs with an optimiser of its own.

    Attributes:
        first: its first epoch, from 0.
        end: the epoch after its last.
        rate: factor on the learning rate.
        head_only: only the last layer learns.
    """

    first: int
    end: int
    rate: float = 1.0
    head_only: bool = False


def plan_phases(config: TrainConfig, epochs: int) -> list[Phase]:
    """One phase; where there is an encoder to keep, the head's and then everything's."""
    if config.transfer.init_from is None:
        return [Phase(0, epochs)]
    middle = round(config.transfer.head_share * epochs)
    both = Phase(0, middle, head_only=True), Phase(middle, epochs, rate=config.transfer.finetune_rate)
    return [phase for phase in both if phase.first < phase.end]
