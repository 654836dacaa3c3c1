"""Phonemes in place of letters: how texts are said, by a process of its own."""
# (The phonetic alphabet looks like others.)
# ruff: noqa: RUF001

import importlib.util

import pytest
from _errors import raises

from kerasr.core.extras import EXTRAS
from kerasr.text import normalise, phonemes
from kerasr.text.phonemes import phonemize

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason='espeakng-loader is missing: pip install -e ".[voices]"'
)


@needs_espeak
@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en-us", "place green by b nine again", "plˈeɪs ɡɹˈiːn baɪ bˈiː nˈaɪn ɐɡˈɛn"),
        ("en_US", "the café of the end", "ðə kæfˈeɪ ʌvðɪ ˈɛnd"),
        ("de", "zwölf boxkämpfer", "tsvˈœlf bˈɔkskɛmpfɜ"),
        ("en", "", ""),
    ],
)
def test_texts_are_said_as_their_language_has_it(language, text, expected):
    said = phonemize(text, language)
    assert said == expected
    # What is compared, and looked for in a vocabulary, stays as it is.
    assert normalise(said) == said


@needs_espeak
def test_an_unknown_language_names_the_others():
    with raises("language-not-found", match="en-us"):
        phonemize("word", "xx")


@needs_espeak
def test_a_process_that_ends_is_told():
    speller = phonemes._Phonemizer("en")
    speller._child.kill()
    speller._child.wait()
    with raises("voice-failed"):
        speller("word")


def test_the_extra_is_named_where_it_is_not_there(monkeypatch):
    monkeypatch.setitem(EXTRAS, "voices", EXTRAS["voices"].__class__("voices", ("no_such_package",)))
    with raises("package-not-found", "--phonemes en"):
        phonemes._Phonemizer("en")
