"""GRID in its layout, made small; and the speaker at hand where there is one."""

import os
from collections import Counter

import pytest
from _errors import raises
from _shared import record

from kerasr.data import load_corpus, split_corpus
from kerasr.data.word_times import WORD_TIMES

ALIGNED = "0 1000 sil\n1000 2000 bin\n2000 2500 sp\n2500 3000 blue\n3000 4000 sil\n"


def write(root, speakers, sentences=("bbaf2n",), suffix="wav"):
    for speaker in speakers:
        for name in sentences:
            record(root / speaker / f"{name}.{suffix}")
            (root / speaker / f"{name}.align").write_text(ALIGNED)
            (root / speaker / f"{name}.mp4").write_bytes(b"a film")
    return root


def test_words_without_the_pauses(tmp_path):
    corpus = load_corpus(str(write(tmp_path, ["s1", "s2"])), min_labels=0)
    assert [(item.text, item.speaker) for item in corpus.utterances] == [("bin blue", "s1"), ("bin blue", "s2")]
    assert {item.extra[WORD_TIMES] for item in corpus.utterances} == {"0.04-0.08 0.1-0.12"}
    assert not corpus.bad


def test_speakers_are_held_out_where_there_are_enough(tmp_path):
    corpus = load_corpus(str(write(tmp_path, ["s1", "s2", "s3"])), min_labels=0)
    divided, rule = split_corpus(corpus)
    assert {item.split for item in divided.utterances} == {"train", "validation", "test"}
    assert rule.startswith("by speaker")


def test_sentences_are_held_out_of_one_speaker_wherever_the_copy_lies(tmp_path):
    names = [f"bba{letter}{digit}n" for letter in "abcdefgh" for digit in range(5)]
    whole = load_corpus(str(write(tmp_path / "a", ["s1"], names)), min_labels=0)
    part = load_corpus(str(write(tmp_path / "b", ["s1"], names, "flac") / "s1"), min_labels=0)
    (one, rule), (other, _) = split_corpus(whole), split_corpus(part)
    assert "by sentence" in rule
    assert [item.split for item in one.utterances] == [item.split for item in other.utterances]
    assert {item.split for item in one.utterances} == {"train", "validation", "test"}


def test_what_has_no_other_half_is_named(tmp_path):
    root = write(tmp_path, ["s1"], ["a", "b", "c", "d"])
    (root / "s1" / "a.wav").unlink()
    (root / "s1" / "b.align").unlink()
    (root / "s1" / "c.align").write_text("0 1000 sil\n")
    corpus = load_corpus(str(root), min_labels=0)
    assert {os.path.basename(path) for path, _ in corpus.bad} == {"a.align", "b.wav", "c.align"}
    assert len(corpus.utterances) == 1
    with raises("too-many-bad-recordings"):
        load_corpus(str(root), min_labels=0, max_bad=2)


def test_who_wants_words_of_it_is_told_what_it_is_for(tmp_path):
    with raises("label-missing", "--task transcribe"):
        load_corpus(str(write(tmp_path, ["s1"])))


@pytest.mark.parametrize("line", ["1000 bin", "0 1.5 bin", "0 1000 bin blue"])
def test_a_damaged_alignment_is_named_with_its_line(tmp_path, line):
    root = write(tmp_path, ["s1"])
    (root / "s1" / "bbaf2n.align").write_text(f"0 10 sil\n{line}\n")
    with raises("corpus-damaged", "bbaf2n.align:2"):
        load_corpus(str(root), min_labels=0)


@pytest.mark.skipif("KERASR_DATA" not in os.environ, reason="KERASR_DATA names no recordings")
def test_the_speaker_at_hand():
    corpus, _ = split_corpus(load_corpus("grid", min_labels=0))
    assert not corpus.bad
    assert {len(item.text.split()) for item in corpus.utterances} == {6}
    assert len({word for item in corpus.utterances for word in item.text.split()}) == 51
    sizes = Counter(item.split for item in corpus.utterances)
    assert 0.08 < sizes["test"] / len(corpus.utterances) < 0.12
    tested = {item.text for item in corpus.utterances if item.split == "test"}
    assert tested.isdisjoint(item.text for item in corpus.utterances if item.split != "test")
