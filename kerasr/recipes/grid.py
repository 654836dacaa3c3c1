"""GRID: six words of 51, as sentences."""

from dataclasses import replace

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import AUGMENT as FOR_SENTENCES
from kerasr.recipes.sentences import sentences

# Lists of words, a quarter of a second each without a pause: too quick to be spelt in outputs of 40 ms.
VOCABULARY = "words"

# B and D are told apart by little, which stronger changes hide.
AUGMENT = replace(
    FOR_SENTENCES,
    gain_db=6.0,
    speed=(0.95, 1.05),
    tilt_db=5.0,
    noise=0.1,
    time_masks=1,
    time_mask_seconds=0.1,
    frequency_masks=1,
    frequency_mask_width=8,
)


@register_recipe
def grid(model: str | None = None) -> TrainConfig:
    """GRID: sentences of six words, by unseen speakers, or unseen sentences where there are fewer than three.

    `kerasr.data.corpora.grid` says which are held out.
    """
    config = sentences(model)
    return config.derive(
        data="grid", vocabulary=VOCABULARY, augment=AUGMENT, optimizer=replace(config.optimizer, ema=0.998)
    )
