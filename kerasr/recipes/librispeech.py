"""LibriSpeech: read English, a thousand hours of it, in pieces of words."""

from dataclasses import replace

from kerasr.config import OptimizerConfig, TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import AUGMENT as FOR_SENTENCES
from kerasr.recipes.sentences import FEATURES as FOR_SENTENCES_FEATURES
from kerasr.recipes.sentences import sentences

WIDTH = 176
# The small Conformer with CTC of 13 million weights, as NeMo has it; Conformer(S) of the paper is 144 wide.
BY_MODEL = {"Conformer": {"filters": WIDTH, "width": WIDTH, "num_heads": 4, "num_layers": 16, "kernel_size": 31}}

FEATURES = replace(FOR_SENTENCES_FEATURES, n_mels=80)

# SpecAugment with widths of time that follow the length; pace and pitch of three speeds (Ko et al. 2015).
AUGMENT = replace(
    FOR_SENTENCES,
    speed=(0.9, 1.1),
    noise_only=0.0,
    time_masks=5,
    time_mask_seconds=2.0,
    time_mask_share=0.05,
    frequency_mask_width=27,
)

# The paper's highest rate, 0.05 by the root of the width, after 10,000 steps, which are so many passes over 960 hours.
OPTIMIZER = OptimizerConfig(learning_rate=0.05 / WIDTH**0.5, warmup_epochs=5.0, weight_decay=1e-3)


@register_recipe
def librispeech(model: str | None = None) -> TrainConfig:
    """LibriSpeech, for a GPU: --data LibriSpeech/, whose parts train-*, dev-* and test-* are found.

    A small Conformer with CTC over 128 pieces of words, by the settings of Gulati et al. 2020
    (https://arxiv.org/abs/2005.08100) and of NeMo's conformer_ctc_bpe, which has 2,000 clips a step, of several GPUs;
    here are 128, of one. Nobody has trained it to its end here: no score is known.
    """
    config = sentences(model or "Conformer")
    return config.derive(
        model_options={**config.model.options, **BY_MODEL.get(config.model.name, {})},
        vocabulary="pieces",
        vocabulary_size=128,
        features=FEATURES,
        augment=AUGMENT,
        optimizer=OPTIMIZER,
        epochs=100,
        batch_size=128,
        batch_seconds=1600.0,
    )
