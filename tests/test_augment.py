"""Augmentation: each change does what it says, follows its seed, and keeps the padding silent."""

import numpy as np
import pytest
import tensorflow as tf

from kerasr.config import Augmentation, FeatureSpec
from kerasr.data import augment
from kerasr.features import Features

SEED = tf.constant([3, 5], tf.int64)


@pytest.fixture
def batch(rng):
    """Two clips of 4,000 and 2,500 samples, padded to 4,000."""
    waveform = 0.1 * rng.standard_normal((2, 4000)).astype("float32")
    waveform[1, 2500:] = 0
    return tf.constant(waveform), tf.constant([4000, 2500])


EVERYTHING = Augmentation(time_shift=0.05, gain_db=6.0, speed=(0.8, 1.2), noise=1.0)


def apply(batch, seed, config=EVERYTHING):
    waveform, num_samples = augment.augment_waveform(*batch, config, sample_rate=8000, noise=None, seed=seed)
    return waveform.numpy(), num_samples.numpy()


def test_the_same_seed_gives_the_same_clips_and_another_seed_others(batch):
    first, again, other = apply(batch, SEED), apply(batch, SEED), apply(batch, SEED + 1)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0].shape != other[0].shape or np.abs(first[0] - other[0]).max() > 1e-3


def test_nothing_sounds_beyond_a_clips_own_samples(batch):
    waveform, num_samples = apply(batch, SEED)
    for clip, end in zip(waveform, num_samples, strict=True):
        assert not clip[end:].any()
        assert clip[:end].any()


def test_speed_moves_a_tones_pitch_and_length_by_one_factor():
    tone = tf.sin(2 * np.pi * 500 * tf.range(8000, dtype=tf.float32) / 8000)[None]
    faster, num_samples = augment.change_speed(tone, tf.constant([8000]), (1.25, 1.25), SEED)
    assert num_samples.numpy()[0] == 6400
    peak = np.argmax(np.abs(np.fft.rfft(faster.numpy()[0, :6400])))
    assert peak * 8000 / 6400 == pytest.approx(625, abs=2)
    expected = np.sin(2 * np.pi * 625 * np.arange(6400) / 8000)
    np.testing.assert_allclose(faster.numpy()[0, 2:6390], expected[2:6390], atol=0.01)


def test_shift_moves_the_clip_whole_or_cuts_its_beginning():
    waveform = tf.range(1, 101, dtype=tf.float32)[None]
    seen = set()
    for number in range(20):
        moved, num_samples = augment.shift_time(waveform, tf.constant([100]), 10, SEED + number)
        shift = int(num_samples.numpy()[0]) - 100
        seen.add(np.sign(shift))
        expected = np.arange(1, 101)[max(0, -shift) :]
        np.testing.assert_array_equal(moved.numpy()[0, max(0, shift) : 100 + shift], expected)
        assert not moved.numpy()[0, : max(0, shift)].any()
    assert seen >= {-1, 1}


@pytest.mark.parametrize("recorded", [True, False])
def test_noise_has_the_ratio_asked_for(batch, rng, recorded):
    noise = tf.constant(rng.standard_normal((3, 1000)), tf.float32) if recorded else None
    config = Augmentation(noise=1.0, noise_snr_db=(10.0, 10.0))
    noisy = augment.add_noise(*batch, config, noise, SEED)
    added = (noisy - batch[0]).numpy()
    ratio = (batch[0].numpy() ** 2).sum(1) / (added**2).sum(1)
    np.testing.assert_allclose(10 * np.log10(ratio), 10, atol=1e-3)


def test_noise_comes_to_the_share_of_clips_asked_for():
    waveform = tf.ones([400, 100])
    config = Augmentation(noise=0.25)
    noisy = augment.add_noise(waveform, tf.fill([400], 100), config, None, SEED)
    share = np.mean(np.any(noisy.numpy() != 1, axis=1))
    assert 0.15 < share < 0.35


def test_silence_stays_finite_under_noise():
    silent = tf.zeros([2, 500])
    assert np.isfinite(augment.add_noise(silent, tf.constant([500, 500]), EVERYTHING, None, SEED).numpy()).all()


@pytest.mark.parametrize(("axis", "size"), [(1, 30), (2, 20)])
def test_masks_blank_stretches_no_longer_than_asked(axis, size):
    features = tf.ones([200, 30, 20])
    masked = augment.mask(features, 1, 7, axis=axis, seed=SEED).numpy()
    blank = (masked == 0).all(axis=3 - axis)
    assert blank.shape == (200, size)
    assert blank.sum(1).max() == 7
    assert blank.sum(1).min() == 0
    assert (np.abs(np.diff(blank.astype(int), axis=1)).sum(1) <= 2).all()
    assert ((masked == 1) | (masked == 0)).all()


def test_mixup_blends_targets_as_it_blends_features():
    features = tf.reshape(tf.range(8.0), [8, 1, 1])
    targets = tf.one_hot(tf.range(8), 8)
    mixed, mixed_targets = augment.mixup(features, targets, 0.4, SEED)
    np.testing.assert_allclose(mixed_targets.numpy().sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed.numpy()[:, 0, 0], mixed_targets.numpy() @ np.arange(8), atol=1e-5)
    assert np.any(mixed_targets.numpy().max(1) < 0.99)


def test_tilt_leaves_the_padding_at_zero():
    features = tf.concat([tf.ones([4, 10, 40]), tf.zeros([4, 5, 40])], 1)
    tilted = augment.tilt_spectrum(features, 6.0, (2.0,) * 40, SEED).numpy()
    assert not tilted[:, 10:].any()
    slope_db = (tilted[:, :10, -1] - tilted[:, :10, 0]) * 2
    assert np.abs(slope_db).max() <= 6
    assert len(np.unique(np.round(slope_db[:, 0], 3))) == 4


def test_decoding_stops_where_no_change_could_reach():
    assert augment.longest_clip(8000, None) == 8000
    assert augment.longest_clip(8000, Augmentation(speed=(0.9, 1.25))) == 10000


def test_features_changes_keep_shape_and_type(batch):
    front_end = Features(FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, clip_seconds=0.5))
    config = Augmentation(tilt_db=6.0, time_masks=2, frequency_masks=2, mixup=0.3)
    features = front_end(*batch)
    targets = tf.one_hot([0, 1], 2)
    changed, mixed = augment.augment_features(features, targets, config, front_end=front_end, seed=SEED)
    assert changed.shape == features.shape
    assert changed.dtype == features.dtype
    assert mixed.shape == targets.shape
