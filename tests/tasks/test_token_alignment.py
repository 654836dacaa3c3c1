"""Tones as letters: each is found where it sounds, and a text of other letters is told."""

import keras
import numpy as np
import pytest

from kerasr.models.synthesis.token_means import NUM_STATES
from kerasr.tasks.token_alignment import Aligner, Spoken, find_speech

NUM_BANDS, SILENCE, LETTERS = 6, 1, (2, 3, 4, 5)


def spoken(rng, letters):
    """Frames of a recording of letters, each loud in a band of its own, with silence around them; and their lengths."""
    token_ids = [SILENCE, *letters, SILENCE]
    lengths = [rng.integers(8, 14), *rng.integers(3, 9, len(letters)), rng.integers(8, 14)]
    bands = np.repeat(token_ids, lengths)
    energies = np.where(np.arange(NUM_BANDS) == bands[:, None], 2.0, 0.0) * (bands != SILENCE)[:, None] - 1
    return Spoken((energies + 0.1 * rng.normal(size=energies.shape)).astype("float32"), np.array(token_ids)), lengths


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    return [spoken(rng, rng.permutation(LETTERS)) for _ in range(32)]


@pytest.fixture(scope="module")
def aligner(texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kerasr.tasks.token_alignment.STEPS", 120)
        patch.setattr("kerasr.tasks.token_alignment.FLAT_STEPS", 30)
        found = Aligner(max(LETTERS), NUM_BANDS)
        found.fit([clip for clip, _ in texts])
    return found


def test_tokens_are_found_where_they_sound(aligner, texts):
    for (frames, _), (_, lengths) in zip(aligner.durations([clip for clip, _ in texts]), texts, strict=True):
        assert np.abs(np.cumsum(frames) - np.cumsum(lengths)).max() <= NUM_STATES


def test_the_weights_to_begin_with_are_of_the_seed_alone(texts):
    clip, _ = texts[0]

    def distance(state, seed):
        keras.utils.set_random_seed(state)
        return Aligner(max(LETTERS), NUM_BANDS, seed=seed).durations([clip])[0][1]

    assert distance(1, 0) == distance(2, 0) != distance(1, 3)


def test_another_text_is_further_away(aligner, texts):
    clips = [clip for clip, _ in texts]
    others = [Spoken(clip.energies, other.token_ids) for clip, other in zip(clips, clips[1:] + clips[:1], strict=True)]
    own, far = ([distance for _, distance in aligner.durations(some)] for some in (clips, others))
    differs = [not np.array_equal(one.token_ids, other.token_ids) for one, other in zip(clips, others, strict=True)]
    assert all(one < other for one, other, may in zip(own, far, differs, strict=True) if may)


def test_a_clip_does_not_see_its_batch(aligner, texts):
    clips = [clip for clip, _ in texts[:3]]
    for (together, _), clip in zip(aligner.durations(clips), clips, strict=True):
        np.testing.assert_array_equal(together, aligner.durations([clip])[0][0])


def test_speech_is_where_it_is_loud(texts):
    for clip, lengths in texts:
        start, end = find_speech(clip.energies)
        assert abs(start - lengths[0]) <= 2
        assert abs(len(clip.energies) - end - lengths[-1]) <= 2
