"""Structural similarity is that of its paper, computed with SciPy's Gaussian filter."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kerasr.layers.similarity import C1, C2, structural_similarity


def reference(one, other):
    def blur(picture):
        return gaussian_filter(picture.astype(np.float64), 1.5, truncate=3.5, mode="constant")

    means = blur(one), blur(other)
    variances = blur(one * one) - means[0] ** 2 + blur(other * other) - means[1] ** 2
    covariance = blur(one * other) - means[0] * means[1]
    brightness = (2 * means[0] * means[1] + C1) / (means[0] ** 2 + means[1] ** 2 + C1)
    return brightness * (2 * covariance + C2) / (variances + C2)


def test_it_is_that_of_the_paper(rng):
    one = rng.random((2, 30, 20)).astype("float32")
    other = np.clip(one + 0.2 * rng.standard_normal(one.shape), 0, 1).astype("float32")
    expected = [reference(*pair) for pair in zip(one, other, strict=True)]
    np.testing.assert_allclose(structural_similarity(one, other), expected, atol=1e-4)
    assert np.asarray(structural_similarity(one, one)) == pytest.approx(1, abs=1e-4)
