"""All changes in their order: they follow the seed, and keep the padding silent."""

import numpy as np
import pytest
import tensorflow as tf
from _augment import EVERYTHING, LOG_MEL, SEED, two_clips

from kerasr.audio.features import Features
from kerasr.config import Augmentation
from kerasr.data.augment.chain import augment_features, augment_waveform, feature_changes
from kerasr.data.clips import longest_clip


@pytest.fixture
def batch(rng):
    return two_clips(rng)


def apply(batch, seed, config=EVERYTHING):
    waveform, num_samples = augment_waveform(*batch, config, spec=LOG_MEL, noise=None, seed=seed)
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
    heard, counts = augment_waveform(*args, change, spec=LOG_MEL, noise=None, seed=SEED)
    still, still_counts = augment_waveform(*args, Augmentation(speed=speed), spec=LOG_MEL, noise=None, seed=SEED)
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


def test_no_room_and_no_telephone_leave_a_share_of_clips_alone(batch):
    many = tf.repeat(batch[0], 100, 0), tf.repeat(batch[1], 100)
    for change in (Augmentation(reverb=0.25), Augmentation(codec=0.25)):
        heard, _ = augment_waveform(*many, change, spec=LOG_MEL, noise=None, seed=SEED)
        share = np.mean(np.abs(heard.numpy() - many[0]).max(1) > 1e-6)
        assert 0.1 < share < 0.4


def test_a_batch_of_which_no_clip_is_drawn_stays_as_it_is(batch):
    change = Augmentation(reverb=1e-9, codec=1e-9, noise=1e-9)
    heard, _ = augment_waveform(*batch, change, spec=LOG_MEL, noise=None, seed=SEED)
    np.testing.assert_array_equal(heard, batch[0])


def test_decoding_stops_where_no_change_could_reach():
    assert longest_clip(LOG_MEL, None) == 4000
    assert longest_clip(LOG_MEL, Augmentation(speed=(0.9, 1.25))) == 5000
    assert longest_clip(LOG_MEL, Augmentation(time_shift=0.1)) == 4000 + 2 * 800
    assert longest_clip(LOG_MEL, Augmentation(speed=(0.9, 1.25), time_shift=0.1)) == 5000 + 2 * 1000


def test_what_is_changed_after_the_front_end_has_a_name():
    assert feature_changes(EVERYTHING) == []
    after = Augmentation(vtlp=(0.9, 1.1), tilt_db=3.0, time_masks=1, cutmix=0.1)
    assert feature_changes(after) == ["vtlp", "tilt_db", "time_masks", "cutmix"]


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
    changed, mixed = augment_features(features, targets, config, front_end=front_end, seed=SEED)
    assert changed.shape == features.shape
    assert changed.dtype == features.dtype
    assert mixed.shape == targets.shape
    assert np.isfinite(changed.numpy()).all()
