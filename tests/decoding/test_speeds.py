"""Transcripts of a clip at several speeds: CTC's likelihood, and the outputs that are taken."""

import keras
import numpy as np
import pytest

from kerasr.decoding.alignment import FrameTimes
from kerasr.decoding.greedy import collapse
from kerasr.decoding.speeds import choose_speed, log_likelihood
from kerasr.layers.ctc import ctc_loss

TIMES = FrameTimes(first=0.01, step=0.04)


def spoken(path, sure=6.0):
    """Logits of a path, as sure of each frame."""
    return sure * np.eye(4, dtype=np.float32)[list(path)]


@pytest.mark.parametrize("token_ids", [(), (2,), (1, 1, 3), (1, 2, 1, 2, 3)])
def test_the_likelihood_is_that_of_the_loss(rng, token_ids):
    logits = rng.standard_normal((9, 4)).astype(np.float32)
    log_probs = np.asarray(keras.ops.log_softmax(logits), np.float64)
    (loss,) = np.asarray(ctc_loss(logits[None], np.array([[*token_ids, 0]]), np.array([len(token_ids)])))
    assert log_likelihood(log_probs, token_ids) == pytest.approx(-loss, abs=1e-4)


def test_what_has_no_room_is_impossible(rng):
    log_probs = np.log(np.full((3, 4), 0.25))
    assert log_likelihood(log_probs, (1, 1)) == pytest.approx(np.log(1 / 64))
    assert log_likelihood(log_probs, (1, 1, 2)) == -np.inf


def test_where_all_speeds_agree_the_clip_is_as_it_was():
    own = spoken([0, 1, 1, 0, 2, 0])
    assert choose_speed({1.0: own, 0.5: spoken([0, 0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 0])}, TIMES) is own


def test_two_that_are_sure_are_worth_more_than_one():
    own = spoken([0, 1, 0, 3, 0, 0, 0, 0], sure=2.0)
    slower = spoken([0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0], sure=5.0)
    faster = spoken([0, 1, 0, 2, 0], sure=5.0)
    found = choose_speed({1.0: own, 1 / 1.5: slower, 1.6: faster}, TIMES)
    assert len(found) == len(own)
    assert collapse(found.argmax(-1)) == [1, 2]


def test_one_that_is_not_sure_gives_way():
    own = spoken([0, 1, 0, 3, 0, 0, 0, 0], sure=5.0)
    found = choose_speed({1.0: own, 1.6: spoken([0, 1, 0, 2, 0], sure=0.5)}, TIMES)
    assert collapse(found.argmax(-1)) == [1, 3]


@pytest.mark.parametrize("speed", [0.5, 0.8, 0.9, 1.12, 1.25, 2.0])
def test_the_outputs_are_at_the_clips_own_times(speed):
    """A token in the middle of a clip of 40 frames stays there, though it has one frame alone."""
    frames = round(40 / speed)
    path = np.zeros(frames, int)
    path[frames // 2] = 2
    own = spoken(np.zeros(40, int), sure=0.1)
    found = choose_speed({1.0: own, speed: spoken(path)}, TIMES)
    said = np.flatnonzero(found.argmax(-1) == 2)
    assert collapse(found.argmax(-1)) == [2]
    assert abs(said.mean() - 20) <= 1


def test_what_would_fall_on_one_frame_is_not_taken():
    own, crowded = spoken([0, 1, 0, 0], sure=0.5), spoken([0, 0, 0, 1, 2, 0, 0, 0])
    assert collapse(choose_speed({1.0: own, 0.5: crowded}, FrameTimes(0.0, 1.0)).argmax(-1)) == [1]
