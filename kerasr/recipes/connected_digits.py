"""Connected digits: strings made of FSDD's recordings of one speaker, with pauses between them."""

from dataclasses import replace
from typing import Any

from kerasr.config import TrainConfig
from kerasr.recipes.digits import FEATURES as FOR_DIGITS
from kerasr.recipes.digits_best import AUGMENT as FOR_UNSEEN_SPEAKERS
from kerasr.recipes.optimizer import MUON
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import sentences

# Ten words that are always said whole are learnt sooner than how to spell them.
VOCABULARY = "words"

# A short word is said in a quarter of a second: an output each 32 ms has room for it, and for the blank after it.
FEATURES = replace(FOR_DIGITS, hop_length=64, n_mels=64, clip_seconds=None)

# As for single digits, but for what cuts off ends or blends two clips: a string has an order.
AUGMENT = replace(FOR_UNSEEN_SPEAKERS, time_shift=0.0, mixup=0.0, time_masks=2, frequency_mask_width=10)

# Ten words need no more; what is saved are passes.
BY_MODEL: dict[str, dict[str, Any]] = {"BiLSTMEncoder": {"units": 96}}


@register_recipe
def connected_digits(model: str | None = None) -> TrainConfig:
    """Strings of one to eight digits, made of FSDD's recordings of one speaker, for unseen ones.

    Strings to train on are drawn anew in each pass, those of validation and test once. With --leave-out SPEAKER all the
    others train, but for a tenth of their recordings, and the last weights, averaged, are the result: no epoch is
    chosen by the speaker who is left out.

    `python benchmarks/connected_digits.py` measures it on each of six speakers who are left out.
    """
    config = sentences(model)
    return config.derive(
        data="fsdd",
        vocabulary=VOCABULARY,
        split="speaker",
        validate_on="clips",
        connected=8,
        model_options={**config.model.options, **BY_MODEL.get(config.model.name, {})},
        features=FEATURES,
        augment=AUGMENT,
        optimizer=MUON,
        epochs=50,
        keep="last",
    )
