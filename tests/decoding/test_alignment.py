"""Forced alignment: what an enumeration of all paths finds, and the times of words that follow from it."""

import itertools
import math

import numpy as np
import pytest

from kerasr.config import FeatureSpec
from kerasr.decoding.alignment import Alignment, FrameTimes, Word, align
from kerasr.decoding.greedy import collapse
from kerasr.text import Vocabulary

VOCABULARY = Vocabulary((" ", "a", "b"))


def enumerate_paths(probs, token_ids):
    """The likeliest path that says the tokens, of all there are; None where there is none."""
    paths = itertools.product(range(probs.shape[1]), repeat=len(probs))
    saying = [path for path in paths if collapse(np.array(path)) == list(token_ids)]
    return max(saying, key=lambda path: math.prod(probs[range(len(path)), path]), default=None)


def places(path):
    """Of a path of outputs, the number of the token that each frame says; -1 for the blank."""
    number, before, found = -1, 0, []
    for output in path:
        number += output not in (0, before)
        found.append(number if output else -1)
        before = output
    return found


@pytest.mark.parametrize("token_ids", [(), (1,), (2, 2), (1, 2, 1), (2, 2, 2), (1, 2, 2, 1), (1, 1, 1, 1)])
def test_it_finds_what_an_enumeration_of_all_paths_finds(rng, token_ids):
    for frames in range(8):
        for probs in rng.dirichlet(np.full(3, 0.7), size=(3, frames)):
            best = enumerate_paths(probs, token_ids)
            if best is None:
                with pytest.raises(ValueError, match=f"{len(token_ids)} tokens"):
                    align(probs, token_ids)
            else:
                assert align(probs, token_ids).tolist() == places(best)


@pytest.mark.parametrize("text", ["a", "aa", "ab a", "b aab"])
def test_of_pieces_it_is_the_likeliest_path_of_all_that_say_the_text(rng, text):
    pieces = Vocabulary(("b", "a", " a", "ab", " "), (-1.0,) * 5)
    for probs in rng.dirichlet(np.full(6, 0.5), size=(3, 5)):
        paths = itertools.product(range(6), repeat=len(probs))
        saying = [path for path in paths if pieces.decode(collapse(np.array(path))) == text]
        found = Alignment.of(probs, text, pieces, FrameTimes())
        best = max(saying, key=lambda path: math.prod(probs[range(len(path)), path]))
        assert found.path.tolist() == places(best)
        assert list(found.token_ids) == collapse(np.array(best))
        assert [word.text for word in found.words] == text.split()
    assert Alignment.of(probs, "", pieces, FrameTimes()).words == ()
    with pytest.raises(ValueError, match="tokens"):
        Alignment.of(probs, "c", pieces, FrameTimes())
    with pytest.raises(ValueError, match="tokens"):
        Alignment.of(probs, "b b b b", pieces, FrameTimes())


def test_a_greedy_text_lies_on_its_own_path(rng):
    """Of a long one, too, whose path is found in blocks."""
    probs = rng.dirichlet(np.full(5, 0.2), size=700)
    path = probs.argmax(-1)
    assert align(probs, collapse(path)).tolist() == places(path)


def test_padding_takes_no_token(rng):
    probs = rng.dirichlet(np.full(4, 0.5), size=12).astype(np.float32)
    padding = np.zeros((6, 4), np.float32)
    padding[:, 0] = 1
    token_ids = collapse(probs.argmax(-1))
    assert align(np.concatenate([probs, padding]), token_ids).tolist() == [*align(probs, token_ids), *[-1] * 6]


@pytest.mark.parametrize(("center", "first"), [(False, 0.016), (True, 0.0)])
def test_an_output_stands_for_the_time_about_the_middle_of_its_window(center, first):
    times = FrameTimes.of(FeatureSpec(center=center), stride=4)
    assert (times.first, times.step) == pytest.approx((first, 0.04))
    assert times.span(5, 6) == pytest.approx((first + 0.18, first + 0.26))
    assert times.span(0, 0)[0] == 0


def test_words_have_their_times_and_the_probabilities_of_their_tokens():
    path = [0, 2, 2, 0, 3, 0, 1, 1, 0, 3, 3, 0, 3]
    probs = np.full((len(path), 4), 0.05)
    sure = np.array([0.7, 0.6, 0.9, 0.7, 0.8, 0.7, 0.9, 0.8, 0.9, 0.5, 0.6, 0.9, 0.7])
    probs[range(len(path)), path] = sure
    found = Alignment.of(probs, "ab bb", VOCABULARY, FrameTimes(0.1, 0.2)).words
    assert [word.text for word in found] == ["ab", "bb"]
    for word, expected in zip(found, [(0.2, 1.0, (0.9 * 0.8) ** 0.5), (1.8, 2.6, (0.6 * 0.7) ** 0.5)], strict=True):
        assert (word.start, word.end, word.confidence) == pytest.approx(expected)
    assert Alignment.of(probs, "", VOCABULARY, FrameTimes()).words == ()
    assert Word("bb", 1.5, 2.5, 0.4).moved(10.0, 12.25) == Word("bb", 11.5, 12.25, 0.4)
