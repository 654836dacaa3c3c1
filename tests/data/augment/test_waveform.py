"""Each change of waveforms does what it says."""

import numpy as np
import pytest
import tensorflow as tf
from _augment import EVERYTHING, SEED, two_clips

from kerasr.audio.features import change_speed
from kerasr.config import Augmentation
from kerasr.data.augment.waveform import (
    add_noise,
    add_silence,
    leave_noise,
    perturb_speed,
    reverberate,
    shift_time,
    telephone,
)


@pytest.fixture
def batch(rng):
    return two_clips(rng)


def test_speed_moves_a_tones_pitch_and_length_by_one_factor():
    tone = tf.sin(2 * np.pi * 500 * tf.range(8000, dtype=tf.float32) / 8000)[None]
    faster, num_samples = perturb_speed(tone, tf.constant([8000]), (1.25, 1.25), SEED)
    assert num_samples.numpy()[0] == 6400
    peak = np.argmax(np.abs(np.fft.rfft(faster.numpy()[0, :6400])))
    assert peak * 8000 / 6400 == pytest.approx(625, abs=2)
    expected = np.sin(2 * np.pi * 625 * np.arange(6400) / 8000)
    np.testing.assert_allclose(faster.numpy()[0, 2:6390], expected[2:6390], atol=0.01)


def test_shift_moves_the_clip_whole_or_cuts_its_beginning():
    waveform = tf.range(1, 101, dtype=tf.float32)[None]
    seen = set()
    for number in range(20):
        moved, num_samples = shift_time(waveform, tf.constant([100]), 10, None, SEED + number)
        shift = int(num_samples.numpy()[0]) - 100
        seen.add(np.sign(shift))
        expected = np.arange(1, 101)[max(0, -shift) :]
        np.testing.assert_array_equal(moved.numpy()[0, max(0, shift) : 100 + shift], expected)
        assert not moved.numpy()[0, : max(0, shift)].any()
    assert seen >= {-1, 1}


def test_silence_surrounds_the_whole_clip():
    waveform = tf.reshape(tf.range(1, 101, dtype=tf.float32), [1, 100]) * tf.ones([200, 1])
    moved, num_samples = add_silence(waveform, tf.fill([200], 80), 30, SEED)
    before = (moved.numpy() == 0).argmin(1)
    after = num_samples.numpy() - before - 80
    for clip, start in zip(moved.numpy(), before, strict=True):
        np.testing.assert_array_equal(clip[start : start + 80], np.arange(1, 81))
        assert not clip[:start].any()
        assert not clip[start + 80 :].any()
    for ends in (before, after):
        assert 0 == ends.min() < ends.max() <= 30
        assert 0.35 < (ends == 0).mean() < 0.65


@pytest.mark.parametrize("speed", [0.8, 1.25, 1.1])
def test_the_front_end_changes_speed_as_the_augmentation_does(batch, speed):
    expected = perturb_speed(*batch, (speed, speed), SEED)
    waveform, num_samples = change_speed(*batch, speed)
    np.testing.assert_array_equal(num_samples, expected[1])
    np.testing.assert_allclose(waveform, expected[0], atol=1e-3)


@pytest.mark.parametrize("recorded", [True, False])
def test_noise_has_the_ratio_asked_for(batch, rng, recorded):
    noise = tf.constant(rng.standard_normal((3, 1000)), tf.float32) if recorded else None
    config = Augmentation(noise=1.0, noise_snr_db=(10.0, 10.0))
    noisy = add_noise(*batch, config, noise, SEED)
    added = (noisy - batch[0]).numpy()
    ratio = (batch[0].numpy() ** 2).sum(1) / (added**2).sum(1)
    np.testing.assert_allclose(10 * np.log10(ratio), 10, atol=1e-3)


def test_noise_comes_to_the_share_of_clips_asked_for():
    waveform = tf.ones([400, 100])
    config = Augmentation(noise=0.25)
    noisy = add_noise(waveform, tf.fill([400], 100), config, None, SEED)
    share = np.mean(np.any(noisy.numpy() != 1, axis=1))
    assert 0.15 < share < 0.35


def test_silence_stays_finite_under_noise():
    silent = tf.zeros([2, 500])
    assert np.isfinite(add_noise(silent, tf.constant([500, 500]), EVERYTHING, None, SEED).numpy()).all()


@pytest.mark.parametrize("recorded", [True, False])
def test_of_a_share_of_clips_noise_alone_is_left(rng, recorded):
    # Loud at first and soft later, so that noise in the clip's bursts can be told from steady noise.
    clips = rng.standard_normal((400, 800)).astype(np.float32) * np.repeat([1.0, 0.1], 400).astype(np.float32)
    clips[:, 700:] = 0
    noise = tf.constant(rng.standard_normal((3, 1000)), tf.float32) if recorded else None
    changed, chosen = leave_noise(tf.constant(clips), tf.fill([400], 700), 0.25, noise, SEED)
    other = np.any(changed.numpy() != clips, axis=1)
    assert np.flatnonzero(other).tolist() == chosen.numpy()[:, 0].tolist()
    assert 0.15 < other.mean() < 0.35
    left, said = changed.numpy()[other], clips[other]
    assert not left[:, 700:].any()
    level_db = 10 * np.log10((left**2).sum(1) / (said**2).sum(1))
    assert -30.01 < level_db.min() < -25
    assert -5 < level_db.max() < 0.01
    alike = [abs(np.corrcoef(one, other)[0, 1]) for one, other in zip(left, said, strict=True)]
    assert max(alike) < 0.3
    bursts = 10 * np.log10((left[:, :400] ** 2).mean(1) / (left[:, 400:700] ** 2).mean(1))
    assert bursts.min() < 5 < 15 < bursts.max() < 25


def test_a_room_adds_an_echo_that_dies_away_within_its_time():
    clip = tf.one_hot([100] * 50, 4000)
    config = Augmentation(reverb=1.0, reverb_seconds=(0.1, 0.1))
    heard = reverberate(clip, tf.fill([50], 4000), config, 8000, SEED).numpy()
    assert np.abs(heard[:, :100]).max() < 1e-5
    np.testing.assert_allclose(heard[:, 100], 1, atol=1e-5)
    power = (heard[:, 101:901] ** 2).mean(0)
    level_db = 10 * np.log10(power.reshape(8, 100).mean(1))
    # 60 dB in 0.1 s, read 87.5 ms apart.
    assert level_db[0] - level_db[-1] == pytest.approx(52.5, abs=3)
    energy = (heard[:, 101:] ** 2).sum(1)
    assert 0.0099 < energy.min() < energy.max() < 1.01


def test_a_telephone_keeps_its_band_and_little_else():
    time = tf.range(8000, dtype=tf.float32) / 16000
    tones = tf.stack([tf.sin(2 * np.pi * hertz * time) for hertz in (20, 1000, 6000)])
    heard = telephone(tones, tf.fill([3], 8000), 1.0, 16000, SEED).numpy()
    gain_db = 10 * np.log10((heard**2).mean(1) / (tones.numpy() ** 2).mean(1))
    assert gain_db[1] == pytest.approx(0, abs=0.2)
    assert max(gain_db[0], gain_db[2]) < -20
