"""LJ Speech: a day of one voice, reading."""

from kerasr.config import OptimizerConfig, TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import FEATURES, sentences

BY_MODEL = {"DeepSpeech2": {"units": 512, "num_layers": 5, "dropout": 0.5}}


@register_recipe
def ljspeech(model: str | None = None) -> TrainConfig:
    """LJ Speech, one voice, for a GPU: --data LJSpeech-1.1/, with metadata.csv and wavs/.

    Deep Speech 2 by characters, with as many layers and units and the learning rate of Keras's own example
    (https://keras.io/examples/audio/ctc_asr), with this project's front-end and changes to clips. Nobody has trained it
    to its end here: no score is known. The test is of the same voice.
    """
    config = sentences(model or "DeepSpeech2")
    return config.derive(
        model_options={**config.model.options, **BY_MODEL.get(config.model.name, {})},
        features=FEATURES,
        optimizer=OptimizerConfig("adam", learning_rate=1e-4),
        epochs=50,
        batch_size=32,
        batch_seconds=320.0,
    )
