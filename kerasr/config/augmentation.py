"""Settings of what is done to training clips."""

from dataclasses import dataclass

from kerasr.config.bounds import Changes, Factors, NotNegative, Number, Range, Share, check_bounds
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class Augmentation:
    """Changes made to training clips, drawn for each clip in each epoch. The defaults change nothing."""

    concatenate: Number = 0
    """Concatenated utterances, for --task transcribe: join one speaker's recordings to ones of 1 to so many, with
    pauses of 0.05 to 0.4 s, drawn anew in each pass. 0 takes them as they are."""
    time_shift: NotNegative = 0.0
    """Shift the clip by up to this many seconds either way."""
    silence: NotNegative = 0.0
    """Put up to this many seconds of silence before the clip and after it, in half of the cases each: a recording made
    to stand in for one that is not cut close around its word."""
    gain_db: NotNegative = 0.0
    """Turn the clip louder or softer by up to this many dB."""
    speed: Factors = (1.0, 1.0)
    """Play the clip at a rate drawn between these two; pitch moves along, as with another vocal tract."""
    tempo: Factors = (1.0, 1.0)
    """Say it faster (above 1) or slower by a factor drawn between these two; pitch stays. With `speed` it frees one of
    the other: a voice of another pitch may speak at any pace."""
    vtlp: Factors = (1.0, 1.0)
    """Warp the mel axis by a factor drawn between these two: a longer or shorter vocal tract (log-mel only)."""
    tilt_db: NotNegative = 0.0
    """Tilt the spectrum by up to this many dB from lowest to highest band: another microphone (log-mel only)."""
    eq_db: NotNegative = 0.0
    """Bend the spectrum by a smooth curve of about this many dB over the bands: another room (log-mel only)."""
    reverb: Share = 0.0
    """Share of clips that sound in a made room: a drawn echo that dies away."""
    reverb_seconds: Factors = (0.1, 0.6)
    """Time in which the echo falls by 60 dB, in seconds, drawn between these two."""
    codec: Share = 0.0
    """Share of clips that pass a telephone: band limits drawn around 300 to 3,400 Hz, 8 bits of mu-law."""
    noise: Share = 0.0
    """Share of clips that get noise: the corpus's background recordings, else white to pink noise."""
    noise_snr_db: Range = (5.0, 30.0)
    """Signal-to-noise ratio, in dB, drawn between these two."""
    noise_only: Share = 0.0
    """Share of clips of which noise alone is left, and no text, for --task transcribe: what nobody says is not to be
    written down. The noise is as for `noise`, up to 30 dB softer than the clip, steady or in the clip's own bursts."""
    time_masks: Number = 0
    """SpecAugment: segments of time blanked in each clip."""
    time_mask_seconds: NotNegative = 0.1
    """SpecAugment: longest segment, in seconds."""
    time_mask_share: Share = 0.5
    """SpecAugment: longest segment, as a share of the clip: short clips get short ones."""
    frequency_masks: Number = 0
    """SpecAugment: groups of feature columns blanked in each clip."""
    frequency_mask_width: Number = 6
    """SpecAugment: widest group, in columns."""
    mixup: NotNegative = 0.0
    """Mix pairs of clips with a weight from Beta(mixup, mixup); 0 mixes none."""
    cutmix: Share = 0.0
    """Share of clips in which a segment of time comes from another clip, and as much of the target."""

    extra: Changes = ()
    """Changes that were registered from outside (docs/extending.md), by name, some with an amount: my_change=0.5."""

    def __post_init__(self) -> None:
        check_bounds(self, "augment.")

    @property
    def uses_noise(self) -> bool:
        """Whether background recordings are wanted, where the corpus has some."""
        return bool(self.noise or self.noise_only)
