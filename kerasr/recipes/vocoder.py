"""A vocoder: waveforms of log-mel energies, for voices with the same front-end."""

from dataclasses import replace

from kerasr.config import TaskConfig, TrainConfig
from kerasr.models.registry import model_facts
from kerasr.recipes.optimizer import adamw
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.speech import FEATURES


@register_recipe
def vocoder(model: str | None = None) -> TrainConfig:
    """Log-mel energies to waveforms, for a voice: --data my_voice/, recordings alone.

    From a third of the epochs on it learns against a discriminator, too (--adversarial-weight 0 takes two thirds of the
    time). Its front-end is that of `speech`; a voice with another wants a vocoder with --features as its own.
    """
    name = model or "Vocos"
    return TrainConfig().derive(
        data="grid",
        task=TaskConfig("vocode"),
        model=name,
        model_options=dict(model_facts(name).options),
        features=FEATURES,
        optimizer=replace(adamw(name), ema=0.999),
        adversarial_weight=0.1,
        epochs=60,
        batch_size=4,
        batch_seconds=16.0,
    )
