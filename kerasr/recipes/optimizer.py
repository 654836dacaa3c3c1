"""How the recipes for voices that were never heard move their weights."""

from kerasr.config import OptimizerConfig

# Muon fits a small convolutional network sooner than AdamW (docs/studies.md); the average of its weights forgets the
# last steps' noise.
MUON = OptimizerConfig("muon", learning_rate=3e-3, warmup_epochs=2.0, weight_decay=1e-2, ema=0.997)
