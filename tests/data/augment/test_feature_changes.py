"""Each change of features does what it says, and keeps the padding at zero."""

import numpy as np
import pytest
import tensorflow as tf
from _augment import LOG_MEL, SEED

from kerasr.audio.features import Features
from kerasr.data.augment.features import equalise, mask, stretch_time, tilt_spectrum, warp_frequency


@pytest.mark.parametrize(("axis", "size"), [(1, 30), (2, 20)])
def test_masks_blank_stretches_no_longer_than_asked(axis, size):
    features = tf.ones([200, 30, 20])
    masked = mask(features, 1, 7, axis=axis, seed=SEED).numpy()
    blank = (masked == 0).all(axis=3 - axis)
    assert blank.shape == (200, size)
    assert blank.sum(1).max() == 7
    assert blank.sum(1).min() == 0
    assert (np.abs(np.diff(blank.astype(int), axis=1)).sum(1) <= 2).all()
    assert ((masked == 1) | (masked == 0)).all()


def test_masks_of_time_lie_within_the_clips_own_frames():
    own = np.arange(100) % 21 + 10
    features = (np.arange(30)[None, :] < own[:, None])[..., None] * np.ones(5, "float32")
    masked = mask(tf.constant(features, tf.float32), 1, 7, axis=1, seed=SEED).numpy()
    blank = (features[..., 0] - masked[..., 0]).sum(1)
    # One of eight lengths is none; each other blanks as much as was drawn, and never more than half of the clip.
    assert 0.8 < (blank > 0).mean() < 0.95
    assert (blank <= own / 2).all()


def test_tempo_stretches_the_clip_and_its_padding():
    ramp = tf.where(tf.range(50) < 20, tf.range(1.0, 51.0), 0.0)[None, :, None]
    quick = stretch_time(ramp, (2.0, 2.0), SEED).numpy()[0, :, 0]
    np.testing.assert_allclose(quick, np.where(np.arange(50) < 10, 1 + 2 * np.arange(50), 0))
    slow = stretch_time(ramp, (0.5, 0.5), SEED).numpy()[0, :, 0]
    np.testing.assert_allclose(slow, np.where(np.arange(50) < 39, 1 + 0.5 * np.arange(50), 0))


def test_tempo_keeps_all_of_a_whole_clip():
    ramp = tf.range(1.0, 21.0)[None, :, None]
    assert stretch_time(ramp, (0.5, 0.5), SEED).numpy().max() < 20
    slow = stretch_time(ramp, (0.5, 0.5), SEED, whole=True).numpy()[0, :, 0]
    np.testing.assert_allclose(slow, np.where(np.arange(40) < 39, 1 + 0.5 * np.arange(40), 0))
    # Quicker clips keep the room that they had.
    quick = stretch_time(ramp, (2.0, 2.0), SEED, whole=True).numpy()[0, :, 0]
    np.testing.assert_allclose(quick, np.where(np.arange(20) < 10, 1 + 2 * np.arange(20), 0))


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_vtlp_moves_a_tone_by_its_factor(factor):
    """Held to the features of a tone that really has the other pitch."""
    front_end = Features(LOG_MEL, mean=[-30.0] * 40, std=[15.0] * 40)

    def tone(hertz):
        return front_end(tf.sin(2 * np.pi * hertz * tf.range(4000, dtype=tf.float32) / 8000)[None], tf.constant([3000]))

    warped = warp_frequency(tone(1000.0), (factor, factor), front_end, SEED).numpy()[0]
    moved = tone(1000.0 / factor).numpy()[0]
    own = moved.any(1)
    assert not warped[~own].any()
    assert abs(int(warped[5].argmax()) - int(moved[5].argmax())) <= 1
    same = warp_frequency(tone(1000.0), (1.0, 1.0), front_end, SEED)
    np.testing.assert_allclose(same, tone(1000.0), atol=1e-4)


def test_tilt_leaves_the_padding_at_zero():
    features = tf.concat([tf.ones([4, 10, 40]), tf.zeros([4, 5, 40])], 1)
    tilted = tilt_spectrum(features, 6.0, (2.0,) * 40, SEED).numpy()
    assert not tilted[:, 10:].any()
    slope_db = (tilted[:, :10, -1] - tilted[:, :10, 0]) * 2
    assert np.abs(slope_db).max() <= 6
    assert len(np.unique(np.round(slope_db[:, 0], 3))) == 4


def test_an_equaliser_bends_by_the_size_asked_for_and_leaves_the_padding_at_zero():
    features = tf.concat([tf.ones([500, 2, 40]), tf.zeros([500, 1, 40])], 1)
    bent = equalise(features, 3.0, (2.0,) * 40, SEED).numpy()
    assert not bent[:, 2:].any()
    curve_db = (bent[:, 0] - 1) * 2
    np.testing.assert_array_equal(bent[:, 0], bent[:, 1])
    assert curve_db.std() == pytest.approx(3, rel=0.1)
    assert np.abs(np.diff(curve_db, axis=1)).max() < 3
