"""Structural similarity of two pictures: whether what is next to each other differs as it should."""

import functools

import numpy as np
from keras import ops

# Of the Gaussian window, in pixels, as in the paper.
SIZE, SIGMA = 11, 1.5
# What keeps the quotients finite, for pictures whose pixels lie in [0, 1].
C1, C2 = 0.01**2, 0.03**2


def structural_similarity(one, other):
    """The similarity about each pixel: 1 where both are the same, less where means, contrasts or shapes differ.

    Args:
        one: float32 `(batch, time, feature)` in [0, 1].
        other: the same shape.

    Returns:
        `(batch, time, feature)`; pixels beyond the border count as 0.

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", 2004, equation 13.
    """
    mean_one, mean_other = _blur(one), _blur(other)
    variance_one = _blur(one * one) - mean_one * mean_one
    variance_other = _blur(other * other) - mean_other * mean_other
    covariance = _blur(one * other) - mean_one * mean_other
    brightness = (2 * mean_one * mean_other + C1) / (mean_one * mean_one + mean_other * mean_other + C1)
    return brightness * (2 * covariance + C2) / (variance_one + variance_other + C2)


def _blur(picture):
    """Means under a Gaussian window; its two directions one after the other."""
    pixels = picture[..., None]
    for shape in ((SIZE, 1, 1, 1), (1, SIZE, 1, 1)):
        pixels = ops.conv(pixels, np.reshape(_window(), shape), padding="same")
    return pixels[..., 0]


@functools.lru_cache(maxsize=1)
def _window():
    weights = np.exp(-np.square(np.arange(SIZE) - SIZE // 2) / (2 * SIGMA**2))
    return (weights / weights.sum()).astype("float32")
