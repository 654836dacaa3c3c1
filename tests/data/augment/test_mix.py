"""What blends clips blends their targets alike."""

import numpy as np
import tensorflow as tf
from _augment import SEED

from kerasr.data.augment.mix import cutmix, mixup


def test_mixup_blends_targets_as_it_blends_features():
    features = tf.reshape(tf.range(8.0), [8, 1, 1])
    targets = tf.one_hot(tf.range(8), 8)
    mixed, mixed_targets = mixup(features, targets, 0.4, SEED)
    np.testing.assert_allclose(mixed_targets.numpy().sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed.numpy()[:, 0, 0], mixed_targets.numpy() @ np.arange(8), atol=1e-5)
    assert np.any(mixed_targets.numpy().max(1) < 0.99)


def test_cutmix_blends_targets_as_it_cuts_time():
    """Each clip holds its own number, so that its frames tell what its target must be."""
    numbers = tf.range(1.0, 101.0)
    features = tf.tile(numbers[:, None, None], [1, 200, 2])
    mixed, targets = cutmix(features, tf.one_hot(tf.range(100), 100), 0.8, SEED)
    other = (mixed.numpy()[:, :, 0] != numbers.numpy()[:, None]).mean(1)
    np.testing.assert_allclose(targets.numpy()[np.arange(100), np.arange(100)], 1 - other, atol=0.01)
    np.testing.assert_allclose(targets.numpy()[np.arange(100), 99 - np.arange(100)], other, atol=0.01)
    assert 0.1 < (other == 0).mean() < 0.4
    assert other.max() <= 0.505
