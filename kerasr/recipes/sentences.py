"""Sentences, from recordings beside their texts: the default of `--task transcribe`."""

from kerasr.config import Augmentation, FeatureSpec, TaskConfig, TrainConfig
from kerasr.models.registry import model_facts
from kerasr.recipes.optimizer import adamw
from kerasr.recipes.registry import register_recipe

# 25 ms windows every 10 ms, as in most of the literature; recordings of any length.
FEATURES = FeatureSpec(sample_rate=16000, n_fft=512, win_length=400, hop_length=160, n_mels=64, clip_seconds=None)

# What keeps the order and the content: pitch and pace, level, microphone, masks.
AUGMENT = Augmentation(
    gain_db=10.0,
    speed=(0.86, 1.16),
    tilt_db=15.0,
    noise=0.3,
    time_masks=2,
    time_mask_seconds=0.2,
    frequency_masks=2,
    frequency_mask_width=12,
)


@register_recipe
def sentences(model: str | None = None) -> TrainConfig:
    """Sentences of your own: recordings beside their texts (--task transcribe).

    The network says a character or nothing at each 40 ms (CTC), and is trained on whole recordings, those of like
    lengths together. Nothing beside the recordings is needed, so an hour of them is a beginning.
    """
    name = model or "BiLSTMEncoder"
    return TrainConfig().derive(
        model=name,
        model_options=dict(model_facts(name).options),
        task=TaskConfig("transcribe"),
        features=FEATURES,
        augment=AUGMENT,
        optimizer=adamw(name),
        epochs=60,
        batch_size=32,
        batch_seconds=64.0,
        # Of an attention decoder, where --ctc-weight asks for one: ESPnet's share.
        label_smoothing=0.1,
    )
