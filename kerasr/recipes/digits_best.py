"""Spoken digits for voices that were never heard: every change that the training clips can bear, and time to learn."""

from dataclasses import replace

from kerasr.config import Augmentation, OptimizerConfig, TrainConfig
from kerasr.recipes.digits import digits

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


# Orthogonal steps fit a small convolutional network in half of the epochs; the average of its weights forgets the last
# steps' noise.
OPTIMIZER = OptimizerConfig("muon", learning_rate=3e-3, warmup_epochs=2.0, weight_decay=1e-2, ema=0.997)


def digits_best(model: str | None = None) -> TrainConfig:
    """Ten spoken digits of FSDD, for voices never heard: more changes and more passes than `digits`.

    With --leave-out SPEAKER all the others train, but for a tenth of their clips, and the last weights, averaged, are
    the result: no epoch is chosen by the speaker who is left out.

    Accuracy on each of six speakers that ResNet8 has not heard (`python benchmarks/unseen_speakers.py`, seed 0; 10.4
    minutes of one core a training): george 90.0%, jackson 90.8%, lucas 90.0%, nicolas 89.6%, theo 97.4%, yweweler
    91.0%; 91.5% on average.
    """
    return replace(
        digits(model or "ResNet8"),
        recipe="digits-best",
        validate_on="clips",
        augment=AUGMENT,
        optimizer=OPTIMIZER,
        epochs=100,
        label_smoothing=0.1,
        keep="last",
    )
