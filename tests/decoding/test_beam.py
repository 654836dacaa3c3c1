"""Beam search: what an enumeration of all paths finds, with and without a language model and a list of words."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest

from kerasr.decoding.beam import BeamDecoder, BeamOptions
from kerasr.decoding.greedy import collapse
from kerasr.decoding.kneser_ney import estimate_ngrams
from kerasr.text import Vocabulary

VOCABULARY = Vocabulary((" ", "a", "b"))
WORDS = Vocabulary((" ab", " a", " b"))
# A word may be said in several ways, in the first of which two tokens may be the same.
PIECES = Vocabulary((" a", "b", "a", "ab", " "), (-1.0, -1.5, -2.0, -2.5, -3.0))
WIDE = BeamOptions(beam=10_000, lm_weight=0.7, word_bonus=0.4, least_prob=1e-12)


def enumerate_texts(probs, vocabulary=VOCABULARY):
    """The probability of each text, of all paths through a few frames."""
    found = defaultdict(float)
    for path in itertools.product(range(probs.shape[1]), repeat=len(probs)):
        text = vocabulary.decode(collapse(np.array(path)))
        found[text] += math.prod(probs[frame, token] for frame, token in enumerate(path))
    return found


def is_text(text):
    """Words with one space between them; the search ends a text with a space as it ends it without."""
    return not text.startswith(" ") and "  " not in text


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("vocabulary", [VOCABULARY, WORDS, PIECES], ids=str)
def test_it_finds_what_an_enumeration_of_all_paths_finds(vocabulary, seed, order, closed):
    probs = np.random.default_rng(seed).dirichlet(
        np.full(1 + len(vocabulary), 0.7), size=5 if vocabulary is PIECES else 7
    )
    model = estimate_ngrams([["ab", "a"], ["b", "ab"], ["a", "b", "ab"]], order) if order else None
    words = None if not closed else {"a", "ab"} if vocabulary is WORDS else {"a", "ab", "b"}
    scores = defaultdict(lambda: -math.inf)
    for text, prob in enumerate_texts(probs, vocabulary).items():
        said = text.split()
        if not is_text(text) or (closed and not {*said} <= words):
            continue
        score = math.log(prob) + WIDE.word_bonus * len(said)
        if model:
            score += WIDE.lm_weight * math.log(10) * model.sentence_log_prob(said)
        # With a space at its end it is a prefix of its own, whose paths are counted apart.
        scores[text] = score
    expected = max(scores, key=scores.__getitem__).strip()
    assert BeamDecoder(vocabulary, model, words, WIDE).decode(probs) == expected


def test_a_clip_sees_neither_the_padding_nor_those_before_it(rng):
    decoder = BeamDecoder(VOCABULARY, estimate_ngrams([["ab", "a"], ["b"]], 2))
    probs = rng.dirichlet(np.full(4, 0.5), size=(5, 12))
    found = [decoder.decode(one) for one in probs]
    assert [decoder.decode(one) for one in probs[::-1]] == found[::-1]
    blank = np.zeros((6, 4))
    blank[:, 0] = 1
    assert [decoder.decode(np.concatenate([one, blank])) for one in probs] == found


def test_nothing_is_said_where_no_word_can_be():
    blank = np.zeros((4, 4), np.float32)
    blank[:, 0] = 1
    assert BeamDecoder(VOCABULARY).decode(blank) == ""
    assert BeamDecoder(VOCABULARY).decode(blank[:0]) == ""
    said = np.zeros((2, 4), np.float32)
    said[:, 2] = 1
    assert BeamDecoder(VOCABULARY).decode(said) == "a"
    assert BeamDecoder(VOCABULARY, words=["bb"]).decode(said) == ""


@pytest.mark.parametrize("vocabulary", [VOCABULARY, PIECES], ids=str)
def test_hot_words_are_what_an_enumeration_of_all_paths_finds(rng, vocabulary):
    """Each adds its bonus where it is said whole, and nothing where it is only begun."""
    options = BeamOptions(beam=10_000, word_bonus=0.4, hot_word_bonus=3.0, least_prob=1e-12)
    for probs in rng.dirichlet(np.full(1 + len(vocabulary), 0.7), size=(4, 5)):
        scores = {}
        for text, prob in enumerate_texts(probs, vocabulary).items():
            if is_text(text):
                scores[text] = math.log(prob) + sum(3.4 if word == "ab" else 0.4 for word in text.split())
        found = BeamDecoder(vocabulary, options=options, hot_words=["ab"]).decode(probs)
        assert found == max(scores, key=scores.__getitem__).strip()


def test_hot_words_that_are_tokens_have_their_bonus(rng):
    options = BeamOptions(beam=10_000, word_bonus=0.4, hot_word_bonus=3.0, least_prob=1e-12)
    for probs in rng.dirichlet(np.full(4, 0.7), size=(4, 6)):
        texts = enumerate_texts(probs, WORDS)
        scores = {
            text: math.log(prob) + sum(3.4 if word == "ab" else 0.4 for word in text.split())
            for text, prob in texts.items()
        }
        found = BeamDecoder(WORDS, options=options, hot_words=["ab"]).decode(probs)
        assert found == max(scores, key=scores.__getitem__)


def test_a_hot_word_is_found_by_a_narrow_beam_beside_a_language_model_and_a_closed_list():
    """It is in neither; the padding behind it and the clips before it change nothing."""
    said = np.full((3, 4), 0.01)
    said[range(3), [2, 3, 3]] = 0.4
    said[range(3), [3, 0, 2]] = 0.57
    model = estimate_ngrams([["bba", "a"], ["ba"]], 2)
    for words in (None, {"ba", "a"}):
        for lm in (None, model):
            options = BeamOptions(beam=2, hot_word_bonus=6.0)
            plain = BeamDecoder(VOCABULARY, lm, words, options)
            hot = BeamDecoder(VOCABULARY, lm, words, options, ["abb", "ab"])
            assert plain.decode(said) != "ab"
            assert hot.decode(said) == "ab"
            assert hot.decode(np.concatenate([said, np.eye(4)[[0, 0]]])) == "ab"
            assert hot.with_options(options).decode(said) == "ab"
