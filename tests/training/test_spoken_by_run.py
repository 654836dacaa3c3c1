"""Words in the voices of a run that speaks, beside recordings and alone."""

import shutil

import pytest
import soundfile
from _errors import raises
from _shared import quiet

from kerasr.training.preparation import prepare_run
from kerasr.training.spoken_by_run import speak_by_run


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))


def test_voices_between_its_own_say_the_words(voice_run):
    corpus = speak_by_run(f"{voice_run.path}:3", {"low": "low", "stop": "mid|top"})
    assert [item.label for item in corpus.utterances] == ["low"] * 3 + ["stop"] * 3
    assert {item.speaker for item in corpus.utterances} <= {"voice:speaker0", "voice:speaker1"}
    assert all(item.duration > 0.03 for item in corpus.utterances)
    with soundfile.SoundFile(corpus.utterances[0].path) as file:
        assert "synthetic speech" in file.comment


def test_what_was_spoken_is_kept_for_that_run(voice_run, tmp_path):
    first, again = (speak_by_run(f"{voice_run.path}:1", {"low": "low"}) for _ in range(2))
    assert first == again
    other = shutil.copytree(voice_run.path, tmp_path / "other")
    assert speak_by_run(f"{other}:1", {"low": "low"}).root == first.root
    assert speak_by_run(f"{other}:1", {"low": "low"}, seed=1).root != first.root


def test_words_that_nobody_has_recorded_train_a_recogniser(voice_run, short_config):
    config = short_config.replace(data=None, words="low,mid,top", synthetic_voices=f"{voice_run.path}:6")
    run = prepare_run(config, quiet())
    assert run.labels == ("low", "mid", "top")
    assert {item.speaker for item in run.utterances("train")} == {"voice:speaker0", "voice:speaker1"}


def test_one_word_is_too_few(voice_run, short_config):
    config = short_config.replace(data=None, words="low", synthetic_voices=f"{voice_run.path}:2")
    with raises("too-few-labels"):
        prepare_run(config, quiet())


def test_they_train_beside_recordings(voice_run, short_config):
    run = prepare_run(short_config.replace(words="low", synthetic_voices=f"{voice_run.path}:4"), quiet())
    spoken = [item for item in run.utterances("train") if (item.speaker or "").startswith("voice:")]
    assert [item.label for item in spoken] == ["low"] * 4


def test_what_cannot_be_said(voice_run, tone_run):
    with raises("text-unwritable"):
        speak_by_run(str(voice_run.path), {"seven": "seven"})
    with raises("task-unsupported"):
        speak_by_run(str(tone_run), {"low": "low"})
