"""Products with small matrices are Fourier's transform, of every length."""

import numpy as np
import pytest

from kerasr.audio import dft


@pytest.mark.parametrize("n_fft", [2, 3, 97, 255, 400, 512, 1024])
def test_products_are_the_transform_and_its_inverse(rng, n_fft):
    frames = rng.standard_normal((2, 3, n_fft)).astype("float32")
    expected = np.fft.rfft(frames)
    real, imag = dft.rfft(frames, n_fft)
    np.testing.assert_allclose(real, expected.real, atol=1e-4)
    np.testing.assert_allclose(imag, expected.imag, atol=1e-4)
    np.testing.assert_allclose(dft.irfft((real, imag), n_fft), frames, atol=1e-5)
