"""How far a voice's pitch is from a recording's, where both have one."""

import numpy as np

from kerasr.config import FeatureSpec
from kerasr.core.quiet import no_widget_advice

# Lowest and highest pitch that is looked for, in Hz: men's, women's and children's voices.
LOWEST, HIGHEST = 60.0, 500.0
CENTS_AN_OCTAVE = 1200


def pitch(waveform: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """`(time,)` fundamental frequency of the front-end's frames in Hz, NaN where there is none.

    Args:
        waveform: float32 `(samples,)`.
        spec: of the front-end, whose windows and steps are taken.

    Source: Mauch and Dixon, "pYIN: A fundamental frequency estimator using probabilistic threshold distributions",
    ICASSP 2014, as in librosa.
    """
    with no_widget_advice():
        from librosa import pyin

    # Two periods of the lowest have to be in a window.
    lowest = max(LOWEST, 2 * spec.sample_rate / spec.n_fft)
    settings = {"frame_length": spec.n_fft, "hop_length": spec.hop_length, "center": spec.center}
    return pyin(waveform, fmin=lowest, fmax=HIGHEST, sr=spec.sample_rate, **settings)[0]


def pitch_error(one: np.ndarray, other: np.ndarray, path: np.ndarray) -> float:
    """Root of the mean squared difference in cents, of frames that were brought in line and both have a pitch.

    Args:
        one: `(time,)` in Hz, NaN where there is none.
        other: likewise.
        path: int `(pairs, 2)`, which frames belong together.

    Returns:
        NaN where no pair has a pitch.
    """
    inside = path[(path[:, 0] < len(one)) & (path[:, 1] < len(other))]
    cents = CENTS_AN_OCTAVE * np.log2(one[inside[:, 0]] / other[inside[:, 1]])
    cents = cents[np.isfinite(cents)]
    return float(np.sqrt(np.square(cents).mean())) if len(cents) else float("nan")
