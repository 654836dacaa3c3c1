"""GRID: six words of 51, as sentences."""

from kerasr.config import TrainConfig
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import sentences


@register_recipe
def grid(model: str | None = None) -> TrainConfig:
    """GRID: sentences of six words, by unseen speakers, or unseen sentences where there are fewer than three.

    `kerasr.data.corpora.grid` says which are held out.
    """
    return sentences(model).derive(data="grid")
