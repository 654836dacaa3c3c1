"""Common Voice in its layout, made small."""

import os

import pytest
from _errors import raises
from _shared import record

from kerasr import audio
from kerasr.data import load_corpus, split_corpus

COLUMNS = "client_id\tpath\tsentence\tage\tgender\taccents\tlocale\n"


def write(path, rows):
    lines = [f"{speaker}\t{clip}\t{text}\ttwenties\t\tAustralian\ten\n" for speaker, clip, text in rows]
    path.write_text(COLUMNS + "".join(lines), "utf-8")


@pytest.fixture
def published(tmp_path):
    """Two clips of a speaker in each table, and one that nobody has validated."""
    everything = []
    for name, speaker in (("train", "a"), ("dev", "b"), ("test", "c")):
        rows = [(speaker * 128, f"{name}_{number}.mp3", f'Say "{name}" {number}, it\'s näher.') for number in range(2)]
        write(tmp_path / f"{name}.tsv", rows)
        everything += rows
    write(tmp_path / "validated.tsv", everything)
    for _, clip, _ in everything:
        record(tmp_path / "clips" / clip, 0.2, 32000)
    record(tmp_path / "clips" / "other.mp3", 0.2, 32000)
    return tmp_path


def test_the_tables_are_the_split(published):
    corpus, rule = split_corpus(load_corpus(str(published), min_labels=0))
    assert [(item.speaker, item.split) for item in corpus.utterances] == [
        *[("a" * 16, "train")] * 2,
        *[("b" * 16, "validation")] * 2,
        *[("c" * 16, "test")] * 2,
    ]
    first = corpus.utterances[0]
    assert first.text == 'Say "train" 0, it\'s näher.'
    assert first.extra == {"age": "twenties", "accents": "Australian"}
    assert first.duration == 0.2
    assert len(audio.read(first.path, 16000)[0]) == 3200
    assert "train.tsv, dev.tsv, test.tsv" in rule
    assert not corpus.bad


def test_speakers_are_held_out_where_there_is_no_table_to_train_on(published):
    (published / "train.tsv").unlink()
    corpus, rule = split_corpus(load_corpus(str(published), min_labels=0))
    assert len(corpus.utterances) == 6
    assert rule.startswith("by speaker")


def test_rows_without_a_recording_or_a_word_are_named(published):
    (published / "clips" / "train_0.mp3").unlink()
    write(published / "dev.tsv", [("b", "dev_0.mp3", " ."), ("b", "dev_1.mp3", "Yes")])
    corpus = load_corpus(str(published), min_labels=0)
    assert [os.path.basename(path) for path, _ in corpus.bad] == ["train.tsv:2", "dev.tsv:2"]
    with raises("too-many-bad-recordings"):
        load_corpus(str(published), min_labels=0, max_bad=1)


def test_damaged_tables_are_named_with_their_line(published):
    for rows, code in (
        ([("c", "../out.mp3", "Yes")], "corpus-damaged"),
        ([("c", "", "Yes")], "corpus-damaged"),
        ([("c", "train_0.mp3", "Yes")], "recording-twice"),
    ):
        write(published / "test.tsv", rows)
        with raises(code, "test.tsv:2"):
            load_corpus(str(published), min_labels=0)
    (published / "test.tsv").write_text("path\tsentence\n")
    with raises("corpus-damaged", "client_id"):
        load_corpus(str(published), min_labels=0)
