"""Settings of the training loop: how long it goes on, what it minimises, which weights it keeps."""

from dataclasses import dataclass
from typing import Annotated, Literal

from kerasr.config.bounds import Count, Positive, ShareAboveZero, ShareBelowOne, check_bounds
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class FitConfig:
    """How long the training goes on, what it minimises, and which weights it keeps."""

    epochs: Annotated[Count | None, ESSENTIAL] = 30
    """Epochs, each followed by the validation split; None is 30, or what makes 1,500 steps."""
    passes: Count = 1
    """Passes over the training split in an epoch; epochs=None makes as many as fit into 50 steps."""
    batch_size: Annotated[Count, ESSENTIAL] = 64
    """Clips a step."""
    batch_seconds: Positive | None = None
    """With clips of any length: a step has clips of like lengths, and no more seconds than this, padding included (at
    most batch_size clips). None takes clips as they come."""
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    """What is minimised; the focal loss weighs a clip by how unsure the network is of it; it smooths no label."""
    label_smoothing: ShareBelowOne = 0.0
    """Share of each target spread over all words; of an attention decoder's, over all tokens."""
    ctc_weight: ShareAboveZero = 1.0
    """Share of the loss that is CTC's, of transcripts; where below 1, the rest is the cross entropy of an attention
    decoder, which learns from the same encoder and finds no transcript itself (joint CTC-attention; often 0.3)."""
    adversarial_weight: ShareBelowOne = 0.0
    """Share of a vocoder's loss that is a discriminator's, from a third of the epochs on: it learns beside the vocoder
    to tell its waveforms from recordings, and is not kept (HiFi-GAN; perhaps 0.1); 0 trains none."""
    class_weights: bool = False
    """Weigh rare words up, in inverse proportion to their count (sampling=natural only: balanced has done so)."""
    keep: Literal["best", "last"] = "best"
    """Weights that the run keeps: of the epoch with the best validation score, or of the last epoch."""
    patience: Count | None = None
    """Stop after this many epochs without a better validation score; None never does."""

    def __post_init__(self) -> None:
        check_bounds(self)
