"""Spoken digits, zero to nine: the default of `python -m kerasr.train`."""

from dataclasses import replace
from typing import Any

from kerasr.config import FeatureSpec, OptimizerConfig, TrainConfig
from kerasr.models.registry import model_facts
from kerasr.recipes.optimizer import adamw
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.words import AUGMENT as FOR_ANY_WORDS

# FSDD is recorded at 8 kHz: 25 ms windows every 10 ms, one second in all.
FEATURES = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=40)

# FSDD's clips are cut close around the word: a larger shift would cut into it.
AUGMENT = replace(FOR_ANY_WORDS, time_shift=0.05)

# Frames every 20 ms: half the work, which the large networks do not miss, and half the steps, which an LSTM likes.
COARSE = replace(FEATURES, hop_length=160)

# What an architecture needs to be at its best here, where it is not what the others need.
BY_MODEL: dict[str, dict[str, Any]] = {
    "Conv1DLSTM": {"epochs": 40},
    "StackedLSTM": {"epochs": 30, "features": COARSE, "optimizer": OptimizerConfig(learning_rate=2e-3)},
    "ResNet18": {"epochs": 12, "features": COARSE},
    "ResNet34": {"epochs": 10, "features": COARSE},
    "ResNet50": {"epochs": 10, "features": COARSE},
}


@register_recipe
def digits(model: str | None = None) -> TrainConfig:
    """Ten spoken digits of FSDD, official split.

    `python benchmarks/accuracy.py` measures it on the 300 test clips, whose speakers are all in the training.
    """
    name = model or "ResidualCNN"
    config = TrainConfig().derive(
        data="fsdd",
        split="auto",
        model=name,
        model_options=dict(model_facts(name).options),
        features=FEATURES,
        augment=AUGMENT,
        optimizer=adamw(name),
        epochs=30,
        batch_size=32,
        label_smoothing=0.05,
    )
    return config.derive(**BY_MODEL.get(name, {}))
