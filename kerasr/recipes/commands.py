"""Speech Commands: twelve or thirty-five words, the official tasks."""

from dataclasses import replace

from kerasr.config import FeatureSpec, TrainConfig
from kerasr.models.registry import model_facts
from kerasr.recipes.digits_best import AUGMENT as FOR_UNSEEN_SPEAKERS
from kerasr.recipes.optimizer import MUON
from kerasr.recipes.registry import register_recipe

# 25 ms windows every 10 ms of the clips' one second, as in most of the literature.
FEATURES = FeatureSpec(sample_rate=16000, n_fft=512, win_length=400, hop_length=160, n_mels=40, clip_seconds=1.0)

# Clips are changed as for digits by unseen speakers (`benchmarks/five_folds.py` says what the trials were).
AUGMENT = replace(FOR_UNSEEN_SPEAKERS, time_shift=0.1)


@register_recipe
def commands(model: str | None = None) -> TrainConfig:
    """Speech Commands, 12 words (--data speech_commands:35 for 35), official split.

    The twelve are ten words, `_unknown_` for the 25 others and `_silence_` out of the background noises, each a tenth
    as many as the wanted clips. A copy elsewhere is named with its task: --data FOLDER:12. What its folders hold, taken
    as it is, is --data FOLDER.

    The recordings at hand are few, 2,300 clips to train on: `python benchmarks/five_folds.py` measures it on unseen
    speakers, with --epochs 60 --keep last. The whole corpus is many times larger, so the default is 30 epochs; it was
    not at hand, so neither that nor the 35 words is measured.
    """
    name = model or "ResNet8"
    return TrainConfig().derive(
        data="speech_commands:12",
        model=name,
        model_options=dict(model_facts(name).options),
        features=FEATURES,
        augment=AUGMENT,
        optimizer=MUON,
        epochs=30,
        batch_size=32,
        label_smoothing=0.1,
    )
