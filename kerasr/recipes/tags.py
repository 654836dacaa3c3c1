"""Several labels a recording, or none: from a manifest with a column `labels`."""

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.words import words


@register_recipe
def tags(model: str | None = None) -> TrainConfig:
    """Several labels a recording: --data manifest.csv, whose column `labels` holds them, as dog|bark.

    A clip without any is a counter-example to all. The model looks at one second, as for words: give the length of your
    recordings with --features.clip-seconds. The settings are those of `words`; what they give is not measured.
    """
    return words(model).derive(task="tag")
