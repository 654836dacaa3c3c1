"""FSDD's voices: six speakers, spoken digits."""

from dataclasses import replace

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.speech import FEATURES, speech

# FSDD is recorded at 8 kHz; the same windows in seconds, more often: who is quickest says "three" in 180 ms, and each
# character takes two frames.
FEATURES_8_KHZ = replace(FEATURES, sample_rate=8000, n_fft=512, win_length=400, hop_length=64, n_mels=60)


@register_recipe
def digits_voice(model: str | None = None) -> TrainConfig:
    """Six voices that say digits, one model, by FSDD's recordings and official split."""
    config = speech(model)
    narrower = {"num_stacks": 1} if config.model.name == "SpeedySpeech" else {}
    return config.derive(
        data="fsdd",
        spell_numbers="en",
        epochs=20,
        features=FEATURES_8_KHZ,
        model_options={**config.model.options, **narrower},
    )
