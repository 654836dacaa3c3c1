"""Manifests: what is written is read, and each row that cannot be used is named."""

import json
import os
import shutil
import sys
import tracemalloc

import numpy as np
import pytest
from _errors import raises

from kerasr import audio
from kerasr.data import Corpus, Utterance, fingerprint, load_corpus, read_manifest, write_manifest
from kerasr.data.left_out import leave_out
from kerasr.data.manifest import check_recordings


@pytest.fixture
def clips(tmp_path) -> list[str]:
    """Four recordings, one of them beside the folder of the others."""
    paths = [tmp_path / "corpus" / name for name in ("a.wav", "子 目录/b c.wav", "d,e.wav")] + [tmp_path / "far.wav"]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, np.full(800 * (number + 1), 0.1 * number), 8000)
    return [str(path) for path in paths]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_round_trip(tmp_path, clips, suffix):
    utterances = (
        Utterance(clips[0], label="yes", speaker="anna", split="train", duration=0.1, extra={"accent": "子, en"}),
        Utterance(clips[1], label="不 是", text='she said "no",\nthen left', split="validation"),
        Utterance(clips[2], label="yes", speaker="0042", split="test", extra={"room": "7", "accent": "fr"}),
    )
    path = tmp_path / "corpus" / f"list.{suffix}"
    write_manifest(path, utterances, noise=[clips[3]])
    corpus = read_manifest(path)
    assert corpus.utterances == utterances
    assert corpus.noise == (clips[3],)
    assert corpus.labels == ("yes", "不 是")
    assert corpus.speakers == ("0042", "anna")
    assert corpus.has_official_split
    text = path.read_text(encoding="utf-8")
    assert str(tmp_path / "corpus") not in text
    assert clips[3] in text
    assert sorted(os.listdir(tmp_path / "corpus")) == sorted(["a.wav", "d,e.wav", "子 目录", f"list.{suffix}"])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_line_ends_in_names_and_words_are_kept(tmp_path, clips, suffix):
    """Python before 3.13 quotes no carriage return, which then ends a row: a run could not be read again."""
    path, facts = str(tmp_path / "a\r\n.wav"), {"accent": "n\rw"}
    shutil.copy(clips[0], path)
    item = Utterance(path, "s\rx", "one\rtwo\nthree\r\n4", "anna\rb", extra=facts)
    write_manifest(tmp_path / f"m{suffix}", [item])
    assert read_manifest(tmp_path / f"m{suffix}").utterances == (item,)
    write_manifest(tmp_path / f"m{suffix}", [Utterance(clips[0])])
    assert b"\r" not in (tmp_path / f"m{suffix}").read_bytes()


def test_moves_with_its_recordings(tmp_path, clips):
    write_manifest(tmp_path / "corpus" / "list.csv", [Utterance(clips[0], "yes"), Utterance(clips[1], "no")])
    before = load_corpus(str(tmp_path / "corpus" / "list.csv"))
    shutil.move(tmp_path / "corpus", tmp_path / "elsewhere")
    after = load_corpus(str(tmp_path / "elsewhere" / "list.csv"))
    assert [item.duration for item in after.utterances] == [0.1, 0.2]
    assert not after.has_official_split
    assert fingerprint(before_moved := after) == fingerprint(before_moved)
    assert {item.path for item in before.utterances}.isdisjoint(item.path for item in after.utterances)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("m.csv", "file,label\na.wav,yes\n", "manifest-columns-missing"),
        ("m.csv", "", "manifest-columns-missing"),
        ("m.csv", "path,label\n", "manifest-empty"),
        ("m.csv", "path,label\n,yes\n", "manifest-row-invalid"),
        ("m.csv", "path,label\na.wav,yes\n./a.wav,no\n", "recording-twice"),
        ("m.csv", "path,label,split\na.wav,yes,practice\n", "manifest-row-invalid"),
        ("m.csv", "path,label,split\na.wav,yes,train\nb.wav,yes,\n", "split-missing"),
        ("m.csv", "path,label,duration\na.wav,yes,long\n", "manifest-row-invalid"),
        ("m.jsonl", '{"path": "a.wav", "label": "yes"}\nnonsense\n', "manifest-row-invalid"),
        ("m.csv", "path,label,duration\na.wav,yes,nan\n", "manifest-row-invalid"),
        ("m.jsonl", "[1]\n", "manifest-row-invalid"),
        ("m.jsonl", f'{{"path": "a.wav", "label": {"7" * 500}}}\n', "manifest-row-invalid"),
        (
            "m.jsonl",
            f'{{"path": "a.wav", "label": {"7" * 5000}}}\n',
            "manifest-row-invalid",
        ),
        ("m.jsonl", '{"path": "a.wav", "label": "yes", "duration": 1e999}\n', "manifest-row-invalid"),
        ("m.jsonl", '{"path": "a.wav", "label": "\\ud800"}\n', "manifest-row-invalid"),
        ("m.jsonl", '{"path": "a\\u0000.wav", "label": "yes"}\n', "manifest-row-invalid"),
        ("m.jsonl", "[" * 100_000 + "\n", "manifest-row-invalid"),
        ("m.txt", "path,label\n", "manifest-unreadable"),
    ],
)
def test_bad_rows_are_named(tmp_path, name, text, code):
    (tmp_path / name).write_text(text)
    with raises(code) as error:
        read_manifest(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(OSError, match="pipe"):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", "train training Train"),
        ("validation", "validation val valid dev VAL"),
        ("test", "test testing eval"),
    ],
)
def test_a_split_may_be_called_as_people_call_it(tmp_path, split, names):
    rows = [f"{number}.wav,yes,{name}" for number, name in enumerate(names.split())]
    (tmp_path / "m.csv").write_text("\n".join(["path,label,split", *rows, "rain.wav,,Noise"]))
    corpus = read_manifest(tmp_path / "m.csv")
    assert {item.split for item in corpus.utterances} == {split}
    assert len(corpus.noise) == 1


def test_other_encodings(tmp_path):
    (tmp_path / "m.csv").write_bytes("path,label\na.wav,für\n".encode("latin-1"))
    with raises("manifest-unreadable"):
        read_manifest(tmp_path / "m.csv")
    # As Excel writes it: with a byte order mark and CRLF.
    (tmp_path / "m.csv").write_bytes("path,label,note\r\na.wav,für,x\r\n".encode("utf-8-sig"))
    assert read_manifest(tmp_path / "m.csv").labels == ("für",)


def test_other_columns_are_kept_where_they_are_filled(tmp_path):
    (tmp_path / "m.csv").write_text("path,label,accent,,room\na.wav,yes,fr,1,\nb.wav,no, ,2,kitchen,too much\n")
    first, second = read_manifest(tmp_path / "m.csv").utterances
    assert (first.extra, second.extra) == ({"accent": "fr"}, {"room": "kitchen"})


def test_missing_manifest(tmp_path):
    with raises("manifest-not-found"):
        read_manifest(tmp_path / "m.csv")


def test_a_word_is_one_word_however_its_accents_are_written(tmp_path):
    (tmp_path / "m.csv").write_text(
        "path,label,speaker\na.wav,caf\u00e9,Zo\u00eb\nb.wav,cafe\u0301,Zoe\u0308\n", "utf-8"
    )
    corpus = read_manifest(tmp_path / "m.csv")
    assert corpus.labels == ("caf\u00e9",)
    assert corpus.speakers == ("Zo\u00eb",)


def test_a_label_of_numbers_stays_as_written(tmp_path):
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": "a.wav", "label": 7}))
    assert read_manifest(tmp_path / "m.jsonl").labels == ("7",)


def test_bad_recordings_are_listed_and_left_out(tmp_path, clips, capsys):
    broken = tmp_path / "corpus" / "broken [1].wav"
    broken.write_text("a letter")
    write_manifest(
        tmp_path / "m.csv",
        [
            Utterance(clips[0], "yes"),
            Utterance(clips[1], "no"),
            Utterance(str(broken), "maybe"),
            Utterance("/x.wav", "no"),
        ],
    )
    corpus = load_corpus(str(tmp_path / "m.csv"), max_bad=2)
    assert [item.path for item in corpus.utterances] == clips[:2]
    assert [path for path, _ in corpus.bad] == [str(broken), "/x.wav"]
    assert corpus.labels == ("no", "yes")
    shown = capsys.readouterr().err
    assert "2 bad recordings left out" in shown
    assert f"{broken}: is not a recording" in shown
    assert "/x.wav: there is no such file" in shown
    with raises("too-many-bad-recordings"):
        load_corpus(str(tmp_path / "m.csv"), max_bad=1)


def test_a_name_that_a_manifest_cannot_hold_is_listed(tmp_path, clips):
    strange = tmp_path / "corpus" / os.fsdecode(b"caf\xe9.wav")
    shutil.copy(clips[0], strange)
    whole = Corpus("c", (Utterance(clips[0], "yes"), Utterance(str(strange), "yes")))
    ((path, reason),) = check_recordings(whole, max_bad=1).bad
    assert path.endswith("caf\\udce9.wav")
    assert reason == "its name is not in UTF-8, as a manifest is; rename it"


def test_nothing_but_bad_recordings(tmp_path):
    corpus = Corpus("all bad", (Utterance("/nowhere.wav", "yes"),), source="the source")
    with raises("recordings-unusable"):
        check_recordings(corpus, max_bad=5)


def test_unlabelled_rows_are_left_out_until_they_have_a_label(tmp_path, capsys):
    path = tmp_path / "m.csv"
    rows = "path,label,split\na.wav,,unlabelled\nb.wav,yes,unlabelled\n"
    path.write_text(rows)
    (item,) = read_manifest(path).utterances
    assert (item.label, item.split) == ("yes", None)
    assert "1 recording" in capsys.readouterr().err
    path.write_text(f"{rows}c.wav,no,test\n")
    corpus = read_manifest(path)
    assert [(item.label, item.split) for item in corpus.utterances] == [("yes", "train"), ("no", "test")]
    assert corpus.has_official_split
    path.write_text("path,label,split\na.wav,,unlabelled\n")
    with raises("label-missing"):
        read_manifest(path)


def test_words_need_labels(tmp_path, clips):
    write_manifest(tmp_path / "m.csv", [Utterance(clips[0], "yes"), Utterance(clips[1], text="no label")])
    with raises("label-missing"):
        load_corpus(str(tmp_path / "m.csv"))
    assert len(load_corpus(str(tmp_path / "m.csv"), min_labels=0).utterances) == 2


def test_fingerprint_follows_content_and_facts_and_not_the_place(tmp_path, clips):
    folder = tmp_path / "corpus"

    def of(root, *labels):
        utterances = [
            Utterance(str(root / name), label) for name, label in zip(("a.wav", "d,e.wav"), labels, strict=True)
        ]
        return fingerprint(Corpus("c", tuple(utterances), root=str(root)))

    original = of(folder, "yes", "no")
    assert len(original) == 64
    shutil.copytree(folder, tmp_path / "copy")
    assert of(tmp_path / "copy", "yes", "no") == original
    assert of(folder, "yes", "yes") != original
    samples, rate = audio.read(folder / "a.wav")
    samples[-1] += 0.01
    audio.write(folder / "a.wav", samples, rate)
    assert of(folder, "yes", "no") != original


def test_a_hundred_thousand_utterances_stay_small(tmp_path):
    lines = ["path,label,text,speaker,split,duration"]
    lines += [
        f"folder/{number % 35}/{number:06d}.wav,word{number % 35},,speaker{number % 900},,1.0"
        for number in range(20000)
    ]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    tracemalloc.start()
    corpus = read_manifest(tmp_path / "m.csv")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept / len(corpus.utterances) < 500
    assert sys.getsizeof(corpus.utterances[0]) <= 96
    assert corpus.utterances[0].label is corpus.utterances[35].label


def test_a_bad_recording_is_listed_once_and_counted_by_each_check(capsys):
    corpus = Corpus("mine", (Utterance("b.wav"), Utterance("c.wav")), source="mine", bad=(("a.wav", "is empty"),))
    left = leave_out(corpus, lambda item: "is mute" if item.path == "b.wav" else None, 2)
    shown = capsys.readouterr().err
    assert ("2 bad recordings left out" in shown, "b.wav" in shown, "a.wav" in shown) == (True, True, False)
    assert [path for path, _ in left.bad] == ["a.wav", "b.wav"]
    with raises("too-many-bad-recordings", "a.wav"):
        leave_out(corpus, lambda item: "is mute" if item.path == "b.wav" else None, 1)
