"""Augmentation: each change does what it says, follows its seed, and keeps the padding silent."""

import numpy as np
import pytest
import tensorflow as tf

from kerasr.audio.features import Features, change_speed
from kerasr.config import Augmentation, FeatureSpec
from kerasr.data import augment
from kerasr.data.clips import longest_clip

SEED = tf.constant([3, 5], tf.int64)


@pytest.fixture
def batch(rng):
    """Two clips of 4,000 and 2,500 samples, padded to 4,000."""
    waveform = 0.1 * rng.standard_normal((2, 4000)).astype("float32")
    waveform[1, 2500:] = 0
    return tf.constant(waveform), tf.constant([4000, 2500])


EVERYTHING = Augmentation(time_shift=0.05, gain_db=6.0, speed=(0.8, 1.2), silence=0.1, noise=1.0, reverb=1.0, codec=1.0)
LOG_MEL = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, clip_seconds=0.5)


def apply(batch, seed, config=EVERYTHING):
    waveform, num_samples = augment.augment_waveform(*batch, config, spec=LOG_MEL, noise=None, seed=seed)
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
    faster, num_samples = augment.perturb_speed(tone, tf.constant([8000]), (1.25, 1.25), SEED)
    assert num_samples.numpy()[0] == 6400
    peak = np.argmax(np.abs(np.fft.rfft(faster.numpy()[0, :6400])))
    assert peak * 8000 / 6400 == pytest.approx(625, abs=2)
    expected = np.sin(2 * np.pi * 625 * np.arange(6400) / 8000)
    np.testing.assert_allclose(faster.numpy()[0, 2:6390], expected[2:6390], atol=0.01)


def test_shift_moves_the_clip_whole_or_cuts_its_beginning():
    waveform = tf.range(1, 101, dtype=tf.float32)[None]
    seen = set()
    for number in range(20):
        moved, num_samples = augment.shift_time(waveform, tf.constant([100]), 10, None, SEED + number)
        shift = int(num_samples.numpy()[0]) - 100
        seen.add(np.sign(shift))
        expected = np.arange(1, 101)[max(0, -shift) :]
        np.testing.assert_array_equal(moved.numpy()[0, max(0, shift) : 100 + shift], expected)
        assert not moved.numpy()[0, : max(0, shift)].any()
    assert seen >= {-1, 1}


@pytest.mark.parametrize("num_samples", [4000, 3000, 8000])
@pytest.mark.parametrize("speed", [(1.0, 1.0), (0.8, 1.25)])
def test_a_click_is_shifted_as_far_later_as_earlier(num_samples, speed):
    """In what the front-end looks at, whether a clip fills it, is shorter or is longer."""
    num_clips, most = 500, 0.1
    change = Augmentation(time_shift=most, speed=speed)
    clip = min(num_samples, longest_clip(LOG_MEL, change))
    # A tone of the lowest level, so that the clip is known from its padding, and a click in its middle.
    waveform = np.full((num_clips, clip), 1e-3, "float32")
    waveform[:, clip // 2 - 40 : clip // 2 + 40] = 1.0
    args = tf.constant(waveform), tf.fill([num_clips], clip)
    heard, counts = augment.augment_waveform(*args, change, spec=LOG_MEL, noise=None, seed=SEED)
    still, still_counts = augment.augment_waveform(
        *args, Augmentation(speed=speed), spec=LOG_MEL, noise=None, seed=SEED
    )
    frames = Features(LOG_MEL)
    moved = click_at(frames(heard, counts)) - click_at(frames(still, still_counts))
    seconds = moved * LOG_MEL.hop_length / LOG_MEL.sample_rate
    assert abs(seconds.mean()) < 0.006
    assert seconds.min() == pytest.approx(-most, abs=0.011)
    assert seconds.max() == pytest.approx(most, abs=0.011)


def click_at(features):
    """The frame `(batch,)` of the highest energy, in dB; the padding is zero."""
    level = features.numpy().mean(-1)
    return np.where(level == 0, -np.inf, level).argmax(1)


def test_silence_surrounds_the_whole_clip():
    waveform = tf.reshape(tf.range(1, 101, dtype=tf.float32), [1, 100]) * tf.ones([200, 1])
    moved, num_samples = augment.add_silence(waveform, tf.fill([200], 80), 30, SEED)
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
    expected = augment.perturb_speed(*batch, (speed, speed), SEED)
    waveform, num_samples = change_speed(*batch, speed)
    np.testing.assert_array_equal(num_samples, expected[1])
    np.testing.assert_allclose(waveform, expected[0], atol=1e-3)


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


def test_masks_of_time_lie_within_the_clips_own_frames():
    own = np.arange(100) % 21 + 10
    features = (np.arange(30)[None, :] < own[:, None])[..., None] * np.ones(5, "float32")
    masked = augment.mask(tf.constant(features, tf.float32), 1, 7, axis=1, seed=SEED).numpy()
    blank = (features[..., 0] - masked[..., 0]).sum(1)
    # One of eight lengths is none; each other blanks as much as was drawn, and never more than half of the clip.
    assert 0.8 < (blank > 0).mean() < 0.95
    assert (blank <= own / 2).all()


def test_mixup_blends_targets_as_it_blends_features():
    features = tf.reshape(tf.range(8.0), [8, 1, 1])
    targets = tf.one_hot(tf.range(8), 8)
    mixed, mixed_targets = augment.mixup(features, targets, 0.4, SEED)
    np.testing.assert_allclose(mixed_targets.numpy().sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed.numpy()[:, 0, 0], mixed_targets.numpy() @ np.arange(8), atol=1e-5)
    assert np.any(mixed_targets.numpy().max(1) < 0.99)


def test_a_room_adds_an_echo_that_dies_away_within_its_time():
    clip = tf.one_hot([100] * 50, 4000)
    config = Augmentation(reverb=1.0, reverb_seconds=(0.1, 0.1))
    heard = augment.reverberate(clip, tf.fill([50], 4000), config, 8000, SEED).numpy()
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
    heard = augment.telephone(tones, tf.fill([3], 8000), 1.0, 16000, SEED).numpy()
    gain_db = 10 * np.log10((heard**2).mean(1) / (tones.numpy() ** 2).mean(1))
    assert gain_db[1] == pytest.approx(0, abs=0.2)
    assert max(gain_db[0], gain_db[2]) < -20


def test_no_room_and_no_telephone_leave_a_share_of_clips_alone(batch):
    many = tf.repeat(batch[0], 100, 0), tf.repeat(batch[1], 100)
    for change in (Augmentation(reverb=0.25), Augmentation(codec=0.25)):
        heard, _ = augment.augment_waveform(*many, change, spec=LOG_MEL, noise=None, seed=SEED)
        share = np.mean(np.abs(heard.numpy() - many[0]).max(1) > 1e-6)
        assert 0.1 < share < 0.4


def test_a_batch_of_which_no_clip_is_drawn_stays_as_it_is(batch):
    change = Augmentation(reverb=1e-9, codec=1e-9, noise=1e-9)
    heard, _ = augment.augment_waveform(*batch, change, spec=LOG_MEL, noise=None, seed=SEED)
    np.testing.assert_array_equal(heard, batch[0])


def test_tempo_stretches_the_clip_and_its_padding():
    ramp = tf.where(tf.range(50) < 20, tf.range(1.0, 51.0), 0.0)[None, :, None]
    quick = augment.stretch_time(ramp, (2.0, 2.0), SEED).numpy()[0, :, 0]
    np.testing.assert_allclose(quick, np.where(np.arange(50) < 10, 1 + 2 * np.arange(50), 0))
    slow = augment.stretch_time(ramp, (0.5, 0.5), SEED).numpy()[0, :, 0]
    np.testing.assert_allclose(slow, np.where(np.arange(50) < 39, 1 + 0.5 * np.arange(50), 0))


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_vtlp_moves_a_tone_by_its_factor(factor):
    """Held to the features of a tone that really has the other pitch."""
    front_end = Features(LOG_MEL, mean=[-30.0] * 40, std=[15.0] * 40)

    def tone(hertz):
        return front_end(tf.sin(2 * np.pi * hertz * tf.range(4000, dtype=tf.float32) / 8000)[None], tf.constant([3000]))

    warped = augment.warp_frequency(tone(1000.0), (factor, factor), front_end, SEED).numpy()[0]
    moved = tone(1000.0 / factor).numpy()[0]
    own = moved.any(1)
    assert not warped[~own].any()
    assert abs(int(warped[5].argmax()) - int(moved[5].argmax())) <= 1
    same = augment.warp_frequency(tone(1000.0), (1.0, 1.0), front_end, SEED)
    np.testing.assert_allclose(same, tone(1000.0), atol=1e-4)


def test_tilt_leaves_the_padding_at_zero():
    features = tf.concat([tf.ones([4, 10, 40]), tf.zeros([4, 5, 40])], 1)
    tilted = augment.tilt_spectrum(features, 6.0, (2.0,) * 40, SEED).numpy()
    assert not tilted[:, 10:].any()
    slope_db = (tilted[:, :10, -1] - tilted[:, :10, 0]) * 2
    assert np.abs(slope_db).max() <= 6
    assert len(np.unique(np.round(slope_db[:, 0], 3))) == 4


def test_an_equaliser_bends_by_the_size_asked_for_and_leaves_the_padding_at_zero():
    features = tf.concat([tf.ones([500, 2, 40]), tf.zeros([500, 1, 40])], 1)
    bent = augment.equalise(features, 3.0, (2.0,) * 40, SEED).numpy()
    assert not bent[:, 2:].any()
    curve_db = (bent[:, 0] - 1) * 2
    np.testing.assert_array_equal(bent[:, 0], bent[:, 1])
    assert curve_db.std() == pytest.approx(3, rel=0.1)
    assert np.abs(np.diff(curve_db, axis=1)).max() < 3


def test_cutmix_blends_targets_as_it_cuts_time():
    """Each clip holds its own number, so that its frames tell what its target must be."""
    numbers = tf.range(1.0, 101.0)
    features = tf.tile(numbers[:, None, None], [1, 200, 2])
    mixed, targets = augment.cutmix(features, tf.one_hot(tf.range(100), 100), 0.8, SEED)
    other = (mixed.numpy()[:, :, 0] != numbers.numpy()[:, None]).mean(1)
    np.testing.assert_allclose(targets.numpy()[np.arange(100), np.arange(100)], 1 - other, atol=0.01)
    np.testing.assert_allclose(targets.numpy()[np.arange(100), 99 - np.arange(100)], other, atol=0.01)
    assert 0.1 < (other == 0).mean() < 0.4
    assert other.max() <= 0.505


def test_decoding_stops_where_no_change_could_reach():
    assert longest_clip(LOG_MEL, None) == 4000
    assert longest_clip(LOG_MEL, Augmentation(speed=(0.9, 1.25))) == 5000
    assert longest_clip(LOG_MEL, Augmentation(time_shift=0.1)) == 4000 + 2 * 800
    assert longest_clip(LOG_MEL, Augmentation(speed=(0.9, 1.25), time_shift=0.1)) == 5000 + 2 * 1000


def test_what_is_changed_after_the_front_end_has_a_name():
    assert augment.feature_changes(EVERYTHING) == []
    after = Augmentation(vtlp=(0.9, 1.1), tilt_db=3.0, time_masks=1, cutmix=0.1)
    assert augment.feature_changes(after) == ["vtlp", "tilt_db", "time_masks", "cutmix"]


def test_features_changes_keep_shape_and_type(batch):
    front_end = Features(LOG_MEL)
    config = Augmentation(
        tempo=(0.8, 1.2),
        vtlp=(0.9, 1.1),
        tilt_db=6.0,
        eq_db=3.0,
        time_masks=2,
        frequency_masks=2,
        mixup=0.3,
        cutmix=0.5,
    )
    features = front_end(*batch)
    targets = tf.one_hot([0, 1], 2)
    changed, mixed = augment.augment_features(features, targets, config, front_end=front_end, seed=SEED)
    assert changed.shape == features.shape
    assert changed.dtype == features.dtype
    assert mixed.shape == targets.shape
    assert np.isfinite(changed.numpy()).all()
