"""Settings of the optimizer."""

from dataclasses import dataclass
from typing import Literal

from kerasr.config.bounds import NotNegative, Positive, ShareBelowOne, check_bounds
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class OptimizerConfig:
    """How weights move. The learning rate warms up linearly, then follows the schedule."""

    name: Literal["adamw", "adam", "sgd", "muon"] = "adamw"
    """The update rule; sgd has Nesterov momentum 0.9, muon makes kernels' steps orthogonal (fewer epochs)."""
    learning_rate: Positive = 1e-3
    """Highest learning rate."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """What the learning rate does after the warm-up; cosine ends at 0 with the last step."""
    warmup_epochs: NotNegative = 1.0
    """Epochs over which the learning rate rises."""
    weight_decay: NotNegative = 1e-4
    """Decoupled weight decay (adamw and muon only)."""
    clip_norm: Positive | None = 1.0
    """Gradients of a larger global norm are scaled down to it; None leaves them."""
    ema: ShareBelowOne = 0.0
    """Judge and keep an exponential moving average of the weights, not the last ones: its momentum a step, as 0.995,
    to which it rises over the first steps."""

    def __post_init__(self) -> None:
        check_bounds(self, "optimizer.")
