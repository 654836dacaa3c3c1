"""How far a voice is from a recording of the same text: mel-cepstral distortion, the times brought in line."""

from dataclasses import dataclass

import numpy as np

from kerasr.core.quiet import no_widget_advice

# Cepstral coefficients that are compared; the first, loudness, is none of them.
NUM_COEFFICIENTS = 13


@dataclass(frozen=True, eq=False)
class Distortion:
    """What a comparison of two recordings has found.

    Attributes:
        decibels: mel-cepstral distortion, a mean over the frames that were brought in line.
        stretch: frames of the one for each of the other.
        path: int `(pairs, 2)` frames of the one and of the other that were brought in line.
    """

    decibels: float
    stretch: float
    path: np.ndarray


def cepstral_distortion(one: np.ndarray, other: np.ndarray) -> Distortion:
    """Mel-cepstral distortion of two recordings of one text.

    Cepstra are those of the front-end's log-mel energies: `c[m]` twice the mean over the bands of the natural logarithm
    of the amplitude times `cos(pi m (band + 1/2) / bands)`, as in mel-cepstral analysis, whose logarithm is the sum of
    `c[m]` times that cosine. A pair's distortion is so the root mean square of what differs in the spectra's shape.
    Frames are brought in line by dynamic time warping with
    Euclidean distances of `c[1]` to `c[13]`, and each pair on the path counts `10 / ln 10 * sqrt(2 * sum of squared
    differences)` decibels.

    Args:
        one: `(time, n_mels)` log-mel energies in dB.
        other: of the same bands.

    Source: Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", 1993.
    """
    with no_widget_advice():
        from librosa.sequence import dtw

    cepstra = [_cepstra(energies) for energies in (one, other)]
    _, path = dtw(*(frames.T for frames in cepstra), metric="euclidean")
    differences = cepstra[0][path[:, 0]] - cepstra[1][path[:, 1]]
    distances = 10 / np.log(10) * np.sqrt(2 * np.square(differences).sum(1))
    return Distortion(float(distances.mean()), len(one) / len(other), path[::-1])


def _cepstra(energies: np.ndarray) -> np.ndarray:
    """`(time, NUM_COEFFICIENTS)`, without the first."""
    from scipy.fft import dct

    amplitudes = energies * np.log(10) / 20
    return dct(amplitudes, type=2, axis=1)[:, 1 : 1 + NUM_COEFFICIENTS] / energies.shape[1]
