"""Common Voice: sentences read by many, in one of its languages."""

from dataclasses import replace

from kerasr.config import OptimizerConfig, TrainConfig
from kerasr.recipes.librispeech import FEATURES
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import AUGMENT as FOR_SENTENCES
from kerasr.recipes.sentences import sentences

WIDTH = 256
BY_MODEL = {"Conformer": {"filters": WIDTH, "width": WIDTH, "num_heads": 4, "num_layers": 12, "kernel_size": 15}}

AUGMENT = replace(
    FOR_SENTENCES,
    speed=(0.9, 1.1),
    noise_only=0.0,
    time_mask_seconds=0.4,
    frequency_mask_width=30,
)

# What 4 by the root of the width and of 25,000 steps of warm-up comes to.
OPTIMIZER = OptimizerConfig("adam", learning_rate=4 / (WIDTH * 25_000) ** 0.5, warmup_epochs=10.0, clip_norm=3.0)


@register_recipe
def common_voice(model: str | None = None) -> TrainConfig:
    """Common Voice in one language, for a GPU: --data cv-corpus/de/, with clips/ and its lists.

    A Conformer with CTC and an attention decoder beside it, over 150 pieces of words, by the settings of ESPnet's
    recipe for it (egs2/commonvoice). Nobody has trained it to its end here: no score is known.
    """
    config = sentences(model or "Conformer")
    return config.derive(
        model_options={**config.model.options, **BY_MODEL.get(config.model.name, {})},
        vocabulary="pieces",
        vocabulary_size=150,
        features=FEATURES,
        augment=AUGMENT,
        optimizer=OPTIMIZER,
        ctc_weight=0.3,
        epochs=50,
        batch_size=256,
        batch_seconds=1250.0,
    )
