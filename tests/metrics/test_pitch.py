"""Pitch: found where there is one, and compared where both have one."""

import numpy as np
import pytest

from kerasr.config import FeatureSpec
from kerasr.metrics.pitch import pitch, pitch_error

SPEC = FeatureSpec(sample_rate=8000, n_fft=512, win_length=400, hop_length=100, n_mels=40, clip_seconds=None)


def test_a_pitch_is_found_in_the_front_ends_frames():
    time = np.arange(4000) / 8000
    saw = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 10))
    found = pitch(saw.astype(np.float32), SPEC)
    assert len(found) == SPEC.num_frames(4000)
    assert np.nanmedian(found) == pytest.approx(120, rel=0.02)


def test_a_semitone_is_a_hundred_cents_and_silence_does_not_count():
    one, path = np.array([100.0, np.nan, 200.0]), np.array([[0, 0], [1, 1], [2, 2], [2, 3]])
    assert pitch_error(one, np.array([100.0, 100.0, 200.0, np.nan]) * 2 ** (1 / 12), path) == pytest.approx(100)
    assert np.isnan(pitch_error(one, np.full(4, np.nan), path))
