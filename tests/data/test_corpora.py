"""Readers: each layout is recognised, each speaker and split is the one its names tell."""

import math
import os
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from _errors import raises
from scipy.signal import correlate

from kerasr import UserError, audio
from kerasr.data import fingerprint, load_corpus, split_corpus, write_manifest
from kerasr.data.corpora import CORPORA, download, fsdd
from kerasr.data.corpora.fsdd import read_fsdd
from kerasr.data.corpora.speech_commands import WANTED, official_split, read_speech_commands

OTHERS = """backward bed bird cat dog eight five follow forward four happy house learn marvin nine one seven sheila six
three tree two visual wow zero"""
COMMANDS = (*WANTED, *OTHERS.split())
CLIP = np.sin(np.arange(800) / 5).astype(np.float32)


def make(root, *names):
    """Recordings at these relative paths."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, CLIP, 8000)
    return str(root)


@pytest.fixture(autouse=True)
def _away_from_home(tmp_path, monkeypatch):
    """No test sees the user's cache."""
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))


def said_in(corpus):
    """Everything but silence."""
    return {repr(item) for item in corpus.utterances if item.label != "_silence_"}


def words(corpus):
    return Counter(item.label for item in corpus.utterances)


def test_word_folders_at_any_depth(tmp_path, capsys):
    root = make(
        tmp_path / "my words",
        "yes/1.wav",
        "anna/yes/2.FLAC",
        "anna/no/3.ogg",
        "monday/anna/no/4.mp3",
        "是 的/一.wav",
        "_background_noise_/rain.wav",
        ".trash/5.wav",
        "yes/._1.wav",
    )
    (tmp_path / "my words" / "yes" / "notes.txt").write_text("no recording")
    corpus = load_corpus(root)
    assert words(corpus) == {"yes": 2, "no": 2, "是 的": 1}
    assert corpus.labels == ("no", "yes", "是 的")
    assert corpus.name == "my words"
    assert corpus.speakers == ()
    assert [os.path.basename(path) for path in corpus.noise] == ["rain.wav"]
    assert all(os.path.isabs(item.path) and item.duration > 0 for item in corpus.utterances)
    assert capsys.readouterr().err == ""


def grid(outer, inner, name="1.wav"):
    """A recording in each folder of each other one."""
    return [f"{one}/{other}/{name.format(one, other)}" for one in outer for other in inner]


@pytest.mark.parametrize("names", [grid(("no", "yes"), ("anna", "ben")), grid(("anna", "ben"), ("no", "yes"))])
def test_words_and_speakers_that_nobody_can_tell_apart_are_asked_about(tmp_path, names):
    root = make(tmp_path / "w", *names)
    with raises("layout-ambiguous") as error:
        load_corpus(root)
    # Both ways out that the message names, and one of them is meant.
    found = [
        load_corpus(root, speaker_pattern=way) for way in re.findall(r"--speaker-pattern '(.+?)'", str(error.value))
    ]
    assert {(corpus.labels, corpus.speakers) for corpus in found} == {
        (("no", "yes"), ("anna", "ben")),
        (("anna", "ben"), ("no", "yes")),
    }


IDS = ("speaker_1", "speaker_2", "speaker_10")


@pytest.mark.parametrize(
    ("names", "speakers", "warned"),
    [
        (grid(IDS, ("no", "yes")), IDS, False),
        (grid(("no", "yes"), IDS), IDS, True),
        (grid(("no", "yes"), ("01", "02", "10")), ("01", "02", "10"), True),
        (grid(("no", "yes"), ("anna", "ben"), "{1}_take_1.wav"), ("anna", "ben"), True),
        (grid(("anna", "ben"), ("no", "yes"), "{0}_take_1.wav"), ("anna", "ben"), False),
        ([f"train/{name}" for name in grid(("no", "yes"), IDS)] + ["test/no/1.wav", "test/yes/2.wav"], IDS, True),
        # Dates are nobody, and neither word nor speaker recurs in kinds of words.
        (grid(("2024-05-01", "2024-05-02"), ("no", "yes")), (), False),
        (grid(("no", "yes"), ("2024-05-01", "2024-05-02")), (), False),
        (["negative/no/1.wav", "positive/yes/1.wav"], (), False),
        (["no/1.wav", "yes/2.wav", "yes/anna/1.wav"], (), True),
    ],
)
def test_words_and_speakers_are_told_apart_where_names_tell(tmp_path, capsys, names, speakers, warned):
    corpus = load_corpus(make(tmp_path / "w", *names))
    assert corpus.labels == ("no", "yes")
    assert corpus.speakers == tuple(sorted(speakers))
    assert ("warning: " in capsys.readouterr().err) == warned


def test_labels_that_look_like_speakers_are_told(tmp_path, capsys):
    assert load_corpus(make(tmp_path / "w", "s01/1.wav", "s02/1.wav", "s03/1.wav")).labels == ("s01", "s02", "s03")
    assert "s01, s02, s03" in capsys.readouterr().err


LAYOUT = [
    f"{part}/{word}/{n}.wav" for part in ("Train", "val", "dev", "test") for word in ("yes", "no") for n in (1, 2)
]


def test_a_layout_of_split_folders_is_the_split(tmp_path, capsys):
    noises = "train/_background_noise_/rain.wav", "test/_background_noise_/street.wav"
    corpus = load_corpus(make(tmp_path / "w", *LAYOUT, "test/anna/no/3.wav", *noises))
    assert corpus.labels == ("no", "yes")
    assert [os.path.basename(path) for path in corpus.noise] == ["rain.wav"], "the test's is not trained with"
    divided, said = split_corpus(corpus)
    assert said == "official: the folders Train, dev, val, test"
    parts = {"Train": "train", "val": "validation", "dev": "validation", "test": "test"}
    assert all(item.split == parts[corpus.relative(item.path).split("/")[0]] for item in divided.utterances)
    assert capsys.readouterr().err == ""


def test_beside_split_folders_others_are_bad(tmp_path, capsys):
    corpus = load_corpus(make(tmp_path / "w", *LAYOUT, "more/yes/1.wav", "maybe/1.wav"))
    assert corpus.labels == ("no", "yes")
    assert [corpus.relative(path) for path, _ in corpus.bad] == ["maybe/1.wav", "more/yes/1.wav"]
    assert "Train, dev, val, test" in capsys.readouterr().err


@pytest.mark.parametrize("inner", ["wav", "anna"])
def test_one_folder_in_each_is_no_word(tmp_path, capsys, inner):
    root = make(tmp_path / "w", *grid(("no", "yes"), (inner,)))
    assert load_corpus(root).labels == ("no", "yes")
    assert "--speaker-pattern" in capsys.readouterr().err
    corpus = load_corpus(root, speaker_pattern="^[^/]+/([^/]+)/")
    assert (corpus.labels, corpus.speakers) == (("no", "yes"), (inner,))


def test_one_folder_that_is_called_as_a_split_is_told(tmp_path, capsys):
    """Val may be a person, and a test folder may lie beside the words: neither is decided in silence."""
    root = make(tmp_path / "w", "val/yes/1.wav", "val/no/1.wav", "anna/yes/1.wav", "anna/no/1.wav")
    corpus = load_corpus(root, speaker_pattern="^([^/]+)/")
    assert not corpus.has_official_split
    assert len(corpus.utterances) == 4
    shown = capsys.readouterr().err
    assert "'val'" in shown
    assert "anna/no/1.wav" in shown


def test_a_split_below_the_words_is_refused(tmp_path):
    with raises("layout-ambiguous"):
        load_corpus(make(tmp_path / "w", "yes/train/1.wav", "yes/test/1.wav", "no/train/1.wav", "no/test/1.wav"))


def test_a_word_may_be_called_as_a_split(tmp_path):
    corpus = load_corpus(make(tmp_path / "w", "train/1.wav", "plane/1.wav", "monday/train/2.wav"))
    assert words(corpus) == {"train": 2, "plane": 1}
    assert not corpus.has_official_split


EACH, NAMES = ("anna", "ben", "0042"), ("anna", "ben", "zoë")


@pytest.mark.parametrize(
    ("names", "speakers"),
    [
        # As kerasr.record calls them; guests may say one word only.
        ([f"{word}/{who}_take_{n}.wav" for word in ("no", "yes") for who in EACH for n in (1, 2)], EACH),
        ([f"hey/{who}_take_1.wav" for who in EACH] + ["rest/anna_take_1.wav", "rest/12.wav"], EACH),
        # Words and dates.
        ([f"{word}/{word}_take_{n}.wav" for word in ("no", "yes") for n in (1, 2)], ()),
        ([f"{word}/{said}_take_1.wav" for word, said in (("no", "nein"), ("yes", "ja"), ("go", "los"))], ()),
        ([f"{w}/{who}_take_1.wav" for w in ("no", "yes") for who in ("anna", f"{w} loud", f"{w}2")], ("anna",)),
        ([f"{word}/2024-05-0{day}_take_3.wav" for word in ("no", "yes") for day in (1, 2, 3)], ()),
        ([f"{word}/0{day}.05.2024_take_3.wav" for word in ("no", "yes") for day in (1, 2, 3)], ()),
        ([f"{w}/Audio 2024-05-01 at {hour}.30.15.wav" for w in ("no", "yes") for hour in (10, 11, 12)], ()),
        ([f"{w}/2024050{day}T103015_{w}_1.wav" for w in ("no", "yes") for day in (1, 2, 3)], ()),
        ([f"{word}/{who} 2024-05-01_take_1.wav" for word in ("no", "yes") for who in EACH[:2]], EACH[:2]),
        # Ids that recur in many words, wherever they stand.
        ([f"{w}/00{who}_{w.upper()}_01.wav" for w in ("no", "yes") for who in "123"], ("001", "002", "003")),
        ([f"{w}/{w} {who}-{n}.wav" for w in ("turn on", "off") for who in EACH for n in (1, 2)], EACH),
        ([f"{w}/{said}_{who}_1.wav" for w, said in (("no", "0"), ("yes", "1")) for who in EACH], EACH),
        ([f"{w}/{who}{n}.wav" for w in ("no", "yes") for who in NAMES for n in (1, 2)], NAMES),
        ([f"{w}/{sex}_{who}_1.wav" for w in ("no", "yes") for sex, who in zip("mfm", EACH, strict=True)], EACH),
        # Numbers of takes, conditions, names that come once.
        ([f"{w}/{w}_{n}.wav" for w in ("no", "yes") for n in range(5)], ()),
        ([f"{w}/{n}_{w}.wav" for w in ("no", "yes") for n in range(5)], ()),
        ([f"{w}/take{n}.wav" for w in ("no", "yes") for n in range(5)], ()),
        ([f"{w}/{w}_{n}_{how}.wav" for w in ("no", "yes") for n in range(5) for how in ("loud", "quiet")], ()),
        ([f"{w}/{w}{n}x_1.wav" for w in ("no", "yes") for n in range(5)], ()),
    ],
)  # fmt: skip
def test_who_speaks_is_read_off_file_names(tmp_path, names, speakers):
    corpus = load_corpus(make(tmp_path / "w", *names))
    assert corpus.speakers == tuple(sorted(speakers))
    assert all(name in corpus.speaker_source for name in speakers)


def test_speakers_read_off_file_names_are_named(tmp_path):
    people = [f"{number:08d}" for number in range(1, 31)]
    names = [f"{word}/{who}_{word}_{n:02d}.wav" for word in ("NO", "YES") for who in people for n in (1, 2)]
    _, said = split_corpus(load_corpus(make(tmp_path / "w", *names)))
    assert said.startswith("by speaker: 30 speakers")
    assert "as in NO/00000001_NO_01.wav: 00000001, 00000002, " in said
    assert "00000030" not in said


def test_a_name_that_is_not_utf_8_can_be_said(tmp_path):
    root = make(tmp_path / "w", *(f"{word}/{who}_take_1.wav" for word in ("no", "yes") for who in ("anna", "zoe")))
    for word in ("no", "yes"):
        os.rename(f"{root}/{word}/zoe_take_1.wav", os.fsdecode(f"{root}/{word}/".encode() + b"zo\xeb_take_1.wav"))
    corpus = load_corpus(root)
    assert corpus.speakers == ("anna",)
    assert r"anna, zo\udceb" in corpus.speaker_source


def test_names_that_are_words_leave_a_split_by_file(tmp_path):
    names = [f"{word}/{word}_take_{n}.wav" for word in ("no", "stop", "yes") for n in range(30)]
    divided, said = split_corpus(load_corpus(make(tmp_path / "w", *names)))
    assert said.startswith("by file")
    assert {item.split for item in divided.utterances} == {"train", "validation", "test"}


def test_a_pattern_says_who_speaks(tmp_path):
    root = make(tmp_path / "w", *(f"{who}/{word}/x_take_1.wav" for word in ("no", "yes") for who in EACH), "yes/1.wav")
    corpus = load_corpus(root, speaker_pattern="^([^/]+)/.+/")
    assert corpus.speakers == tuple(sorted(EACH))
    assert [item.path for item in corpus.utterances if item.speaker is None] == [os.path.join(root, "yes", "1.wav")]
    assert "^([^/]+)/.+/" in corpus.speaker_source
    # The first group that matched is the speaker.
    assert load_corpus(root, speaker_pattern="^(?:(a)nna|(b)en)/").speakers == ("a", "b")
    # A manifest's column and a known corpus's names give way too.
    write_manifest(tmp_path / "m.csv", corpus.utterances)
    assert load_corpus(str(tmp_path / "m.csv"), speaker_pattern="/(x)_").speakers == ("x",)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("[", "setting-invalid"),
        ("anna", "setting-invalid"),
        ("(nobody)", "speaker-not-found"),
        ("(q*)", "speaker-not-found"),
    ],
)
def test_a_pattern_that_finds_nobody_is_refused(tmp_path, pattern, code):
    with raises(code, re.escape(f"--speaker-pattern {pattern}")):
        load_corpus(make(tmp_path / "w", "yes/anna_1.wav", "no/anna_1.wav"), speaker_pattern=pattern)


def test_a_composed_and_a_decomposed_name_are_one_word(tmp_path):
    corpus = load_corpus(make(tmp_path / "w", "f\u00fcr/1.wav", "a/fu\u0308r/2.wav", "no/1.wav"))
    assert words(corpus) == {"f\u00fcr": 2, "no": 1}


def test_a_link_to_above_is_walked_once(tmp_path):
    root = make(tmp_path / "w", "yes/1.wav", "no/1.wav")
    os.symlink(tmp_path / "w", tmp_path / "w" / "no" / "again")
    assert words(load_corpus(root)) == {"yes": 1, "no": 1}


def test_recordings_outside_of_word_folders_are_bad(tmp_path, capsys):
    root = make(tmp_path / "w", "stray.wav", "yes/1.wav", "no/1.wav")
    assert load_corpus(root).bad[0][1].startswith("lies in no word folder")
    assert "stray.wav" in capsys.readouterr().err
    with raises("too-many-bad-recordings"):
        load_corpus(root, max_bad=0)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ((), "no-recordings"),
        (("1.wav", "2.wav"), "no-recordings"),
        (("yes/1.wav", "yes/2.wav"), "too-few-labels"),
    ],
)
def test_folders_that_are_no_corpus(tmp_path, names, code):
    (tmp_path / "w").mkdir()
    with raises(code) as error:
        load_corpus(make(tmp_path / "w", *names))
    assert str(tmp_path / "w") in str(error.value)


def test_one_label_is_enough_for_those_who_say_so(tmp_path):
    assert load_corpus(make(tmp_path / "w", "yes/1.wav"), min_labels=1).labels == ("yes",)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("nowhere", "corpus-not-found"),
        ("clip.wav", "corpus-not-found"),
        (None, "setting-missing"),
    ],
)
def test_data_that_names_nothing(tmp_path, monkeypatch, data, code):
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "clip.wav")
    with raises(code):
        load_corpus(data)


def test_every_kind_of_bad_recording_is_listed(tmp_path, capsys):
    root = tmp_path / "w"
    make(root, *(f"{word}/{number}.wav" for word in ("yes", "no") for number in range(3)))
    (root / "no" / "letter.wav").write_text("this is a letter")
    (root / "no" / "empty.wav").touch()
    (root / "yes" / "cut.wav").write_bytes((root / "yes" / "0.wav").read_bytes()[:30])
    soundfile.write(root / "yes" / "silent.wav", CLIP[:0], 8000)
    corpus = load_corpus(str(root), max_bad=4)
    assert len(corpus.utterances) == 6
    shown = capsys.readouterr().err
    assert "4 bad recordings left out" in shown
    assert all(name in shown for name in ("letter.wav", "empty.wav", "cut.wav", "silent.wav"))
    with raises("too-many-bad-recordings"):
        load_corpus(str(root), max_bad=3)


def test_fsdd_layout(tmp_path, capsys):
    names = [
        f"{digit}_{speaker}_{index}.wav" for digit in (0, 7) for speaker in ("lucas", "theo") for index in range(12)
    ]
    root = make(tmp_path / "copy", *(f"recordings/{name}" for name in names))
    for path in (root, os.path.join(root, "recordings")):
        corpus = load_corpus(path)
        assert (corpus.name, corpus.labels, corpus.speakers) == ("fsdd", ("zero", "seven"), ("lucas", "theo"))
        assert corpus.licence == "CC BY-SA 4.0"
        divided, said = split_corpus(corpus)
        assert said.startswith("official: index 0 to 4")
        assert Counter(item.split for item in divided.utterances) == {"test": 20, "validation": 20, "train": 8}
    assert capsys.readouterr().err == ""
    make(tmp_path / "copy", "recordings/seven.wav")
    assert load_corpus(root).bad[0][1].startswith("is not named like")
    with raises("corpus-not-found"):
        read_fsdd(str(tmp_path))


def test_digits_by_others_in_files_named_alike_are_not_fsdd(tmp_path):
    people = ("anna", "ben", "carla", "theo")
    names = [f"{digit}_{who}_{index}.wav" for digit in (0, 7) for who in people for index in range(6)]
    root = make(tmp_path / "ours", *names)
    corpus = load_corpus(root)
    assert (corpus.name, corpus.labels, corpus.speakers) == ("ours", ("zero", "seven"), people)
    assert (corpus.licence, corpus.source, corpus.has_official_split) == ("", root, False)
    assert {str(item.extra) for item in corpus.utterances} == {"{}"}
    divided, said = split_corpus(corpus)
    assert said.startswith("by speaker: 4 speakers")
    assert "anna, ben, carla, theo" in said
    assert all(len({item.split for item in divided.utterances if item.speaker == who}) == 1 for who in people)
    with raises("corpus-not-found"):
        read_fsdd(root)


def test_fsdd_is_found_below_data_then_kerasr_data_then_in_the_cache(tmp_path, monkeypatch):
    clips = [f"recordings/{digit}_theo_{index}.wav" for digit in (1, 2) for index in range(2)]
    given, shared, cache = tmp_path / "given", tmp_path / "shared", tmp_path / "cache"
    make(cache / fsdd.FOLDER, *clips)

    def place(data=None):
        return load_corpus(data, default="fsdd").root

    monkeypatch.delenv("KERASR_DATA", raising=False)
    assert place() == str(cache / fsdd.FOLDER / "recordings")
    make(shared / fsdd.FOLDER, *clips)
    monkeypatch.setenv("KERASR_DATA", str(shared))
    assert place() == str(shared / fsdd.FOLDER / "recordings")
    monkeypatch.setenv("KERASR_DATA", str(shared / fsdd.FOLDER))
    assert place() == str(shared / fsdd.FOLDER / "recordings")
    assert load_corpus("fsdd").root == place()
    make(given / fsdd.FOLDER, *clips)
    make(given, "yes/1.wav", "no/1.wav")
    assert place(str(given)) == str(given / fsdd.FOLDER / "recordings")
    shutil.rmtree(given / fsdd.FOLDER)
    assert load_corpus(str(given), default="fsdd").labels == ("no", "yes")


def test_a_corpus_that_cannot_be_had_is_told_from_other_mistakes(tmp_path, monkeypatch):
    monkeypatch.delenv("KERASR_DATA", raising=False)

    def no_network(url, *_):
        raise UserError("corpus-unavailable", f"{url}: cannot be downloaded (no connection)")

    monkeypatch.setattr(download, "fetch", no_network)
    with raises("corpus-unavailable", "github"):
        load_corpus(None, default="fsdd")
    assert os.listdir(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.delenv("KERASR_DATA", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "file" / "cache"))
    with raises("cache-unavailable"):
        load_corpus("fsdd")


def test_speech_commands_layout(tmp_path):
    hexes = [f"{number:08x}" for number in range(2000, 2200)]
    root = make(
        tmp_path / "sc",
        *(f"yes/{name}_nohash_0.wav" for name in hexes),
        *(f"_unknown_/bed_{name}_nohash_3.wav" for name in hexes),
        *(f"_silence_/{number}.wav" for number in range(200)),
        "_background_noise_/rain.wav",
    )
    corpus = load_corpus(root)
    assert corpus.name == "speech_commands"
    assert corpus.labels == ("_silence_", "_unknown_", "yes")
    assert set(corpus.speakers) == set(hexes)
    assert len(corpus.noise) == 1
    assert {item.speaker for item in corpus.utterances if item.label == "_silence_"} == {None}
    divided, said = split_corpus(corpus)
    assert said == "official: a hash of the speaker"
    of_speaker = {}
    for item in divided.utterances:
        if item.speaker:
            of_speaker.setdefault(item.speaker, set()).add(item.split)
    assert all(len(splits) == 1 for splits in of_speaker.values())
    shares = Counter(item.split for item in divided.utterances)
    assert 30 <= shares["test"] <= 100
    assert 30 <= shares["validation"] <= 100


def test_speech_commands_lists_come_first(tmp_path):
    names = [f"{word}/{number:08x}_nohash_0.wav" for word in ("bed", "yes") for number in range(6)]
    # As some copies have it, and the lists, which say bed/..., do not.
    unknown = "_unknown_/bed_00000002_nohash_1.wav"
    root = make(tmp_path / "sc", *names, unknown)
    (tmp_path / "sc" / "validation_list.txt").write_text("\n".join(names[:2]))
    with raises("corpus-incomplete"):
        read_speech_commands(root)
    (tmp_path / "sc" / "testing_list.txt").write_text("\n".join(names[2:4]))
    corpus = read_speech_commands(root)
    splits = {corpus.relative(item.path): item.split for item in corpus.utterances}
    # All clips of a speaker go where one of them is listed.
    assert [splits[name] for name in names] == 2 * (["validation"] * 2 + ["test"] * 2 + ["train"] * 2)
    assert splits[unknown] == "test"
    assert corpus.official_split == "validation_list.txt and testing_list.txt"


@pytest.mark.parametrize("lists", [False, True])
def test_own_takes_in_a_copy_of_speech_commands_keep_their_speaker(tmp_path, lists):
    names = [f"{word}/{number:08x}_nohash_0.wav" for word in ("no", "yes") for number in range(6)]
    takes = [f"{word}/{who}_take_{n}.wav" for word in ("no", "yes") for who in ("anna", "ben") for n in range(6)]
    root = make(tmp_path / "sc", *names, *takes, *(f"no/2024-05-01_take_{n}.wav" for n in range(2)))
    if lists:
        (tmp_path / "sc" / "validation_list.txt").write_text("\n".join(names[:2]))
        (tmp_path / "sc" / "testing_list.txt").write_text("\n".join(names[2:4]))
    corpus = load_corpus(root)
    assert (corpus.name, len(corpus.speakers)) == ("speech_commands", 8)
    for who in ("anna", "ben"):
        said = [item for item in corpus.utterances if item.speaker == who]
        assert len(said) == 12
        assert len({item.split for item in said}) == 1
    assert corpus.speaker_source.endswith(": anna, ben")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        # From the corpus's own validation_list.txt, and from the clips of its test archive.
        ("a69b9b3e_nohash_0.wav", "validation"),
        ("439c84f4_nohash_1.wav", "validation"),
        ("409c962a_nohash_1.wav", "validation"),
        ("bed_ff2b842e_nohash_3.wav", "validation"),
        ("0bac8a71_nohash_0.wav", "test"),
        ("backward_0c540988_nohash_0.wav", "test"),
    ],
)
def test_official_hash(name, split):
    assert official_split(name) == split


@pytest.fixture(scope="module")
def small_commands(tmp_path_factory):
    """Speech Commands in its own layout, version 0.02: 35 words by 40 speakers, the lists, two noises."""
    root = tmp_path_factory.mktemp("whole") / "sc"
    speakers = [f"{number:08x}" for number in range(40)]
    names = [f"{word}/{name}_nohash_0.wav" for word in COMMANDS for name in speakers]
    clip = Path(make(root, names[0]), names[0]).read_bytes()
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(clip)
    rng = np.random.default_rng(0)
    (root / "_background_noise_").mkdir()
    for name in ("rain", "wind"):
        audio.write(root / "_background_noise_" / f"{name}.wav", 0.1 * rng.standard_normal(40000), 16000)
    for listed, split in (("validation_list.txt", "validation"), ("testing_list.txt", "test")):
        (root / listed).write_text("\n".join(name for name in names if official_split(os.path.basename(name)) == split))
    return str(root)


def is_cut_from(clip, noises):
    """Whether a tenth of a second of the clip stands in one of the noises, louder or softer."""
    part = clip[:1600]
    energies = [correlate(noise**2, np.ones(1600), "valid") for noise in noises]
    likeness = [
        (correlate(noise, part, "valid") / np.sqrt(energy * (part @ part))).max()
        for noise, energy in zip(noises, energies, strict=True)
    ]
    return max(likeness) > 0.5


def test_twelve_commands(small_commands, tmp_path, monkeypatch):
    """A tenth of the wanted clips each of unknown words and of silence in each split; the same wherever it is made."""
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "a"))
    corpus = load_corpus(f"{small_commands}:12")
    assert corpus.labels == ("_silence_", "_unknown_", *WANTED)
    counts = Counter((item.label, item.split) for item in corpus.utterances)
    for split in ("train", "validation", "test"):
        wanted = sum(counts[word, split] for word in WANTED)
        assert counts["_unknown_", split] == counts["_silence_", split] == math.ceil(wanted / 10) > 1
    for item in corpus.utterances:
        assert item.label == "_silence_" or item.split == official_split(os.path.basename(item.path))
    unknown = {corpus.relative(item.path).split("/")[0] for item in corpus.utterances if item.label == "_unknown_"}
    assert len(unknown) > 10
    assert not unknown & set(WANTED)
    silence = [audio.read(item.path) for item in corpus.utterances if item.label == "_silence_"]
    assert {(len(clip), rate) for clip, rate in silence} == {(16000, 16000)}
    volumes = [clip.std() / 0.1 for clip, _ in silence]
    assert min(volumes) < 0.2
    assert 0.8 < max(volumes) <= 1.01
    assert {os.path.basename(os.path.dirname(path)) for path in corpus.noise} == {"_background_noise_"}
    training = [audio.read(path)[0] for path in corpus.noise]
    for item in corpus.utterances:
        if item.label == "_silence_":
            assert is_cut_from(audio.read(item.path)[0], training) == (item.split == "train")
    again = load_corpus(f"{small_commands}:12", seed=1)
    assert again == corpus
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "b"))
    elsewhere = load_corpus(f"{small_commands}:12")
    assert elsewhere.made != corpus.made
    assert fingerprint(elsewhere) == fingerprint(corpus)


def test_thirty_five_commands(small_commands, tmp_path, monkeypatch):
    corpus = load_corpus(f"{small_commands}:35")
    assert corpus.labels == tuple(sorted(COMMANDS))
    assert corpus == load_corpus(small_commands)
    monkeypatch.setenv("KERASR_DATA", os.path.dirname(small_commands))
    monkeypatch.setitem(CORPORA, "speech_commands", replace(CORPORA["speech_commands"], folder="sc"))
    assert load_corpus("speech_commands:35") == corpus
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path))
    assert load_corpus(None, default="speech_commands:12") == load_corpus("speech_commands:12")


def test_tasks_that_cannot_be_had(small_commands, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERASR_DATA", small_commands)
    with raises("corpus-task-not-found"):
        load_corpus("speech_commands:20")
    other = make(tmp_path / "w", "yes/1.wav", "no/1.wav")
    with raises("corpus-task-not-found"):
        load_corpus(f"{other}:12")
    few = make(tmp_path / "few", *(f"{word}/0000000{n}_nohash_0.wav" for word in WANTED for n in range(3)))
    with raises("corpus-incomplete"):
        load_corpus(f"{few}:35")
    with raises("corpus-incomplete"):
        load_corpus(f"{few}:12")
    make(tmp_path / "few", "_background_noise_/rain.wav")
    with raises("corpus-incomplete"):
        load_corpus(f"{few}:12")
    shutil.rmtree(os.path.join(few, "go"))
    with raises("word-not-found"):
        load_corpus(f"{few}:12")


def test_a_manifest_tells_the_same_as_the_folder(tmp_path):
    root = make(
        tmp_path / "w", *(f"{word}/{n}.wav" for word in ("yes", "no") for n in range(30)), "_background_noise_/r.wav"
    )
    corpus = load_corpus(root)
    write_manifest(tmp_path / "w" / "m.jsonl", corpus.utterances, corpus.noise)
    listed = load_corpus(str(tmp_path / "w" / "m.jsonl"))
    assert sorted(map(repr, listed.utterances)) == sorted(map(repr, corpus.utterances))
    assert listed.noise == corpus.noise


def test_fsdd_at_hand(fsdd_folder):
    corpus = load_corpus(str(fsdd_folder))
    divided, _ = split_corpus(corpus)
    assert corpus.labels == fsdd.DIGITS
    assert len(corpus.speakers) == 6
    accents = Counter(item.extra["accent"] for item in corpus.utterances)
    assert accents == {"USA/neutral": 1000, "DEU/German": 1000, "GRC/Greek": 500, "BEL/French": 500}
    assert Counter(item.split for item in divided.utterances) == {"train": 2400, "validation": 300, "test": 300}
    download.verify_files(str(fsdd_folder), os.path.join(os.path.dirname(fsdd.__file__), "fsdd.sha256"))


def test_speech_commands_at_hand(speech_commands_folder):
    """The clips at hand are all of the official test: it is refused when asked for, and passed over otherwise."""
    corpus = load_corpus(str(speech_commands_folder))
    assert (len(corpus.utterances), len(corpus.labels), len(corpus.speakers), len(corpus.noise)) == (3247, 12, 165, 6)
    assert {official_split(os.path.basename(item.path)) for item in corpus.utterances if item.speaker} == {"test"}
    divided, said = split_corpus(corpus)
    assert said.startswith("by speaker: 165 speakers")
    assert "the official split cannot be used" in said
    parts = [
        {u.speaker for u in divided.utterances if u.split == s and u.speaker} for s in ("train", "validation", "test")
    ]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 165
    silence = Counter(item.split for item in divided.utterances if item.label == "_silence_")
    assert min(silence["train"], silence["validation"], silence["test"]) > 5
    with raises("split-impossible"):
        split_corpus(corpus, "official")
    # Its folders are those of the task already, but for the silences, which are cut out of the noises.
    twelve = load_corpus(f"{speech_commands_folder}:12")
    assert said_in(twelve) == said_in(corpus)
    assert set(twelve.labels) == set(corpus.labels)
    divided, _ = split_corpus(twelve, "speaker")
    silence = Counter(item.split for item in divided.utterances if item.label == "_silence_")
    assert silence["train"] > 200
    assert silence["validation"] == silence["test"] > 20


def test_audio_suffixes_are_read(tmp_path):
    root = make(tmp_path / "w", *(f"{word}/clip{suffix}" for word in ("yes", "no") for suffix in audio.SUFFIXES))
    assert words(load_corpus(root)) == {"yes": 4, "no": 4}
