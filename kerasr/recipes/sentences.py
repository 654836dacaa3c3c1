"""Sentences, from recordings beside their texts: the default of `--task transcribe`."""

from dataclasses import replace

from kerasr.config import Augmentation, FeatureSpec, TaskConfig, TrainConfig
from kerasr.models.registry import model_facts
from kerasr.recipes.optimizer import MUON, adamw
from kerasr.recipes.registry import register_recipe

# 25 ms windows every 10 ms, as in most of the literature; recordings of any length.
FEATURES = FeatureSpec(sample_rate=16000, n_fft=512, win_length=400, hop_length=160, n_mels=64, clip_seconds=None)

# An output each 25 ms, of the networks that read a frame in four: who speaks fast has said two characters in 40.
HOP_LENGTHS = {4: 100}

# What keeps the order and the content: pitch and pace, level, microphone, masks; and noise in which nobody speaks.
AUGMENT = Augmentation(
    gain_db=10.0,
    speed=(0.86, 1.16),
    tilt_db=15.0,
    noise=0.3,
    noise_only=0.05,
    time_masks=2,
    time_mask_seconds=0.2,
    frequency_masks=2,
    frequency_mask_width=12,
)


@register_recipe
def sentences(model: str | None = None) -> TrainConfig:
    """Sentences of your own: recordings beside their texts (--task transcribe).

    The network says a character or nothing at each 25 ms (CTC), and is trained on whole recordings, those of like
    lengths together. Nothing beside the recordings is needed, so an hour of them is a beginning.
    """
    name = model or "BiLSTMEncoder"
    facts = model_facts(name)
    return TrainConfig().derive(
        model=name,
        model_options=dict(facts.options),
        task=TaskConfig("transcribe"),
        features=replace(FEATURES, hop_length=HOP_LENGTHS.get(facts.stride, FEATURES.hop_length)),
        augment=AUGMENT,
        # (An architecture that has a rate of its own has it of AdamW.)
        optimizer=adamw(name) if facts.learning_rate else MUON,
        epochs=45,
        batch_size=16,
        batch_seconds=32.0,
        # Of an attention decoder, where --ctc-weight asks for one: ESPnet's share.
        label_smoothing=0.1,
    )
