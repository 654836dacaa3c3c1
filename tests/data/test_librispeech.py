"""LibriSpeech in its layout, made small."""

import pytest
from _errors import raises
from _shared import record

from kerasr.data import load_corpus, split_corpus

PARTS = {"train-clean-100": "103", "train-other-500": "20", "dev-clean": "84", "test-other": "367"}


@pytest.fixture
def published(tmp_path):
    """Two parts to train on and one each to validate and to test, of a speaker with two recordings each."""
    for part, speaker in PARTS.items():
        chapter = tmp_path / part / speaker / "7"
        for number in range(2):
            record(chapter / f"{speaker}-7-000{number}.flac")
        lines = [f"{speaker}-7-000{number} SENTENCE {'AB'[number]}\n" for number in range(2)]
        (chapter / f"{speaker}-7.trans.txt").write_text("".join(lines))
    return tmp_path


def test_the_parts_are_the_split(published):
    corpus, rule = split_corpus(load_corpus(str(published), min_labels=0))
    assert {item.text for item in corpus.utterances} == {"SENTENCE A", "SENTENCE B"}
    assert {item.speaker: item.split for item in corpus.utterances} == {
        "103": "train",
        "20": "train",
        "84": "validation",
        "367": "test",
    }
    assert {item.extra["part"] for item in corpus.utterances} == {*PARTS}
    assert all(part in rule for part in PARTS)


def test_one_part_has_no_split_of_its_own(published):
    corpus = load_corpus(str(published / "train-clean-100"), min_labels=0)
    assert [(item.speaker, item.split) for item in corpus.utterances] == [("103", None)] * 2
    assert not corpus.has_official_split


def test_what_has_no_other_half_is_named(published):
    chapter = published / "dev-clean" / "84" / "7"
    (chapter / "84-7-0000.flac").unlink()
    record(chapter / "84-7-0009.flac")
    corpus = load_corpus(str(published), min_labels=0)
    assert {path for path, _ in corpus.bad} == {str(chapter / "84-7-0009.flac"), f"{chapter / '84-7.trans.txt'}:1"}
    (chapter / "84-7.trans.txt").write_text("84-7-0001 YES\n84-7-0001 NO\n")
    with raises("corpus-damaged", "84-7.trans.txt:2"):
        load_corpus(str(published), min_labels=0)
