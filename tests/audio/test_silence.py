"""Where the sound begins and ends: librosa's answer for frames, and the very samples for single ones."""

import librosa
import numpy as np
import pytest

from kerasr.audio.silence import find_sound


@pytest.mark.parametrize("size", [100, 512, 8000, 8191])
@pytest.mark.parametrize("below_db", [20, 30, 60])
def test_frames_are_those_that_librosa_finds(rng, size, below_db):
    envelope = np.exp(-np.square((np.arange(size) - size * rng.uniform(0.2, 0.8)) / (0.1 * size)))
    waveform = (0.3 * envelope * rng.normal(size=size) + 1e-3 * rng.normal(size=size)).astype("float32")
    for frame_length, hop_length in ((512, 128), (256, 256), (63, 7)):
        _, expected = librosa.effects.trim(waveform, top_db=below_db, frame_length=frame_length, hop_length=hop_length)
        found = find_sound(waveform, below_db, frame_length=frame_length, hop_length=hop_length)
        assert found == tuple(expected)


def test_single_samples_of_whole_numbers_are_exact():
    samples = np.array([0, 1, -1, 2, 0, -100, 100, 1, -2, 1, 0], np.int16)
    assert find_sound(samples, 40) == (3, 9)
    assert find_sound(np.array([-32768, 0], np.int16), 40) == (0, 1)


@pytest.mark.parametrize("frame_length", [1, 512])
def test_there_is_no_sound_in_zeros(frame_length):
    for size in (0, 1, 1000):
        assert find_sound(np.zeros(size, np.float32), 40, frame_length=frame_length) == (0, 0)
