"""Training clips by the program flite: its four voices in turn, trimmed, kept, and clear words where it fails."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from _errors import raises
from _shared import quiet

from kerasr import audio
from kerasr.data import Corpus, load_corpus
from kerasr.data.corpora import synthetic
from kerasr.data.corpora.flite import VOICES, check_flite, read_flite
from kerasr.data.corpora.load import check_corpus_name, speak_training_clips
from kerasr.data.corpora.read_aloud import read_aloud
from kerasr.data.manifest import SPLITS
from kerasr.recipes import get_recipe
from kerasr.tasks.synthesize import Synthesize
from kerasr.training.trainer import train_recipe

WORDS = {"yes": ["yes"], "go on": ["go on", "carry on"]}

# Stands in for flite: notes how it was called, and writes a tone between two silences.
PROGRAM = """#!{python} -S
import json, math, os, struct, sys, wave
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
features = dict(part.split("=") for flag, part in zip(sys.argv[1::2], sys.argv[2::2]) if flag == "--setf")
with open(os.path.join(os.path.dirname(__file__), "calls"), "a") as calls:
    calls.write(json.dumps([arguments["-t"], arguments["-voice"], features]) + "\\n")
if "unheard of" in arguments["-t"]:
    sys.exit("no such word")
loud = 0 if "..." in arguments["-t"] else 8000
length = int(2000 * float(features.get("duration_stretch", 1)))
tone = [int(loud * math.sin(0.1 * step)) for step in range(length)]
with wave.open(arguments["-o"], "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
    file.writeframes(b"".join(struct.pack("<h", value) for value in [0] * 1600 + tone + [0] * 1600))
"""


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """What the stand-in on the path has been asked to say so far."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "flite").write_text(PROGRAM.format(python=sys.executable))
    (folder / "flite").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lambda: [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def test_the_voices_take_turns(calls, tmp_path):
    corpus = read_flite(WORDS, str(tmp_path / "cache"), clips_per_word=8)
    assert [item.label for item in corpus.utterances] == ["yes"] * 8 + ["go on"] * 8
    assert [item.speaker for item in corpus.utterances] == [f"flite:{voice}" for voice in VOICES] * 4
    assert {item.split for item in corpus.utterances} == {None}
    assert len(calls()) == 16
    assert {text.rstrip(".,?!") for text, _, _ in calls()} == {"yes", "go on", "carry on"}
    for _, voice, features in calls():
        assert 0.75 <= float(features["duration_stretch"]) <= 1.5
        assert abs(np.log2(float(features["int_f0_target_mean"]) / VOICES[voice])) < 0.46
    assert len({json.dumps(features) for *_, features in calls()}) == 16


def test_the_silence_around_a_word_is_cut(calls, tmp_path):
    corpus = read_flite({"yes": ["yes"]}, str(tmp_path / "cache"), clips_per_word=1)
    waveform, rate = audio.read(corpus.utterances[0].path)
    spoken = 2000 * float(calls()[0][2]["duration_stretch"])
    assert spoken < len(waveform) < spoken + 0.05 * rate
    assert corpus.utterances[0].duration == pytest.approx(len(waveform) / rate)


def test_what_was_spoken_is_kept(calls, tmp_path, monkeypatch):
    first = read_flite(WORDS, str(tmp_path / "cache"), seed=3, clips_per_word=2)
    monkeypatch.setenv("PATH", "")
    assert read_flite(WORDS, str(tmp_path / "cache"), seed=3, clips_per_word=2) == first
    assert len(calls()) == 4


def test_what_cannot_be_is_said_before_anything_is_spoken(calls, monkeypatch):
    check_flite("EN_gb ", 1)
    with raises("setting-out-of-range"):
        check_flite("en", 0)
    with raises("language-not-found"):
        check_flite("de", 1)
    monkeypatch.setenv("PATH", "")
    with raises("program-not-found"):
        check_flite("en", 1)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"stop": ["[[st'0p]]"]}, "voice-failed"),
        ({"so": ["unheard of"]}, "voice-failed"),
        ({"dots": ["..."]}, "voice-failed"),
    ],
)
def test_what_flite_cannot_say(words, code, calls, tmp_path):
    with raises(code):
        read_flite(words, str(tmp_path / "cache"), clips_per_word=1)
    assert not list(tmp_path.glob("cache/*"))


def test_both_engines_side_by_side(calls, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    spoken = Corpus("spoken", read_flite(WORDS, str(tmp_path / "other"), clips_per_word=1).utterances, licence="GPL")
    monkeypatch.setattr(synthetic, "read_synthetic", lambda *_, **__: spoken)
    both = speak_training_clips(Corpus("mine", (), labels=("yes", "no")), espeak_clips=1, flite_clips=4)
    assert [item.split for item in both.utterances] == ["train"] * (2 + 8)
    assert both.licence.startswith("GPL; made with flite")


@pytest.fixture
def sentences(tmp_path):
    """A text of ninety sentences, one of them twice, and two lines that nobody says."""
    path = tmp_path / "book.txt"
    lines = [
        f"this is sentence {'number ' * (number % 3)}{chr(97 + number // 26)}{chr(97 + number % 26)}."
        for number in range(90)
    ]
    path.write_text("\n".join([*lines, lines[0], "...", "too long " * 30]))
    return path


def test_texts_are_read_aloud_by_the_voices_in_turn(calls, sentences, tmp_path):
    corpus = read_aloud(f"flite:{sentences}", str(tmp_path / "cache"))
    assert [item.speaker for item in corpus.utterances[:6]] == ["flite:awb", "flite:rms", "flite:slt"] * 2
    assert sorted(text for text, *_ in calls()) == sorted(item.text for item in corpus.utterances)
    assert len(corpus.utterances) == len({item.text for item in corpus.utterances})
    whole, alone = corpus.utterances[:90], corpus.utterances[90:]
    parts = {split: [item.text for item in whole if item.split == split] for split in SPLITS}
    assert 0 < len(parts["test"]) < 15 > len(parts["validation"]) > 0
    assert corpus.has_official_split
    # Where a sentence belongs does not change with what is read beside it.
    some = read_aloud(f"flite:{sentences}", str(tmp_path / "cache"), clips=20).utterances
    assert all(item.text in parts[item.split] for item in some[:20])
    assert all(item.split == "train" and len(item.text.split()) < 4 for item in some[20:])
    # Words that stand alone are the training's.
    assert 0 < len(alone) == len({item.text for item in alone}) < 45
    assert all(item.split == "train" and len(item.text.split()) < 4 for item in alone)
    assert all(any(item.text in text for text in parts["train"]) for item in alone)


def test_a_table_is_read_by_its_last_column(calls, tmp_path, monkeypatch):
    folder = tmp_path / "LJSpeech-1.1"
    (folder / "wavs").mkdir(parents=True)
    (folder / "metadata.csv").write_text("LJ1|In 1455|in fourteen fifty-five\nLJ2|he said|he said")
    monkeypatch.setenv("KERASR_DATA", str(tmp_path))
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    corpus = load_corpus("flite:ljspeech", min_labels=0)
    assert {item.text for item in corpus.utterances[:2]} == {"in fourteen fifty-five", "he said"}


def test_what_cannot_be_read_aloud(calls, tmp_path, monkeypatch):
    (tmp_path / "empty.txt").write_text("...\n")
    cache = str(tmp_path / "cache")
    for name in ("nothing.txt", "ljspeech"):
        monkeypatch.setenv("KERASR_DATA", str(tmp_path))
        monkeypatch.setenv("KERASR_CACHE", cache)
        with raises("corpus-not-found"):
            check_corpus_name(f"flite:{name}")
    with raises("text-missing"):
        read_aloud(f"flite:{tmp_path / 'empty.txt'}", cache)
    (tmp_path / "one.txt").write_text("Hello.")
    monkeypatch.setenv("PATH", "")
    with raises("program-not-found"):
        read_aloud(f"flite:{tmp_path / 'one.txt'}", cache)


def test_a_voice_learns_of_sentences_alone(sentences):
    config = get_recipe("sentences_voice")
    Synthesize.check(config)
    with raises("settings-conflict"):
        Synthesize.check(config.replace(data=str(sentences)))


@pytest.mark.full
def test_training_beside_recordings(calls, short_config, tmp_path, monkeypatch):
    """More training clips, and neither the other splits nor the front-end's statistics change."""
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    alone, run = (train_recipe(short_config.replace(flite_clips=number), console=quiet()) for number in (0, 4))
    spoken = [item for item in run.utterances("train") if (item.speaker or "").startswith("flite:")]
    assert len(spoken) == 4 * len(run.labels) == run.facts["voices"]["clips"]
    for split in ("validation", "test"):
        assert run.utterances(split) == alone.utterances(split)
    assert run.facts["statistics"] == alone.facts["statistics"]


@pytest.mark.skipif(shutil.which("flite") is None, reason="the program flite is not installed: apt install flite")
def test_the_program_speaks_the_same_for_a_seed(tmp_path):
    def spoken(folder, seed):
        return read_flite(WORDS, str(tmp_path / folder), seed=seed, clips_per_word=4).utterances

    def content(utterances):
        return [Path(item.path).read_bytes() for item in utterances]

    first = spoken("first", 1)
    assert content(first) == content(spoken("second", 1))
    assert not set(content(first)) & set(content(spoken("first", 2)))
    assert len(set(content(first))) == 8
    assert all(0.2 < item.duration < 2 for item in first)
