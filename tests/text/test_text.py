"""Transcripts: written one way, and as numbers."""

import pytest
from _errors import raises

from kerasr.text import Vocabulary, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Hello,   WORLD!\n", "hello world"),
        ("Don\u2019t -- 'tis the boys' dog", "don't tis the boys dog"),
        ("it's 7:30", "it's 7 30"),
        ("Cafe\u0301 \ufb01ne", "caf\u00e9 fine"),
        ("STRASSE Stra\u00dfe", "strasse strasse"),
        (
            "\u092e\u0941\u091d\u0947 \u0939\u093f\u0928\u094d\u0926\u0940",
            "\u092e\u0941\u091d\u0947 \u0939\u093f\u0928\u094d\u0926\u0940",
        ),
        ("...", ""),
        ("", ""),
    ],
)
def test_words_are_written_one_way(text, expected):
    assert normalise(text) == expected
    assert normalise(expected) == expected


def test_a_vocabulary_writes_what_it_was_made_of():
    words = Vocabulary.of(["ab a", "c'd"])
    assert words.tokens == (" ", "'", "a", "b", "c", "d")
    for text in ("ab a", "c'd", "", "dad"):
        assert words.decode(words.encode(text)) == text
        assert 0 not in words.encode(text)
    assert words.decode([0, 3, 0]) == "a"
    assert words == Vocabulary(words.tokens)


def test_a_vocabulary_of_words_writes_what_it_was_made_of():
    words = Vocabulary.of(["ab a", "c'd ab"], "words")
    assert words.tokens == (" a", " ab", " c'd")
    assert words.space is None
    for text in ("ab a", "c'd", "", "a a a"):
        assert words.decode(words.encode(text)) == text
        assert len(words.encode(text)) == len(text.split())
    assert (words.decode([0, 2, 0]), str(words)) == ("ab", "3 words")
    # What tells it from one of characters are the tokens alone.
    assert words == Vocabulary(words.tokens)
    with raises("text-unwritable", "'d', 'x'"):
        words.encode("a x d x")
    with raises("text-missing"):
        Vocabulary.of(["", " "], "words")


def test_what_it_cannot_write_is_named():
    with raises("text-unwritable", "'x', 'z'"):
        Vocabulary.of(["ab"]).encode("a zx")
    with raises("text-missing"):
        Vocabulary.of(["", " "])
