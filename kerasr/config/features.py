"""Settings of the front-end."""

from dataclasses import dataclass
from typing import Literal

from kerasr.config.bounds import (
    Bands,
    ClipSeconds,
    SampleRate,
    Samples,
    check_bounds,
)
from kerasr.core.signatures import plain_signature
from kerasr.errors import UserError


@plain_signature
@dataclass(frozen=True)
class FeatureSpec:
    """What the front-end computes from a waveform. Sizes are in samples and named as in librosa.

    Of `kind="given"` nothing is computed: features that another program has computed stand where the waveform does,
    frame after frame in one line. A sample is one of their values, so a frame is `n_mels` samples long, as are `n_fft`,
    `win_length` and `hop_length` then, and `sample_rate` is the values in a second. A Kaldi directory sets all of it.

    Of `kind="waveform"` nothing is computed either: each sample is a frame of one feature, for a network whose first
    layers are its front-end.
    """

    kind: Literal["log_mel", "mfcc", "given", "waveform"] = "log_mel"
    """Log-mel energies in dB, or the cepstral coefficients made from them; features that were computed elsewhere; the
    waveform itself."""
    sample_rate: SampleRate = 16000
    """Rate of the waveform in Hz; recordings at another rate are resampled to it."""
    n_fft: Samples = 512
    """Length of the FFT, in samples."""
    win_length: Samples = 400
    """Length of the Hann window, in samples, centred in the FFT."""
    hop_length: Samples = 160
    """Samples from one frame to the next."""
    n_mels: Bands = 40
    """Mel bands; of given features, how many a frame has."""
    n_mfcc: Bands = 13
    """Cepstral coefficients kept (`kind="mfcc"` only)."""
    fmin: float = 20.0
    """Lower edge of the lowest mel band, in Hz."""
    fmax: float | None = None
    """Upper edge of the highest mel band, in Hz; half the sample rate where None."""
    mel_scale: Literal["slaney", "htk"] = "slaney"
    """Formula of the mel scale."""
    num_deltas: Literal[0, 1, 2] = 0
    """Append this many orders of differences over time (1: deltas, 2: and their deltas)."""
    center: bool = False
    """Centre frames on their time, as librosa does by default. Centred frames look ahead: they cannot stream."""
    clip_seconds: ClipSeconds | None = 1.0
    """Crop or pad every clip to this long, in seconds; None keeps each clip's own length."""

    def __post_init__(self) -> None:
        check_bounds(self, "features.")
        if self.is_waveform:
            object.__setattr__(self, "n_mels", 1)
            if self.num_deltas or self.center:
                raise UserError(
                    "settings-conflict",
                    "features.num_deltas and features.center are of spectra, and features.kind waveform computes none: "
                    "leave them out",
                )
        if self.is_given or self.is_waveform:
            for name in ("n_fft", "win_length", "hop_length"):
                object.__setattr__(self, name, self.n_mels)
            return
        if self.win_length > self.n_fft:
            raise UserError(
                "settings-conflict",
                f"features.win_length {self.win_length} does not fit into features.n_fft {self.n_fft}: "
                "make n_fft at least as long",
            )
        if self.kind == "mfcc" and self.n_mfcc > self.n_mels:
            raise UserError(
                "settings-conflict",
                f"features.n_mfcc {self.n_mfcc} needs at least as many mel bands, and features.n_mels is {self.n_mels}",
            )
        if not 0 <= self.fmin < self.fmax_hz <= self.sample_rate / 2:
            raise UserError(
                "settings-conflict",
                f"features.fmin {self.fmin:g} and fmax {self.fmax_hz:g} Hz must lie in order "
                f"between 0 and half the sample rate, {self.sample_rate / 2:g} Hz",
            )
        if self.clip_seconds is not None and self.clip_samples < self.n_fft:
            raise UserError(
                "settings-conflict",
                f"features.clip_seconds {self.clip_seconds:g} is shorter than one frame "
                f"({self.n_fft} samples at {self.sample_rate} Hz)",
            )

    @classmethod
    def given(cls, num_features: int, frame_shift: float) -> "FeatureSpec":
        """The spec of features that were computed elsewhere, of recordings of any length.

        Args:
            num_features: of a frame.
            frame_shift: seconds from one frame to the next.
        """
        return cls(kind="given", sample_rate=round(num_features / frame_shift), n_mels=num_features, clip_seconds=None)

    @property
    def is_given(self) -> bool:
        """Whether features are given, and none are computed from a waveform."""
        return self.kind == "given"

    @property
    def is_waveform(self) -> bool:
        """Whether the waveform itself is what a network is given, sample by sample."""
        return self.kind == "waveform"

    def is_given_as(self, other: "FeatureSpec") -> bool:
        """Whether the features of both are given, as many a frame and as far apart."""
        return self.is_given and other.is_given and (self.n_mels, self.sample_rate) == (other.n_mels, other.sample_rate)

    @property
    def fmax_hz(self) -> float:
        """Upper edge of the highest mel band, in Hz."""
        return self.sample_rate / 2 if self.fmax is None else self.fmax

    @property
    def clip_samples(self) -> int:
        """Samples in a clip of `clip_seconds`; raises where the spec keeps each clip's own length."""
        if self.clip_seconds is None:
            raise ValueError("clip_seconds is None: this spec keeps each clip's own length")
        if self.is_given:  # Whole frames.
            return max(1, round(self.clip_seconds * self.sample_rate / self.n_mels)) * self.n_mels
        return round(self.clip_seconds * self.sample_rate)

    def num_frames(self, num_samples: int) -> int:
        """Frames that librosa computes from `num_samples`; at least one, for which a shorter clip is zero-padded.

        Args:
            num_samples: of a clip.
        """
        if self.is_given:  # A clip may be told to end before zeros that are its last frame's.
            return max(1, -(-num_samples // self.n_mels))
        padded = num_samples + 2 * (self.n_fft // 2) if self.center else num_samples
        return 1 + max(0, padded - self.n_fft) // self.hop_length

    @property
    def num_features(self) -> int:
        """Width of one frame, differences included."""
        return (self.n_mfcc if self.kind == "mfcc" else self.n_mels) * (1 + self.num_deltas)

    @property
    def shape(self) -> tuple[int | None, int]:
        """`(time, feature)` of one clip; time is None where `clip_seconds` is."""
        frames = None if self.clip_seconds is None else self.num_frames(self.clip_samples)
        return frames, self.num_features
