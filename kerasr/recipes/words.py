"""Any words, from a folder of your own: the default wherever `--data` is given."""

from kerasr.config import Augmentation, TrainConfig
from kerasr.models.registry import model_facts
from kerasr.recipes.optimizer import adamw
from kerasr.recipes.registry import register_recipe

AUGMENT = Augmentation(
    time_shift=0.1,
    gain_db=6.0,
    speed=(0.85, 1.15),
    noise=0.5,
    time_masks=1,
    time_mask_seconds=0.1,
    frequency_masks=1,
    frequency_mask_width=6,
)


@register_recipe
def words(model: str | None = None) -> TrainConfig:
    """Your own words, at 16 kHz: a folder with one sub-folder of recordings a word.

    The score depends on the recordings: the report says what to expect of yours, and of a new voice where the
    recordings tell who speaks. `python benchmarks/few_shot.py` measures what few recordings a word give on unseen
    speakers. Small folders are passed over until 1,500 steps are made; rare words are drawn as often as frequent ones.
    """
    name = model or "ResidualCNN"
    return TrainConfig().derive(
        model=name,
        model_options=dict(model_facts(name).options),
        augment=AUGMENT,
        optimizer=adamw(name),
        epochs=None,
        batch_size=32,
        label_smoothing=0.05,
        # Rare words are drawn as often as frequent ones (`benchmarks/uneven.py`).
        sampling="balanced",
    )
