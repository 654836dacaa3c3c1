"""Settings of a listener: when a word is reported."""

from dataclasses import dataclass
from typing import Annotated

from kerasr.config.bounds import Bounds, NotNegative, Share, check_bounds
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class ListenOptions:
    """When a word is reported."""

    hop_seconds: Annotated[float, Bounds("a time from 0.01 to 1", lambda seconds: 0.01 <= seconds <= 1)] = 0.1
    """Time between two windows, in seconds; a model that carries its state has steps of its own."""
    smooth_seconds: NotNegative = 0.3
    """Time over which a word's probability is averaged, in seconds."""
    threshold: Share | None = None
    """Least mean probability of a word that is reported. Where not given, the model's own: `evaluate stream`
    chooses it; else that of clips, and 0.5 at least."""
    refractory_seconds: NotNegative = 1.0
    """Silence after a report, in seconds: the same sound stays in the window for a while."""

    def __post_init__(self) -> None:
        check_bounds(self)
