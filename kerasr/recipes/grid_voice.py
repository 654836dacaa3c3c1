"""GRID's voice: one speaker, sentences of six words of 51."""

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.speech import speech


@register_recipe
def grid_voice(model: str | None = None) -> TrainConfig:
    """A voice that says GRID's sentences, by 50 minutes of one speaker.

    A tenth of the sentences is kept for the test.
    """
    config = speech(model)
    # For words of which each was heard a hundred times, half of the layers.
    narrower = {"num_stacks": 2} if config.model.name == "SpeedySpeech" else {}
    return config.derive(data="grid", model_options={**config.model.options, **narrower})
