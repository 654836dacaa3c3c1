"""Spoken digits for unseen speakers: other pitches, levels and microphones, and time to learn."""

from kerasr.config import Augmentation, TrainConfig
from kerasr.recipes.digits import digits
from kerasr.recipes.optimizer import MUON
from kerasr.recipes.registry import register_recipe

# Six speakers are few: pitch, pace, vocal tract, level and microphone of all others have to be made.
AUGMENT = Augmentation(
    time_shift=0.08,
    gain_db=12.0,
    speed=(0.75, 1.25),
    tilt_db=20.0,
    noise=0.5,
    time_masks=1,
    time_mask_seconds=0.1,
    frequency_masks=2,
    frequency_mask_width=6,
    mixup=0.2,
)


@register_recipe
def digits_best(model: str | None = None) -> TrainConfig:
    """Ten spoken digits of FSDD, for unseen speakers: more changes and more passes than `digits`.

    With --leave-out SPEAKER all the others train, but for a tenth of their clips, and the last weights, averaged, are
    the result: no epoch is chosen by the speaker who is left out.

    Each clip is run at three speeds and the logits are averaged.

    `python benchmarks/unseen_speakers.py --candidate digits-best` measures it on each of six speakers who are left out,
    and with `--choose` whether the five others would choose it for each; `python benchmarks/accuracy.py --recipe
    digits-best --models ResNet8` on FSDD's official test, by speakers of the training.
    """
    return digits(model or "ResNet8").derive(
        validate_on="clips",
        tta_speeds=(0.8, 1.0, 1.25),
        augment=AUGMENT,
        optimizer=MUON,
        epochs=100,
        label_smoothing=0.1,
        keep="last",
    )
