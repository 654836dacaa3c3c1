"""The middle of a longer recording is on one sample, whoever cuts it."""

import numpy as np
import pytest
import tensorflow as tf

from kerasr.audio.crop import crop_middle
from kerasr.audio.features import middle_start
from kerasr.data.augment.waveform import shift_time


@pytest.mark.parametrize("length", [1, 9, 10, 11, 12, 13, 100])
def test_the_middle_is_the_same_in_numpy_the_front_end_and_the_augmentation(length):
    waveform = np.arange(1.0, length + 1, dtype="float32")
    expected = crop_middle(waveform, 10)
    assert len(expected) == min(length, 10)
    start = int(middle_start(np.array([length], "int32"), 10)[0])
    np.testing.assert_array_equal(waveform[start : start + 10], expected)
    still, _ = shift_time(tf.constant(waveform[None]), tf.constant([length]), 0, 10, tf.constant([1, 2], tf.int64))
    np.testing.assert_array_equal(still[0], expected)


def test_frames_are_cropped_by_time():
    frames = np.arange(24.0).reshape(6, 4)
    np.testing.assert_array_equal(crop_middle(frames, 3), frames[1:4])
