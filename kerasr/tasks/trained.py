"""A run as its task sees it."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from kerasr.config import TrainConfig
from kerasr.data.manifest import Utterance


class Trained(Protocol):
    """What a task sees of a run (`kerasr.runs.Run`)."""

    @property
    def config(self) -> TrainConfig:
        """Its settings."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """What its outputs stand for."""
        ...

    @property
    def threshold(self) -> float:
        """Least probability of a word that is answered."""
        ...

    @property
    def path(self) -> Any:
        """Its folder."""
        ...

    def probs(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities `(clips, labels)`."""
        ...

    def predict_files(self, paths: Sequence[str]) -> np.ndarray:
        """Probabilities `(files, labels)`."""
        ...

    def utterances(self, split: str) -> Sequence[Utterance]:
        """The recordings of a split."""
        ...
