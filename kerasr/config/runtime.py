"""Settings of how a training is computed."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from kerasr.config.bounds import Modules, NotNegative, Seed, check_bounds
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.signatures import plain_signature

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


@plain_signature
@dataclass(frozen=True)
class RuntimeConfig:
    """How it is computed: arithmetic, compilation, seed, checkpoints."""

    seed: Annotated[Seed, ESSENTIAL] = 0
    """Fixes weights, order and augmentation."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto is mixed_bfloat16 on a GPU that has it, else float32."""
    xla: Literal["auto", "on", "off"] = "auto"
    """Compile the training step with XLA; auto does on a GPU."""
    checkpoint_seconds: NotNegative = 30.0
    """Write a checkpoint to resume from this often inside an epoch (and after each epoch)."""

    imports: Annotated[Modules, tyro.conf.arg(name="import")] = ()
    """Packages from outside of kerasr that are imported first, and that the run needs: a,b for several. Those that
    registered its model and its augmentations are added."""

    def __post_init__(self) -> None:
        check_bounds(self, names={"imports": "import"})
