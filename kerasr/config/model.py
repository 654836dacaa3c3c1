"""Settings of the architecture."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from kerasr.config.bounds import Speeds, check_bounds
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class ModelConfig:
    """The architecture, its own options, and at which speeds it runs."""

    name: Annotated[str, tyro.conf.arg(name="model", prefix_name=False), ESSENTIAL] = "ResidualCNN"
    """The architecture: `kerasr models`, or hub:NAME."""
    options: Annotated[dict[str, Any], tyro.conf.arg(name="model", prefix_name=False)] = field(default_factory=dict)
    """The architecture's own options."""
    tta_speeds: Annotated[Speeds, tyro.conf.arg(prefix_name=False)] = (1.0,)
    """Test-time augmentation: run each clip at these speeds and average the logits; a voice of another pitch is nearer
    to those of the training at one of them. Each costs a pass of the network."""

    def __post_init__(self) -> None:
        check_bounds(self, names={"name": "model"})
