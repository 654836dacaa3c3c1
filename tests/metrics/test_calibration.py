"""Calibration of confidences: fitted by Platt's scaling, as a model that made them would have it."""

import numpy as np
import pytest
from scipy.special import expit, logit

from kerasr.metrics.calibration import PlattScaling, calibration_bins, fit_platt


def made(rng, scale, offset, number=4000):
    """Confidences, and whether each is right, as often as a scaling of them says."""
    confidence = rng.uniform(0.02, 0.999, number)
    return confidence, rng.random(number) < expit(scale * logit(confidence) + offset)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.4, 0.8), (2.0, -1.0)])
def test_it_finds_what_the_confidences_were_made_with(rng, scale, offset):
    found = fit_platt(*made(rng, scale, offset))
    assert (found.scale, found.offset) == (pytest.approx(scale, rel=0.1), pytest.approx(offset, abs=0.15))
    confidence, correct = made(rng, scale, offset)
    after = np.array([*map(found, confidence)])
    assert calibration_bins(after, correct)["ece"] < 0.04
    # None overtakes another, and none leaves its bounds.
    assert (np.argsort(after, kind="stable") == np.argsort(confidence, kind="stable")).all()
    assert 0 < found(0.0) < found(1.0) < 1


def test_few_words_and_none_wrong_make_no_certainty():
    found = fit_platt(np.array([0.9, 0.99, 0.8]), np.ones(3, bool))
    assert 0.5 < found(0.9) < 0.95
    assert fit_platt(np.zeros(0), np.zeros(0, bool)) is None


def test_confidences_that_tell_the_contrary_tell_nothing():
    found = fit_platt(np.linspace(0.01, 0.99, 50), np.arange(50) < 25)
    assert found == PlattScaling(0.0, pytest.approx(0, abs=1e-9), 50)
    assert found(0.1) == found(0.9) == pytest.approx(0.5)
