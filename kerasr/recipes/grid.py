"""GRID: six words of 51, as sentences."""

from kerasr.config import TrainConfig
from kerasr.recipes.optimizer import MUON
from kerasr.recipes.registry import register_recipe
from kerasr.recipes.sentences import sentences


@register_recipe
def grid(model: str | None = None) -> TrainConfig:
    """GRID: sentences of six words, by unseen speakers, or unseen sentences where there are fewer than three.

    `kerasr.data.corpora.grid` says which are held out.
    """
    return sentences(model).derive(
        data="grid",
        optimizer=MUON,
        epochs=45,
        # Half as many clips a step as sentences have, for twice the steps: a speaker has said but a thousand.
        batch_size=16,
        batch_seconds=32.0,
    )
