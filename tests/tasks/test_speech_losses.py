"""The losses of a voice: nothing for what is right, more for what is not, and the padding is of no account."""

import numpy as np
import pytest

from kerasr.tasks.speech_losses import PROSODY_WEIGHT, DurationLoss, ProsodyLoss, SpectrogramLoss


def padded(values, size, fill=0.0):
    return np.pad(values, [(0, 0), (0, size), *[(0, 0)] * (values.ndim - 2)], constant_values=fill)


def test_energies_that_are_right_cost_nothing(rng):
    truth = rng.standard_normal((2, 40, 20)).astype("float32")
    loss = SpectrogramLoss(reduction=None)
    assert np.asarray(loss(truth, truth)) == pytest.approx(0, abs=1e-4)
    near, far = (np.asarray(loss(truth, truth + size * rng.standard_normal(truth.shape))) for size in (0.1, 1.0))
    assert (near > 0).all()
    assert (2 * near < far).all()
    # As far in all pixels, but the second is no shift of the whole: its structure differs, too.
    even, uneven = truth + 0.5, truth + 0.5 * rng.choice([-1, 1], truth.shape)
    assert (np.asarray(loss(truth, even)) < np.asarray(loss(truth, uneven)) - 0.05).all()


@pytest.mark.parametrize("size", [1, 30])
def test_the_padding_of_energies_does_not_count(rng, size):
    truth, found = (rng.standard_normal((2, 25, 16)).astype("float32") for _ in range(2))
    loss = SpectrogramLoss(reduction=None)
    expected = loss(truth, found)
    np.testing.assert_allclose(loss(padded(truth, size), padded(found, size, 7.0)), expected, rtol=1e-4)


def test_durations_count_by_their_ratio():
    loss = DurationLoss(reduction=None)
    truth = np.array([[2, 8, 0, -1], [5, 5, 5, 5]])
    right = np.log(np.maximum(truth, 1)).astype("float32")
    assert np.asarray(loss(truth, right)) == pytest.approx(0, abs=1e-6)
    off = np.asarray(loss(truth, right + np.log(1.5)))
    assert off == pytest.approx(0.5 * np.log(1.5) ** 2, rel=1e-5)


def test_the_prosody_is_of_a_texts_own_tokens():
    loss = ProsodyLoss(reduction=None)
    truth = np.array([[1.0, -1.0, np.nan], [0.0, 0.5, 1.0]], np.float32)
    found = np.array([[2.0, -1.0, 0.0], [0.0, 0.5, 1.0]], np.float32)
    np.testing.assert_allclose(loss(truth, found), [PROSODY_WEIGHT * 0.5, 0.0], atol=1e-6)
