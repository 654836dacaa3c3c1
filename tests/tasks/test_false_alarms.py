"""False alarms: counted as somebody would notice them, found in the training part alone, heard more often."""

import os
from dataclasses import replace

import numpy as np
import pytest
from _errors import raises
from _shared import SPEC, quiet
from rich.console import Console

from kerasr import audio, train
from kerasr.config import TrainConfig
from kerasr.data import Utterance, load_corpus, split_corpus
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.metrics.detection import THRESHOLDS
from kerasr.runs.run import load_run
from kerasr.tasks.false_alarms import (
    HARD,
    HARD_REPEATS,
    NEGATIVE,
    Segment,
    add_negatives,
    check_negatives,
    count_alarms,
    list_segments,
    measure_false_alarms,
    repeat_hard,
    score_segments,
)
from kerasr.training.runtime import decide_runtime
from kerasr.training.trainer import _pipelines, train_recipe


def tone(seconds, pitch, rate=8000):
    return 0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def long_folder(tmp_path):
    """Twenty seconds of a middle tone with low ones in it, which are false alarms of a detector of `low`."""
    waveform = tone(20, 900)
    rng = np.random.default_rng(0)
    for second in (3, 7, 18):
        waveform[second * 8000 : second * 8000 + 6400] = tone(0.8, 300)
    (tmp_path / "long").mkdir()
    audio.write(tmp_path / "long" / "talk.wav", waveform + 0.01 * rng.standard_normal(len(waveform)), 8000)
    return tmp_path / "long"


@pytest.fixture
def config(tones, tone_run, long_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    return TrainConfig().replace(
        data=str(tones),
        wanted="low",
        negatives=str(long_folder),
        hard_negatives=str(tone_run),
        model_options={"width": 0.25},
        features=SPEC,
        epochs=1,
        batch_size=8,
        out=str(tmp_path / "runs"),
    )


def test_reading_from_the_middle(tmp_path):
    audio.write(tmp_path / "a.wav", tone(2, 300), 8000)
    whole, _ = audio.read(tmp_path / "a.wav")
    part, _ = audio.read(tmp_path / "a.wav", max_seconds=0.5, start_seconds=1.25)
    np.testing.assert_array_equal(part, whole[10000:14000])
    with raises("recording-empty"):
        audio.read(tmp_path / "a.wav", start_seconds=3)


def test_what_is_measured_is_not_trained_on(long_folder):
    trained = list_segments(str(long_folder), SPEC, trained=True)
    measured = list_segments(str(long_folder), SPEC, trained=False)
    assert trained[0].start == 0
    assert trained[-1].start + 0.4 == pytest.approx(16, abs=0.2)
    assert trained[-1].start + 0.4 <= measured[0].start == 16
    assert measured[-1].start + 0.4 <= 20
    steps = np.diff([segment.start for segment in trained])
    np.testing.assert_allclose(steps, 0.2, atol=1e-9)


def test_an_alarm_that_lasts_is_one():
    segments = [Segment("a", 0.2 * number) for number in range(6)] + [Segment("b", 0.0)]
    scores = np.array([0.9, 0.8, 0.1, 0.6, 0.2, 0.7, 0.95])
    assert count_alarms(segments, scores, 0.5, SPEC) == 4
    assert count_alarms(segments, scores, 0.75, SPEC) == 2
    assert count_alarms(segments, scores, 0.99, SPEC) == 0
    assert count_alarms([], np.zeros(0), 0.5, SPEC) == 0


def test_hard_negatives_are_the_training_parts_false_alarms(config, tone_run):
    corpus, _ = split_corpus(load_corpus(config.data.path))
    marked, cut, facts = add_negatives(config, corpus, load_run)
    hard = [item for item in cut if HARD in item.extra]
    # Two of the three low tones lie in the part that trains, each in a few segments that overlap.
    assert 4 <= len(hard) == facts["segments_hard"] <= 12
    scores = load_run(tone_run).predict_files([item.path for item in hard])
    labels = load_run(tone_run).labels
    assert {labels[index] for index in scores.argmax(-1)} == {"low"}
    np.testing.assert_allclose([float(item.extra[HARD]) for item in hard], scores[:, labels.index("low")], atol=2e-3)
    assert {(item.label, item.split) for item in cut} == {(NEGATIVE, "train")}
    easy = len(cut) - len(hard)
    assert 0 < easy <= sum(item.split == "train" and item.label != "low" for item in corpus.utterances)
    # The run has learnt its clips: none of them is hard.
    assert facts["clips_hard"] == 0
    assert marked == corpus
    assert add_negatives(config, corpus, load_run)[1] == cut
    plain = add_negatives(config.replace(hard_negatives=None), corpus, load_run)
    assert not any(HARD in item.extra for item in plain[1])
    assert add_negatives(config.replace(hard_negatives=None, negatives=None), corpus, load_run) == (corpus, (), {})


def test_training_clips_that_fool_the_run_are_marked_and_no_others(config):
    """Recordings of low tones that are called `middle`: the earlier run errs on them, in whichever split they are."""
    corpus, _ = split_corpus(load_corpus(config.data.path))
    fooled = tuple(
        replace(item, label="middle", extra={"room": "hall"}) if item.label == "low" else item
        for item in corpus.utterances
    )
    wrong = replace(corpus, utterances=fooled)
    marked, _, facts = add_negatives(config.replace(negatives=None), wrong, load_run)
    for before, after in zip(fooled, marked.utterances, strict=True):
        assert (HARD in after.extra) == (before.split == "train" and "room" in before.extra)
        assert after.extra.get("room") == before.extra.get("room")
    hard = [item for item in marked.utterances if HARD in item.extra]
    assert facts["clips_hard"] == len(hard) > 5
    repeated = repeat_hard(marked.utterances)
    assert len(repeated) == len(fooled) + (HARD_REPEATS - 1) * len(hard)
    # A column that somebody calls `hard` is his own.
    assert repeat_hard([Utterance("a.wav", "low", extra={"hard": "no"})]) == [
        Utterance("a.wav", "low", extra={"hard": "no"})
    ]


@pytest.mark.usefixtures("scores_alone")
def test_a_run_with_hard_negatives(config, capsys):
    run = train_recipe(config, console=quiet())
    assert run.facts["negatives"]["hard_found_by"] == config.task.hard_negatives
    # What is remembered in the folder is what is heard: a run that is resumed goes on with the same.
    again = load_run(run.path)
    training = again.utterances("train")
    hard = sum(HARD in item.extra for item in training)
    assert hard == run.facts["negatives"]["segments_hard"] > 0
    pipeline, validation = _pipelines(again, decide_runtime(again.config))
    assert len(pipeline.utterances) == len(training) + (HARD_REPEATS - 1) * hard
    assert not any(item.label == NEGATIVE for item in validation.utterances)
    found = evaluate_run(run)
    assert os.path.isabs(again.config.task.negatives)
    assert os.path.isabs(again.config.task.hard_negatives)
    negatives = found.metrics["detector"]["negatives"]
    assert negatives["hours"] == pytest.approx(4 / 3600, rel=0.06)
    low, high = negatives["false_alarms_per_hour_interval"]
    assert low <= negatives["false_alarms_per_hour"] == negatives["false_alarms"] / negatives["hours"] < high
    assert any("False alarms were counted" in note for note in found.notes)
    train.print_result(Console(), run)
    out = capsys.readouterr().out.replace("\n", " ")
    assert f"{negatives['false_alarms_per_hour']:.1f} an hour (95% interval {low:.1f} to {high:.1f})" in out
    assert "words missed (95% interval" in out


def test_false_alarms_of_a_detector_that_hears_low_tones(config, tone_run):
    """The run at hand knows three tones; as a detector of `low` it errs once in the last fifth."""
    run = load_run(tone_run)
    run.config = run.config.replace(negatives=config.task.negatives, wanted="low")
    measured = measure_false_alarms(run)
    assert measured["false_alarms"] == 1
    assert measured["false_alarms_per_hour"] == pytest.approx(900, rel=0.06)
    assert [row["threshold"] for row in measured["by_threshold"]] == list(THRESHOLDS)
    assert len(score_segments(run, [])) == 0


def test_settings_that_cannot_be_had(config, tmp_path):
    corpus, _ = split_corpus(load_corpus(config.data.path))
    with raises("setting-missing"):
        check_negatives(config.replace(wanted=None))
    with raises("clip-length-missing", r"--features\.clip-seconds"):
        check_negatives(config.replace(features=replace(SPEC, clip_seconds=None)))
    with raises("word-not-found"):
        add_negatives(config.replace(wanted="hum"), corpus, load_run)
    (tmp_path / "empty").mkdir()
    with raises("no-recordings"):
        list_segments(str(tmp_path / "empty"), SPEC, trained=True)
    audio.write(tmp_path / "empty" / "short.wav", tone(0.3, 300), 8000)
    with raises("recordings-unusable"):
        list_segments(str(tmp_path / "empty"), SPEC, trained=True)
    with raises("setting-missing"):
        train_recipe(train.parse_arguments(["wakeword", "--data", str(tmp_path)]).train)
    assert train.parse_arguments(["wakeword", "--data", "mine", "--wanted", "low"]).train.recipe == "wakeword"
