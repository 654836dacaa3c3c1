"""How the recipes move weights."""

from kerasr.config import OptimizerConfig
from kerasr.models.registry import model_facts

# AdamW's rate, where an architecture's facts name no other.
RATE = 3e-3

# Muon fits a small convolutional network sooner than AdamW (docs/studies.md); the average of its weights forgets the
# last steps' noise.
MUON = OptimizerConfig("muon", learning_rate=3e-3, warmup_epochs=2.0, weight_decay=1e-2, ema=0.997)


def adamw(model: str) -> OptimizerConfig:
    """AdamW at the rate that an architecture learns at."""
    return OptimizerConfig(learning_rate=model_facts(model).learning_rate or RATE)
