"""Spoken words made with espeak-ng: deterministic, held out by voice, whole or absent, in a process of their own."""

import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from _errors import raises
from _shared import quiet
from rich.console import Console

from kerasr import audio, train
from kerasr.config import TrainConfig
from kerasr.data import Corpus, load_corpus, split_corpus
from kerasr.data.corpora import synthetic
from kerasr.data.corpora.load import speak_training_clips
from kerasr.data.corpora.synthetic import parse_words, read_synthetic
from kerasr.data.manifest import SPLITS
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.recipes.voices import SCORES, expect_of_people
from kerasr.text.espeak import find_espeak
from kerasr.training.preparation import prepare_run
from kerasr.training.trainer import train_recipe

needs_voices = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason='espeakng-loader is missing: pip install -e ".[voices]"'
)
HOUSE = Path(__file__).parents[2]
WORDS = {"yes": "yes", "no": "no", "turn left": "turn left"}


def content(corpus):
    return [Path(item.path).read_bytes() for item in corpus.utterances]


def test_words_are_parsed():
    words = parse_words("synthetic:yes, turn_left ,no")
    assert list(words.items()) == [("yes", "yes"), ("turn_left", "turn left"), ("no", "no")]


def test_words_bring_their_pronunciation():
    words = parse_words("stop=[[st'0p]],colour=[[k'VlI2,@]] , go=goh")
    assert words == {"stop": "[[st'0p]]", "colour": "[[k'VlI2,@]]", "go": "goh"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("synthetic:", "setting-invalid"),
        ("synthetic:yes,,no", "setting-invalid"),
        ("synthetic:yes,yes", "word-twice"),
        ("synthetic:yes=,no", "setting-invalid"),
        ("synthetic:stop=halt|", "setting-invalid"),
    ],
)
def test_words_that_cannot_be_used(name, code):
    with raises(code):
        load_corpus(name)


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with raises("package-not-found"):
        read_synthetic({"yes": "yes"}, str(tmp_path))
    assert os.listdir(tmp_path) == []


@needs_voices
def test_a_corpus_like_any_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    corpus = load_corpus("synthetic:yes,no,turn left", seed=3)
    assert corpus.labels == tuple(WORDS)
    assert "GPL-3" in corpus.licence
    assert all(0.1 < item.duration < 2 for item in corpus.utterances)
    divided, said = split_corpus(corpus)
    assert said.startswith("by speaker")
    parts = [{u.speaker for u in divided.utterances if u.split == split} for split in ("train", "validation", "test")]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(corpus.speakers)
    assert capsys.readouterr().err == ""
    again = load_corpus("synthetic:yes,no,turn left", seed=3)
    assert again == corpus
    assert len(list((tmp_path / "cache").glob("synthetic-*"))) == 1


@needs_voices
def test_deterministic_for_a_seed(tmp_path):
    first = read_synthetic(WORDS, str(tmp_path / "a"), seed=1, clips_per_word=105)
    assert content(first) == content(read_synthetic(WORDS, str(tmp_path / "b"), seed=1, clips_per_word=105))
    assert content(first) != content(read_synthetic(WORDS, str(tmp_path / "a"), seed=2, clips_per_word=110))
    assert len(first.speakers) > 100
    accents = {Path(item.path).name.split("_")[1].split("+")[0] for item in first.utterances}
    assert accents == {
        "en-gb", "en-us", "en-us-nyc", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd",
    }  # fmt: skip


@needs_voices
def test_one_of_several_texts_is_spoken(tmp_path):
    """`no|nevertheless` has short clips and long ones; a bar among phonemes parts nothing."""
    corpus = read_synthetic(parse_words("no=no|nevertheless"), str(tmp_path / "a"), clips_per_word=12)
    seconds = sorted(item.duration for item in corpus.utterances)
    assert seconds[-1] > 1.5 * seconds[0]
    assert {item.label for item in corpus.utterances} == {"no"}
    one = read_synthetic(parse_words("stop=[[st|'0p]]"), str(tmp_path / "b"), clips_per_word=2)
    assert all(item.duration < 1 for item in one.utterances)


@needs_voices
def test_clips_are_trimmed_and_differ(tmp_path):
    corpus = read_synthetic({"seven": "seven"}, str(tmp_path), clips_per_word=20)
    waveforms = [audio.read(item.path)[0] for item in corpus.utterances]
    assert len({waveform.tobytes() for waveform in waveforms}) == 20
    for waveform in waveforms:
        loud = np.flatnonzero(np.abs(waveform) > 0.02 * np.abs(waveform).max())
        assert max(loud[0], len(waveform) - loud[-1]) < 0.05 * 22050


@needs_voices
def test_phonemes_and_languages_are_heard(tmp_path):
    def spoken(words, language):
        corpus = read_synthetic(parse_words(words), str(tmp_path), language=language, clips_per_word=2)
        return [Path(item.path).name for item in corpus.utterances], content(corpus)

    assert spoken("stop=[[st'0p]]", "en-gb")[1] == spoken("stop", "en-gb")[1]
    assert spoken("stop=[[st'0p]]", "en-gb")[1] != spoken("stop=[[g'oU]]", "en-gb")[1]
    names, halt = spoken("halt", "de")
    assert all("_de+" in name for name in names)
    assert halt != spoken("halt", "en")[1]


@needs_voices
@pytest.mark.parametrize(
    ("language", "near"),
    [("german", "de (German)"), ("zh", "cmn (Chinese"), ("qqq", "af, am, "), ("fo", "fr-"), ("", "af, am, ")],
)
def test_an_unknown_language_names_the_nearest(language, near, tmp_path):
    with raises("language-not-found", f"--language {language}: espeak-ng has no voice") as error:
        read_synthetic(WORDS, str(tmp_path), language=language, clips_per_word=1)
    assert near in str(error.value)
    assert os.listdir(tmp_path) == []


@needs_voices
def test_another_script_is_an_accent_of_no_one():
    _, data = find_espeak("a test")
    assert "en-shaw" not in synthetic.find_accents("EN", data)
    assert list(synthetic.find_accents("en-shaw", data)) == ["en-shaw"]
    assert set(synthetic.find_accents("pt", data)) == {"pt", "pt-br"}
    assert all(code.startswith("en-gb") for code in synthetic.find_accents("en_GB", data))


@needs_voices
def test_a_text_is_no_word(tmp_path):
    with raises("voice-failed"):
        read_synthetic({"long": "and so on, " * 40}, str(tmp_path), clips_per_word=1)


@needs_voices
def test_a_word_without_sound(tmp_path):
    with raises("voice-failed") as error:
        read_synthetic({"yes": "yes", "dots": "..."}, str(tmp_path), clips_per_word=2)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_a_child_that_dies_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "find_espeak", lambda what: ("/nowhere/libespeak-ng.so", str(tmp_path / "data")))
    (tmp_path / "data" / "lang").mkdir(parents=True)
    (tmp_path / "data" / "lang" / "en").write_text("name English\nlanguage en\n")
    (tmp_path / "data" / "en_dict").touch()
    (tmp_path / "data" / "voices" / "!v").mkdir(parents=True)
    (tmp_path / "data" / "voices" / "!v" / "f1").touch()
    with raises("voice-failed"):
        read_synthetic({"yes": "yes"}, str(tmp_path / "cache"), clips_per_word=1)
    assert os.listdir(tmp_path / "cache") == []


@pytest.mark.full
@needs_voices
def test_training_clips_beside_recordings(short_config, tmp_path, monkeypatch):
    """In the training split alone, by speakers of their own, and none of what the recordings decide changes."""
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    config = short_config.replace(words="low,high=[[h'aI]]", synthetic_voices=4)
    alone = train_recipe(config.replace(synthetic_voices=0, words=None), console=quiet())
    beside = train_recipe(config, console=quiet())
    spoken = [item for item in beside.utterances("train") if (item.speaker or "").startswith("espeak:")]
    assert sorted(item.label for item in spoken) == ["high"] * 4 + ["low"] * 4
    assert len({item.speaker for item in spoken}) == 4
    assert len(beside.utterances("train")) == len(alone.utterances("train")) + 8
    for split in ("validation", "test"):
        assert beside.utterances(split) == alone.utterances(split)
    assert beside.facts["statistics"] == alone.facts["statistics"]
    assert beside.facts["corpus"] == alone.facts["corpus"]
    assert beside.facts["voices"]["clips"] == 8
    assert "voices" not in alone.facts
    with raises("setting-missing"):
        train_recipe(config.replace(words="low", synthetic_voices=0), console=quiet())
    with raises("setting-out-of-range"):
        train_recipe(config.replace(synthetic_voices=-1), console=quiet())
    with raises("word-not-found"):
        train_recipe(config.replace(words="low,stop"), console=quiet())


@pytest.mark.full
@needs_voices
@pytest.mark.usefixtures("scores_alone")
def test_words_alone_are_a_corpus(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    words = "lights on,please turn all the lights off"
    arguments = ["--words", words, "--language", "en-gb", "--synthetic-voices", "6"]
    config = train.parse_arguments(
        [*arguments, "--out", str(tmp_path / "runs"), "--epochs", "1", "--model.width", "0.25"]
    ).train
    assert config.recipe == "voices"
    run = train_recipe(config, console=quiet())
    assert run.labels == tuple(words.split(","))
    longest = max(item.duration or 0 for split in SPLITS for item in run.utterances(split))
    assert 1 < longest <= run.config.features.clip_seconds < longest + 0.1
    same = config.replace(words=None, data=f"synthetic:{words}", out=str(tmp_path / "others"))
    assert prepare_run(same, quiet()).config.features == run.config.features
    assert sum(len(run.utterances(split)) for split in SPLITS) == 12
    # What that says of people stands in the report and on the screen.
    assert expect_of_people(run.config) in evaluate_run(run).notes
    train.print_result(Console(), run)
    assert "of real recordings" in " ".join(capsys.readouterr().out.split())


def test_what_would_help_is_said_to_those_whom_it_would_help():
    english = TrainConfig().replace(words="yes,no")
    scores = json.loads(SCORES.read_text())
    assert f"{scores['without']:.0%} of real recordings" in expect_of_people(english)
    assert "--flite-clips 300" in expect_of_people(english)
    assert "--flite-clips" not in expect_of_people(english.replace(language="de"))
    with_flite = expect_of_people(english.replace(flite_clips=100))
    assert f"{scores['with_flite']:.0%} of real recordings" in with_flite
    assert "--flite-clips" not in with_flite


def test_labels_that_are_no_words_are_not_spoken(monkeypatch):
    said = {}
    monkeypatch.setattr(synthetic, "read_synthetic", lambda words, *_, **__: said.update(words) or Corpus("made", ()))
    speak_training_clips(Corpus("mine", (), labels=("_silence_", "turn_left", "7")), espeak_clips=1)
    assert said == {"turn_left": "turn left", "7": "7"}


@needs_voices
def test_words_that_no_folder_could_be_named_after(tmp_path):
    corpus = read_synthetic(parse_words("and/or,是的 no?"), str(tmp_path), clips_per_word=2)
    assert corpus.labels == ("and/or", "是的 no?")
    assert [item.label for item in corpus.utterances] == ["and/or"] * 2 + ["是的 no?"] * 2


@needs_voices
def test_two_at_once(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: read_synthetic(WORDS, str(tmp_path), clips_per_word=20), range(3)))
    assert made[0] == made[1] == made[2]
    assert len(os.listdir(tmp_path)) == 1
    assert all(os.path.isfile(item.path) for item in made[0].utterances)


@pytest.mark.full
@needs_voices
def test_beside_tensorflow(tmp_path):
    code = (
        "import sys, tensorflow as tf\n"
        "from kerasr.data.corpora.synthetic import read_synthetic\n"
        "corpus = read_synthetic({'yes': 'yes', 'no': 'no'}, sys.argv[1], clips_per_word=5)\n"
        "print(len(corpus.utterances), int(tf.reduce_sum(tf.ones([3]))))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HOUSE)
    assert (done.returncode, done.stdout.split()) == (0, ["10", "3"]), done.stderr


@needs_voices
def test_script(tmp_path):
    script = HOUSE / "data_scripts" / "synthetic_digits.py"

    def run():
        command = [sys.executable, str(script), str(tmp_path / "out"), "--words", "yes,no", "--clips-per-word", "3"]
        environment = {**os.environ, "PYTHONPATH": str(HOUSE)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    assert "6 recordings, 2 labels, 3 speakers" in run()
    assert load_corpus(str(tmp_path / "out" / "manifest.csv")).labels == ("no", "yes")
    assert "nothing to do" in run()
