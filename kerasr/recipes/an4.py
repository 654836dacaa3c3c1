"""CMU AN4: letters, digits and commands, as sentences."""

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import sentences


@register_recipe
def an4(model: str | None = None) -> TrainConfig:
    """CMU AN4: letters, digits and commands, by speakers of the official test.

    In a copy that has the training part alone, speakers are held out of it: `kerasr.data.corpora.an4` says which.
    """
    return sentences(model).derive(data="an4")
