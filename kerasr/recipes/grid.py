"""GRID: six words of 51, as sentences."""

from dataclasses import replace

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import AUGMENT, sentences

# All were recorded in one booth: there is no noise, and no other microphone. The letters differ in short consonants,
# of which a wide mask leaves nothing.
IN_ONE_BOOTH = replace(AUGMENT, gain_db=5.0, tilt_db=3.0, noise=0.0, noise_only=0.0, frequency_mask_width=6)

# A sentence has one of 25 letters, each of which a speaker says forty times: this preset has learnt letters of AN4's
# speakers. Its encoder is this one, of so many units.
BEGINNING, ENCODER, UNITS = "spelling", "BiLSTMEncoder", 96


@register_recipe
def grid(model: str | None = None) -> TrainConfig:
    """GRID: sentences of six words, by unseen speakers, or unseen sentences where there are fewer than three.

    `kerasr.data.corpora.grid` says which are held out. The default network begins with the encoder of the preset
    `spelling`, another with nothing.
    """
    # With so few errors as the validation has, one epoch is better than another by luck.
    config = sentences(model).derive(data="grid", augment=IN_ONE_BOOTH, epochs=70, keep="last")
    if config.model.name != ENCODER:
        return config
    return config.derive(
        init_from=BEGINNING, head_share=0.05, finetune_rate=1.0, model_options={**config.model.options, "units": UNITS}
    )
