"""Mel-cepstral distortion: of equals none, of known differences a known one, whatever the pace."""

import numpy as np
import pytest

from kerasr.metrics.cepstral_distortion import cepstral_distortion


@pytest.fixture
def energies(rng):
    """Fifty frames that change from one to the next."""
    return -40 + np.cumsum(rng.standard_normal((50, 40)), axis=0)


def test_a_recording_is_as_itself_said_slower(energies):
    slower = np.repeat(energies, 2, axis=0)
    assert cepstral_distortion(energies, energies).decibels == pytest.approx(0, abs=1e-9)
    found = cepstral_distortion(slower, energies)
    assert found.decibels == pytest.approx(0, abs=1e-9)
    assert found.stretch == 2


def test_loudness_does_not_count(energies):
    assert cepstral_distortion(energies, energies - 12).decibels == pytest.approx(0, abs=1e-9)


def test_one_coefficient_counts_by_its_definition(energies):
    # Of one cosine over the bands, 3 dB high, the root mean square.
    cosine = 3 * np.cos(np.pi * 2 * (np.arange(40) + 0.5) / 40)
    expected = 3 / np.sqrt(2)
    assert cepstral_distortion(energies, energies + cosine).decibels <= expected + 1e-9
    # Frame by frame, where no other path is nearer: the frames are far apart.
    far = 30 * energies
    assert cepstral_distortion(far, far + cosine).decibels == pytest.approx(expected)
