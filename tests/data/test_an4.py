"""AN4 in the layout in which it is published, made small; and the copy at hand where there is one."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from _errors import raises

from kerasr import audio
from kerasr.data import load_corpus, split_corpus
from kerasr.data.hashes import with_hashes
from kerasr.presets.recordings import find_clips


def place(speaker):
    return int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 15


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A copy with the training part of four speakers, one of them a test's and one a validation's."""
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    names = [f"f{number:03d}" for number in range(200)]
    chosen = [next(name for name in names if place(name) == number) for number in (0, 1, 2, 3)]
    root = tmp_path / "an4"
    return write(root, "train", [(f"an4_clstk/{who}/an1-{who}-b", "YES P I T T S BURGH") for who in chosen])


def write(root, part, utterances):
    (root / "etc").mkdir(parents=True, exist_ok=True)
    for number, (fileid, _) in enumerate(utterances):
        path = root / "wav" / f"{fileid}.raw"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(((1000 + number) * np.sin(np.arange(1600))).astype(">i2").tobytes())
    (root / "etc" / f"an4_{part}.fileids").write_text("".join(f"{fileid}\n" for fileid, _ in utterances))
    lines = [f"<s> {text} </s> ({fileid.rpartition('/')[2]})\n" for fileid, text in utterances]
    (root / "etc" / f"an4_{part}.transcription").write_text("".join(lines))
    return root


def test_recordings_without_a_header_are_read(published):
    corpus = load_corpus(str(published), min_labels=0)
    assert {item.text for item in corpus.utterances} == {"YES P I T T S BURGH"}
    assert len(corpus.speakers) == 4
    waveform, rate = audio.read(corpus.utterances[0].path)
    assert rate == 16000
    np.testing.assert_allclose(waveform, (1000 * np.sin(np.arange(1600))).astype("int16") / 32768, atol=1e-4)
    assert load_corpus(str(published), min_labels=0) == corpus


def test_speakers_are_held_out_where_the_test_part_is_missing(published):
    corpus, rule = split_corpus(load_corpus(str(published), min_labels=0))
    assert [(place(item.speaker), item.split) for item in corpus.utterances] == [
        (0, "test"),
        (1, "validation"),
        (2, "train"),
        (3, "train"),
    ]
    assert "no test part" in rule
    write(published, "test", [("an4test_clstk/zzzz/an1-zzzz-b", "NO")])
    corpus, rule = split_corpus(load_corpus(str(published), min_labels=0))
    assert {item.speaker for item in corpus.utterances if item.split == "test"} == {"zzzz"}
    assert "no test part" not in rule


def test_a_presets_clips_are_known_by_their_content_in_another_copy(published, tmp_path, monkeypatch):
    """A cache that is empty, and a copy with the test part, whose recordings lie in the cache under another name."""
    listed = with_hashes(load_corpus(str(published), min_labels=0).utterances)
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("KERASR_DATA", str(tmp_path))
    write(published, "test", [("an4test_clstk/zzzz/an1-zzzz-b", "NO")])
    found = find_clips(tmp_path / "cache" / "preset", listed, "an4")
    for clip, expected in zip(found, listed, strict=True):
        assert clip.path.startswith(str(tmp_path / "other"))
        assert Path(clip.path).read_bytes() == Path(expected.path).read_bytes()


def test_sphere_files_are_read_where_they_lie(published):
    for path in published.rglob("*.raw"):
        soundfile.write(path.with_suffix(".sph"), np.zeros(1600) + 0.1, 16000, format="NIST")
        path.unlink()
    corpus = load_corpus(str(published), min_labels=0)
    assert all(item.path.endswith(".sph") and item.duration == 0.1 for item in corpus.utterances)


def test_what_is_listed_and_not_there_is_named(published):
    missing = next(published.rglob("*.raw"))
    missing.unlink()
    corpus = load_corpus(str(published), min_labels=0)
    assert [path for path, _ in corpus.bad] == [str(missing)]
    with raises("too-many-bad-recordings", missing.name):
        load_corpus(str(published), min_labels=0, max_bad=0)
    next(published.rglob("*.raw")).write_bytes(b"x")
    assert len(load_corpus(str(published), min_labels=0).bad) == 2


def test_what_one_list_lacks_is_named(published):
    lists = {kind: published / "etc" / f"an4_train.{kind}" for kind in ("fileids", "transcription")}
    folder = next((published / "wav" / "an4_clstk").iterdir())
    (folder / "an2-more-b.raw").write_bytes(bytes(3200))
    (folder / "notes.txt").touch()
    with lists["fileids"].open("a") as file:
        file.write(f"an4_clstk/{folder.name}/an3-more-b\nan4_clstk/{folder.name}/an5-more-b\n")
    (folder / "an5-more-b.raw").write_bytes(bytes(3200))
    with lists["transcription"].open("a") as file:
        # (Of a recording that no list names there is one line to tell.)
        file.write("<s> NO </s> (an2-more-b)\n<s> GO </s> (an4-more-b)\n<s> </s> (an5-more-b)\n")
    corpus = load_corpus(str(published), min_labels=0)
    assert len(corpus.utterances) == 4
    assert [path for path, _ in corpus.bad] == [
        f"{lists['fileids']}:5",
        str(folder / "an2-more-b.raw"),
        f"{lists['transcription']}:6",
        f"{lists['transcription']}:7",
    ]
    with raises("too-many-bad-recordings"):
        load_corpus(str(published), min_labels=0, max_bad=3)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("transcription", "<s> YES </s>\n"),
        ("fileids", "../../an1-f000-b\n"),
        ("transcription", b"\xff\xfe\n"),
    ],
)
def test_damaged_lists_are_named_with_their_line(published, kind, line):
    path = published / "etc" / f"an4_train.{kind}"
    path.write_bytes(line if isinstance(line, bytes) else line.encode())
    with raises("corpus-damaged", str(path)):
        load_corpus(str(published), min_labels=0)


@pytest.mark.skipif("KERASR_DATA" not in os.environ, reason="KERASR_DATA names no recordings")
def test_the_copy_at_hand():
    corpus = load_corpus("an4", min_labels=0)
    assert len(corpus.utterances) == 948
    assert len(corpus.speakers) == 74
    assert not corpus.bad
    assert 0.6 < sum(item.duration for item in corpus.utterances) / 3600 < 0.8
