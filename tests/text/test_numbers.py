"""Numbers in texts, as they are said."""

import numpy as np
import pytest
from _errors import raises

from kerasr import audio
from kerasr.core.extras import EXTRAS
from kerasr.data.corpora.load import load_corpus
from kerasr.text import normalise
from kerasr.text.numbers import spell_numbers


@pytest.fixture
def library():
    """The extra; without it there is nothing to test but that it is asked for."""
    return pytest.importorskip("num2words")


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "It's 7:30, the 21st.", "it's seven thirty the twenty first"),
        ("en", "1,234.5 of 1,2,3", "one thousand two hundred and thirty four point five of one two three"),
        ("en", "mp3, 007", "mp three zero zero seven"),
        ("en", "9" * 16, " ".join(["nine"] * 16)),
        ("de", "1.234,5 am 3. Mai", "eintausendzweihundertvierunddreissig komma fünf am drei mai"),
        ("fr", "80", "quatre vingts"),
        ("en", "No number.", "no number"),
        ("en", "", ""),
    ],
)
def test_numbers_are_words_of_their_language(language, text, expected):
    assert normalise(spell_numbers(text, language)) == expected


@pytest.mark.usefixtures("library")
def test_texts_beside_recordings_are_spelt_where_that_is_asked_for(tmp_path):
    audio.write(tmp_path / "1.wav", 0.1 * np.sin(np.arange(8000)), 8000)
    (tmp_path / "1.txt").write_text("Gate 12.\n")
    assert [item.text for item in load_corpus(str(tmp_path), min_labels=0).utterances] == ["Gate 12."]
    found = load_corpus(str(tmp_path), min_labels=0, numbers="en").utterances
    assert [normalise(item.text) for item in found] == ["gate twelve"]
    with raises("language-not-found", "xx"):
        load_corpus(str(tmp_path), min_labels=0, numbers="xx")


def test_the_extra_is_named_where_it_is_not_there(monkeypatch):
    monkeypatch.setitem(EXTRAS, "numbers", EXTRAS["numbers"].__class__("numbers", ("no_such_package",)))
    with raises("package-not-found", "--spell-numbers en"):
        spell_numbers("3", "en")
