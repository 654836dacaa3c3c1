"""Texts as they are read aloud: what is handed to the library, and what it makes of that where it is installed."""

import sys
from types import ModuleType

import pytest
from _errors import raises

from kerasr.core.extras import EXTRAS
from kerasr.text.verbalization import verbalize


@pytest.fixture
def heard(monkeypatch, tmp_path):
    """What a stand-in for the library has been asked, which says of everything that it was heard."""
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "__init__.py").write_text("")
    heard = []

    class Normalizer:
        def __init__(self, **_):
            pass

        def normalize(self, text):
            heard.append(text)
            return f"<{text}>"

    name = EXTRAS["verbalize"].modules[0]
    package, module = ModuleType(f"{name}.text_normalization"), ModuleType(f"{name}.text_normalization.normalize")
    package.__path__, module.Normalizer = [str(tmp_path)], Normalizer
    monkeypatch.setitem(EXTRAS, "verbalize", EXTRAS["verbalize"].__class__("verbalize", ("json",)))
    for made in (ModuleType(name), package, module):
        monkeypatch.setitem(sys.modules, made.__name__, made)
    return heard


def test_only_what_may_be_said_otherwise_is_handed_on(heard, tmp_path):
    text = "Well, it isn't! Then Mr. Darcy left.\nOn 3 May; for £5"
    assert verbalize(text, "EN ", str(tmp_path)) == "Well, it isn't! <Then Mr.> <Darcy left.> <On 3 May;> <for £5>"
    assert verbalize("", "en", str(tmp_path)) == ""
    # What nobody cuts into sentences is cut between words.
    verbalize("5 " * 600, "en", str(tmp_path))
    assert max(map(len, heard)) <= 500


def test_languages_are_those_of_the_library(heard, tmp_path):
    with raises("language-not-found", "xx"):
        verbalize("5", "xx", str(tmp_path))


def test_the_extra_is_named_where_it_is_not_there(monkeypatch):
    monkeypatch.setitem(EXTRAS, "verbalize", EXTRAS["verbalize"].__class__("verbalize", ("no_such_package",)))
    with raises("package-not-found", "--verbalize en"):
        verbalize("5", "en")


@pytest.mark.full
def test_a_text_is_read_aloud(tmp_path):
    pytest.importorskip("nemo_text_processing", reason="the extra verbalize is not installed")
    found = verbalize("Mrs. Bennet paid £1,200.50 to Dr. Jones on 3 May 1984 at 5:30.", "en", str(tmp_path))
    assert found == (
        "misses Bennet paid one thousand two hundred pounds fifty pence to doctor Jones on the third of may nineteen "
        "eighty four at five thirty."
    )
    assert verbalize('"No." It was the 1990s.', "en", str(tmp_path)) == '"No." It was the nineteen nineties.'
