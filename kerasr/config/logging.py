"""Settings of where a training writes."""

from dataclasses import dataclass
from typing import Annotated

from kerasr.config.bounds import check_bounds
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class LoggingConfig:
    """Where the run goes, and who else is told of it."""

    out: Annotated[str, ESSENTIAL] = "runs"
    """Folder for the run's own folder."""
    tensorboard: bool = False
    """Write TensorBoard logs into the run: curves, settings, log-mel of clips, confusion matrix."""
    wandb: bool = False
    """Log to Weights & Biases."""

    def __post_init__(self) -> None:
        check_bounds(self)
