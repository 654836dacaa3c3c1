"""Pieces of words: SentencePiece's, and split and joined as SentencePiece does it."""

import math

import numpy as np
import pytest
from _errors import raises

from kerasr.core.extras import EXTRAS
from kerasr.text import Vocabulary, normalise

DIGITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "fourteen", "sixteen", "seventeen", "eighty"]
SYLLABLES = ["ba", "ab", "aba", "é", "ß", "中文", "文", "हि", "न्दी", "don't", "7"]


def sentences(parts, most):
    """Two hundred texts of up to seven words, each of up to so many parts."""
    rng = np.random.default_rng(0)
    words = (["".join(rng.choice(parts, rng.integers(1, 1 + most))) for _ in range(size)] for size in range(1, 8))
    return [normalise(" ".join(rng.choice(some, 1 + number % len(some)))) for number, some in enumerate([*words] * 30)]


TEXTS = {"digits": sentences(DIGITS, 1), "scripts": sentences(SYLLABLES, 3)}


@pytest.fixture
def library():
    """The extra; without it there is nothing to test but that it is asked for."""
    return pytest.importorskip("sentencepiece")


@pytest.mark.parametrize("texts", TEXTS)
@pytest.mark.parametrize("size", [32, 64, 128])
def test_texts_are_split_and_joined_as_by_sentencepiece(library, monkeypatch, texts, size):
    opened, texts = [], TEXTS[texts]

    def open_model(model_proto):
        opened.append(processor(model_proto=model_proto))
        return opened[-1]

    processor = library.SentencePieceProcessor
    monkeypatch.setattr(library, "SentencePieceProcessor", open_model)
    pieces = Vocabulary.of(texts, "pieces", size=size)
    assert len(pieces) <= size
    assert str(pieces) == f"{len(pieces)} pieces"
    for text in (*texts, *(text[1:-1].strip() for text in texts), ""):
        found = pieces.encode(text)
        assert found == opened[0].encode(text)
        assert pieces.decode(found) == opened[0].decode(found) == text
        assert 0 not in found
    # They are the same of the same texts, and in whichever process.
    assert Vocabulary.of(texts, "pieces", size=size) == pieces == Vocabulary(pieces.tokens, pieces.scores)


@pytest.mark.usefixtures("library")
def test_each_character_is_a_piece_and_others_are_named():
    pieces = Vocabulary.of(["ab ab", "a b", "abba"], "pieces", size=9)
    assert {" ", "a", "b"} < {*pieces.tokens}
    assert not any(" " in token[1:] for token in pieces.tokens)
    assert pieces.unknown("abx zab") == ["x", "z"]
    assert "".join(pieces.split("abx zab")) == " abx zab"
    with raises("text-unwritable", "'x', 'z'"):
        pieces.encode("abx zab")
    assert pieces.decode([pieces.encode("a")[0], 0, 0]) == "a"
    with raises("text-missing"):
        Vocabulary.of(["", " "], "pieces", size=9)
    # As many as there are characters are these.
    assert {*Vocabulary.of(["ab ab", "a b", "abba"], "pieces", size=3).tokens} == {" ", "a", "b"}
    with raises("setting-out-of-range", "--vocabulary-size 2"):
        Vocabulary.of(["ab ab", "a b", "abba"], "pieces", size=2)


@pytest.mark.parametrize("text", ["", "a", "ab", "ab a", "ba aab"])
def test_the_ways_through_a_text_are_its_splits(text):
    pieces = Vocabulary((" ", "a", "b", " a", "ab"), (-1.0,) * 5)

    def ways(place):
        if place == len(text) + bool(text):
            return [()]
        return [(arc.token, *rest) for arc in pieces.arcs(text) if arc.start == place for rest in ways(arc.end)]

    found = ways(0)
    assert len({*found}) == len(found)
    assert tuple(pieces.encode(text)) in found
    assert {pieces.decode(way) for way in found} == {text}


@pytest.mark.parametrize("scores", [(), (-1.0,), (-1.0, -2.0, math.nan), (-1.0, -math.inf, -2.0), (-1.0, -2.0, -1e300)])
def test_scores_are_of_the_pieces(scores):
    with pytest.raises(ValueError, match="3 pieces"):
        Vocabulary((" ", "a", "ab"), scores)
    with pytest.raises(ValueError, match="3 pieces"):
        # There is no b alone.
        Vocabulary((" ", "a", "ab"), (-1.0, -2.0, -3.0))


def test_the_extra_is_named_where_it_is_not_there(monkeypatch):
    monkeypatch.setitem(EXTRAS, "pieces", EXTRAS["pieces"].__class__("pieces", ("no_such_package",)))
    with raises("package-not-found", "--vocabulary pieces"):
        Vocabulary.of(["a"], "pieces", size=9)
