"""Connected digits: strings made of FSDD's recordings of one speaker, with pauses between them."""

from dataclasses import replace

from kerasr.config import TrainConfig
from kerasr.recipes.digits import FEATURES as FOR_DIGITS
from kerasr.recipes.digits_best import AUGMENT as FOR_UNSEEN_SPEAKERS
from kerasr.recipes.optimizer import MUON
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import sentences

# Ten words that are always said whole are learnt sooner than how to spell them.
VOCABULARY = "words"

FEATURES = replace(FOR_DIGITS, clip_seconds=None)

# As for single digits, but for what cuts off ends or blends two clips: a string has an order.
AUGMENT = replace(FOR_UNSEEN_SPEAKERS, time_shift=0.0, mixup=0.0, time_masks=2)


@register_recipe
def connected_digits(model: str | None = None) -> TrainConfig:
    """Strings of one to eight digits, made of FSDD's recordings of one speaker, for unseen ones.

    Strings to train on are drawn anew in each pass, those of validation and test once. With --leave-out SPEAKER all the
    others train, but for a tenth of their recordings, and the last weights, averaged, are the result: no epoch is
    chosen by the speaker who is left out.

    The network is the one that knows single digits of unseen speakers best, with an output each 40 ms.

    `python benchmarks/connected_digits.py` measures it on each of six speakers who are left out.
    """
    return sentences(model or "ResNet8Encoder").derive(
        data="fsdd",
        vocabulary=VOCABULARY,
        split="speaker",
        validate_on="clips",
        connected=8,
        features=FEATURES,
        augment=AUGMENT,
        optimizer=MUON,
        # Strings are few: many small steps make most of them.
        batch_size=8,
        batch_seconds=24.0,
        epochs=50,
        keep="last",
    )
