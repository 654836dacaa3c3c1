"""Recordings beside their texts."""

import pytest
from _errors import raises
from _shared import record

from kerasr.data import load_corpus
from kerasr.train import parse_arguments


@pytest.fixture
def beside(tmp_path):
    """Two speakers' recordings, each with a text beside it."""
    for number, name in enumerate(("anna/1", "anna/2", "ben/1")):
        record(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_text(f"\ufeffSentence {number}.\n", "utf-8")
    return tmp_path


@pytest.fixture
def table(tmp_path):
    """Recordings as LJSpeech lays them out."""
    for name in ("a", "b"):
        record(tmp_path / "wavs" / f"{name}.wav")
    (tmp_path / "metadata.csv").write_text("a|Dr. Who, 1|Doctor Who, one\n\nb|Yes\n", "utf-8")
    return tmp_path


def test_a_text_beside_each_recording(beside):
    corpus = load_corpus(str(beside), min_labels=0, speaker_pattern="([^/]+)/")
    assert [(item.text, item.label, item.speaker) for item in corpus.utterances] == [
        ("Sentence 0.", None, "anna"),
        ("Sentence 1.", None, "anna"),
        ("Sentence 2.", None, "ben"),
    ]
    # Whoever wants words has folders of them.
    assert load_corpus(str(beside)).labels == ("anna", "ben")


def test_what_has_no_other_half_is_named(beside):
    (beside / "anna" / "1.txt").unlink()
    (beside / "ben" / "1.wav").unlink()
    corpus = load_corpus(str(beside), min_labels=0)
    assert [item.text for item in corpus.utterances] == ["Sentence 1."]
    assert [path for path, _ in corpus.bad] == [str(beside / "anna" / "1.wav"), str(beside / "ben" / "1.txt")]
    with raises("too-many-bad-recordings"):
        load_corpus(str(beside), min_labels=0, max_bad=1)
    record(beside / "ben" / "1.wav")
    (beside / "ben" / "1.txt").write_text(" ...\n")
    assert str(beside / "ben" / "1.txt") in dict(load_corpus(str(beside), min_labels=0).bad)
    # What is no text of a recording may be anything.
    (beside / "notes.txt").write_bytes(b"\xff\xfe")
    assert len(load_corpus(str(beside), min_labels=0).bad) == 3
    (beside / "anna" / "2.txt").write_bytes(b"\xff\xfe")
    with raises("corpus-damaged", "2.txt"):
        load_corpus(str(beside), min_labels=0)


def test_a_table_as_ljspeech_has_it(table):
    corpus = load_corpus(str(table), min_labels=0)
    assert [item.text for item in corpus.utterances] == ["Doctor Who, one", "Yes"]
    (table / "wavs" / "b.wav").unlink()
    corpus = load_corpus(str(table), min_labels=0)
    assert len(corpus.bad) == 1
    (table / "metadata.csv").write_text("a|Yes\na|No\n")
    with raises("recording-twice", "metadata.csv:2"):
        load_corpus(str(table), min_labels=0)
    (table / "metadata.csv").write_text("a\n")
    with raises("corpus-damaged", "metadata.csv:1"):
        load_corpus(str(table), min_labels=0)


def test_the_recipe_for_sentences_is_the_tasks(beside):
    train = parse_arguments(["--data", str(beside), "--task", "transcribe"]).train
    assert (train.recipe, train.model.name, train.features.clip_seconds) == ("sentences", "BiLSTMEncoder", None)
