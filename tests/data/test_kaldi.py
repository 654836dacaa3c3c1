"""Kaldi's data directories, made small."""

import os

import numpy as np
import pytest
import soundfile
from _errors import raises
from _shared import record

from kerasr import audio
from kerasr.data import fingerprint, load_corpus, split_corpus


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache for the segments."""
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder, **lists):
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in lists.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return folder


@pytest.fixture
def directory(tmp_path):
    """Two recordings, named by an absolute path and by one from two folders above."""
    for name in ("r1", "r2"):
        record(tmp_path / "egs" / "audio" / f"{name}.wav")
    return write(
        tmp_path / "egs" / "data" / "train",
        wav_scp=[f"r1 {tmp_path / 'egs' / 'audio' / 'r1.wav'}", "r2 audio/r2.wav"],
        text=["r1 ONE TWO", "r2 THREE"],
        utt2spk=["r1 anna", "r2 ben"],
    )


@pytest.fixture
def segmented(tmp_path):
    """Two segments of a recording of a second that rises from 0 to 0.5."""
    folder = write(
        tmp_path / "talk",
        wav_scp=["tape tape.flac"],
        text=["anna/1 YES", "ben/1 NO"],
        utt2spk=["anna/1 anna", "ben/1 ben"],
        segments=["anna/1 tape 0.25 0.5", "ben/1 tape 0.75 -1"],
    )
    soundfile.write(folder / "tape.flac", np.arange(8000) / 16000, 8000)
    return folder


def facts(corpus):
    return [(os.path.basename(item.path), item.text, item.speaker, item.split) for item in corpus.utterances]


def test_recordings_texts_and_speakers(directory):
    corpus = load_corpus(str(directory), min_labels=0)
    assert facts(corpus) == [("r1.wav", "ONE TWO", "anna", None), ("r2.wav", "THREE", "ben", None)]
    # Each utterance a speaker of its own is Kaldi's way to say that nobody knows.
    write(directory, utt2spk=["r1 r1", "r2 r2"])
    assert not load_corpus(str(directory), min_labels=0).speakers


def test_folders_called_as_splits_are_the_split(directory, tmp_path):
    for name in ("dev", "test"):
        record(tmp_path / "egs" / "audio" / f"{name}.wav")
        write(directory.parent / name, wav_scp=[f"r1 audio/{name}.wav"], text=["r1 FOUR"])
    write(directory.parent / "local", wav_scp=["r1 audio/r1.wav"], text=["r1 OTHER"])
    corpus, rule = split_corpus(load_corpus(str(directory.parent), min_labels=0))
    assert facts(corpus) == [
        ("dev.wav", "FOUR", None, "validation"),
        ("test.wav", "FOUR", None, "test"),
        ("r1.wav", "ONE TWO", "anna", "train"),
        ("r2.wav", "THREE", "ben", "train"),
    ]
    assert "dev, test, train" in rule


def test_segments_are_cut_once(segmented, cache):
    corpus = load_corpus(str(segmented), min_labels=0)
    assert [(item.text, item.speaker, item.duration) for item in corpus.utterances] == [
        ("YES", "anna", 0.25),
        ("NO", "ben", 0.25),
    ]
    waveform, rate = audio.read(corpus.utterances[0].path)
    assert rate == 8000
    np.testing.assert_allclose(waveform, np.arange(2000, 4000) / 16000, atol=1e-4)
    assert load_corpus(str(segmented), min_labels=0) == corpus
    assert len([*cache.glob("segments-*")]) == 1
    # Other segments are other recordings, by the same names.
    before = fingerprint(corpus)
    write(segmented, segments=["anna/1 tape 0 0.5", "ben/1 tape 0.75 1"])
    changed = load_corpus(str(segmented), min_labels=0)
    assert [item.duration for item in changed.utterances] == [0.5, 0.25]
    assert fingerprint(changed) != before


def test_what_has_no_other_half_is_named(directory):
    write(
        directory, text=["r1 ...", "r3 THREE", "r4 FOUR"], wav_scp=["r1 audio/r1.wav", "r2 audio/r2.wav", "r4 gone.wav"]
    )
    with raises("recordings-unusable"):
        load_corpus(str(directory), min_labels=0)
    write(directory, text=["r1 ONE", "r3 THREE", "r4 FOUR"])
    bad = dict(load_corpus(str(directory), min_labels=0).bad)
    audio_folder = directory.parents[1] / "audio"
    assert {*bad} == {str(audio_folder / "r2.wav"), f"{directory / 'text'}:2", str(directory / "gone.wav")}
    with raises("too-many-bad-recordings"):
        load_corpus(str(directory), min_labels=0, max_bad=2)


def test_segments_that_cannot_be_cut_are_named(segmented):
    write(segmented, segments=["anna/1 tape 0.5 1.4", "ben/1 tape 0.5 1.6"])
    corpus = load_corpus(str(segmented), min_labels=0)
    assert [(item.text, item.duration) for item in corpus.utterances] == [("YES", 0.5)]
    assert [(path, reason.split(":")[0]) for path, reason in corpus.bad] == [(str(segmented / "tape.flac"), "ben/1")]
    (segmented / "tape.flac").unlink()
    with raises("recordings-unusable"):
        load_corpus(str(segmented), min_labels=0)


@pytest.mark.parametrize("line", ["sph2pipe -f wav r1.sph |", "| tee r1.wav", "cat r1.wav|"])
def test_commands_are_refused(directory, tmp_path, line):
    mark = tmp_path / "mark"
    write(directory, wav_scp=["r2 audio/r2.wav", f"r1 touch {mark}; {line}" if line.endswith("|") else f"r1 {line}"])
    with raises("recording-is-command", "wav.scp:2"):
        load_corpus(str(directory), min_labels=0)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("segments", "anna/1 tape 0.5"),
        ("segments", "anna/1 tape 0.5 0.5"),
        ("segments", "anna/1 tape -2 0.5"),
        ("segments", "anna/1 tape nan 0.5"),
        ("segments", "anna/1 other 0 0.5"),
        ("text", "ben/1 NO\nben/1 YES"),
    ],
)
def test_damaged_lists_are_named_with_their_line(segmented, name, line):
    write(segmented, **{name: [line]})
    with raises("corpus-damaged", f"{name}:"):
        load_corpus(str(segmented), min_labels=0)
