"""What is wrong with a run is said, and of a good one nothing."""

import json
import shutil

import numpy as np
import pytest
from _errors import raises

from kerasr import audio, compare, evaluate
from kerasr.audio.features import Features
from kerasr.core.console import make_console
from kerasr.data.corpora.folder import read_folder
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.evaluation.judgement import judge_run, judge_stream, judge_test, judge_validation
from kerasr.metrics.classification import classification_metrics
from kerasr.metrics.detection import detection_metrics
from kerasr.metrics.judgement import judge_classification, judge_detection
from kerasr.models.from_waveform import attach_front_ends
from kerasr.models.registry import builder
from kerasr.report import draw_cost
from kerasr.runs import __main__ as runs
from kerasr.runs.run import load_run


def metrics_of(said, heard, speakers=None, detector=False):
    number = 2 if detector else int(max(*said, *heard)) + 1
    names = ["not it", "it"] if detector else [f"word {place}" for place in range(number)]
    measure = detection_metrics if detector else classification_metrics
    return measure(np.eye(number)[np.asarray(heard)], said, names, speakers)


def codes(judgements):
    return [judgement.code for judgement in judgements]


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ([0] * 50 + [1] * 50, [0] * 48 + [1] * 52, []),
        # Four of five clips say the first word, and it says that always.
        ([0] * 80 + [1] * 20, [0] * 100, ["worse_than_constant"]),
        ([0] * 80 + [1] * 20, [0] * 70 + [1] * 10 + [0] * 20, ["worse_than_constant"]),
        # 18 of 40 of three words, by guessing.
        ([0] * 14 + [1] * 13 + [2] * 13, [0] * 6 + [1] * 14 + [2] * 7 + [2] * 5 + [0] * 8, ["near_chance"]),
        # A test of one word alone: always saying it is no answer that anything could be better than.
        ([0] * 30, [0] * 29 + [1], []),
    ],
)
def test_word_models_no_better_than_an_answer_that_does_not_listen(said, heard, expected):
    assert codes(judge_classification(metrics_of(said, heard))) == expected


def test_few_speakers_do_not_make_a_good_score_chance():
    said = [0, 1, 2] * 60
    right = metrics_of(said, [(word + (place % 10 == 0)) % 3 for place, word in enumerate(said)], [*"ab"] * 90)
    assert right["accuracy_interval"][0] < 1 / 3 < right["accuracy"], "t of two speakers holds nearly everything"
    assert judge_classification(right) == []
    assert codes(judge_test(right)) == ["few_test_speakers"]


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ([1] * 30 + [0] * 300, [1] * 27 + [0] * 3 + [1] * 4 + [0] * 296, []),
        # A constant answer is 80% right, and no detector.
        ([1] * 60 + [0] * 240, [0] * 300, ["constant_answer"]),
        ([1] * 60 + [0] * 240, [1] * 300, ["constant_answer"]),
        ([1] * 60 + [0] * 240, [1] * 30 + [0] * 30 + [1] * 110 + [0] * 130, ["near_chance"]),
        # It tells them apart, and is wrong five times as often as if it never answered yes.
        ([1] * 29 + [0] * 322, [1] * 28 + [0] + [1] * 150 + [0] * 172, ["worse_than_constant"]),
        ([0] * 10, [0] * 10, []),
    ],
)
def test_detectors_no_better_than_an_answer_that_does_not_listen(said, heard, expected):
    assert [
        code for code in codes(judge_detection(metrics_of(said, heard, detector=True))) if "few" not in code
    ] == expected


@pytest.mark.parametrize(
    ("accuracy", "keep", "expected"),
    [
        (np.linspace(0.5, 0.95, 20), "last", []),
        ([*np.linspace(0.5, 0.95, 10), *np.linspace(0.9, 0.7, 8)], "last", ["falling_validation"]),
        ([*np.linspace(0.5, 0.95, 10), *np.linspace(0.9, 0.7, 8)], "best", []),
        # Noise of a hundred clips about a plateau.
        (0.9 + 0.03 * np.random.default_rng(0).standard_normal(40), "last", []),
        # The best of a short training is its third epoch, and five follow.
        ([0.6, 0.8, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4], "last", ["falling_validation"]),
        ([0.95, 0.5, 0.5, 0.6, 0.55, 0.6, 0.7], "last", ["falling_validation"]),
        (np.linspace(0.9, 0.2, 5), "last", []),
    ],
)
def test_a_validation_that_falls_while_the_last_weights_are_kept(accuracy, keep, expected):
    history = [{"epoch": number, "val_accuracy": float(value)} for number, value in enumerate(accuracy, start=1)]
    assert codes(judge_validation(history, keep, 100)) == expected


def test_tests_that_are_too_small_to_tell():
    said = [1] * 12 + [0] * 12
    assert codes(judge_test(metrics_of(said, said, [*"abcd"] * 6))) == ["few_test_speakers"]
    assert codes(judge_test(metrics_of(said, said, [*"abcdef"] * 4))) == []
    assert codes(judge_test(metrics_of(said, said))) == []
    few = [1] * 3 + [0] * 21
    assert codes(judge_detection(metrics_of(few, few, detector=True))) == ["few_positive_clips"]
    only = [1] * 20
    assert codes(judge_detection(metrics_of(only, only, detector=True))) == ["few_negative_clips"]


@pytest.mark.parametrize(
    ("missed", "words", "expected"),
    [(5, 100, []), (15, 100, []), (40, 100, ["stream_misses"]), (6, 17, ["stream_misses"]), (1, 4, [])],
)
def test_streams_in_which_far_less_is_found(missed, words, expected):
    rows = [
        {"snr_db": 20.0, "miss_rate": missed / words, "num_words": words},
        {"snr_db": 0.0, "miss_rate": 0.9, "num_words": words},
    ]
    assert codes(judge_stream({"test": rows}, 0.97)) == expected


def test_what_was_found_in_a_stream_is_said_with_each_score(tone_run, tmp_path):
    path = shutil.copytree(tone_run, tmp_path / "run")
    facts = json.loads((path / "run.json").read_text())
    remark = {"code": "stream_misses", "text": "In a stream half of the words are found."}
    (path / "run.json").write_text(json.dumps(facts | {"stream": {"threshold": 0.5, "judgements": [remark]}}))
    said = [0, 1, 2] * 30
    assert codes(judge_run(load_run(path), [], metrics_of(said, said))) == ["stream_misses"]
    (path / "run.json").write_text(json.dumps(facts | {"stream": {"threshold": 0.5, "judgements": [{"code": 1}]}}))
    with raises("run-damaged", r"run\.json"):
        load_run(path)


def test_a_run_is_judged_wherever_its_score_is_shown(tone_run, tmp_path, capsys):
    """Its copy hears every clip as one word, has clips that are too long for it, and a rate above its recordings'."""
    good = evaluate_run(load_run(tone_run), folder=tmp_path / "good").metrics
    assert good["num_correct"] == good["num_clips"] < 10
    assert [item["code"] for item in good["judgements"]] == ["near_chance"], "so few prove nothing"
    path = shutil.copytree(tone_run, tmp_path / "deaf")
    config = json.loads((path / "config.json").read_text())
    spec = {**config["features"], "sample_rate": 16000, "clip_seconds": 0.1}
    (path / "config.json").write_text(json.dumps(config | {"features": spec}))
    run = load_run(path)
    deaf = builder(run.config.model.name)(run.config.features.shape, 3, **run.config.model.options)
    layer = deaf.get_layer("logits")
    layer.set_weights([0 * layer.get_weights()[0], np.arange(3, dtype="float32")])
    attach_front_ends([Features(run.config.features)], deaf).save(path / "model.keras")
    evaluate.main([str(path), "--out", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    measured = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [item["code"] for item in measured["judgements"]] == [
        "worse_than_constant",
        "long_clips",
        "lower_sample_rate",
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    for flag in ("--features.clip-seconds", "--features.sample-rate 8000"):
        assert flag in shown
        assert flag in page


@pytest.mark.usefixtures("scores_alone")
def test_recordings_that_are_longer_than_what_the_model_looks_at(tone_run, tmp_path):
    """Such are often not cut, and their word is elsewhere than in their middle; those of the training fit."""
    for number in range(20):
        place = tmp_path / "mine" / ("low", "high")[number % 2] / f"{number}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        audio.write(place, np.random.default_rng(number).normal(size=16000) / 100, 8000)
    corpus = read_folder(str(tmp_path / "mine"))
    evaluation = evaluate_run(load_run(tone_run), corpus=corpus, folder=tmp_path / "out")
    assert "long_recordings" in [item["code"] for item in evaluation.metrics["judgements"]]
    # What a notebook shows has the headline and the notes, and no table of numbers.
    shown = repr(evaluation).splitlines()
    assert shown[0].startswith(f"{evaluation.metrics['accuracy']:.1%}")
    assert len(shown) == len(evaluation.notes) + 2


def test_the_listing_of_a_narrow_terminal_has_whole_ages(tmp_path, monkeypatch, capsys):
    run = tmp_path / "runs" / "2026-11-28-wakeword-1"
    run.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (run / "run.json").write_text(json.dumps({"status": "done", "started": "2020-01-01T00:00:00+00:00"}))
    (run / "config.json").write_text(json.dumps({"model": {"name": "ResidualCNN"}}))
    (run / "metrics.json").write_text(json.dumps(metrics_of([1] * 30 + [0] * 300, [1] * 330, detector=True)))
    runs.main([])
    row = capsys.readouterr().out.splitlines()[1].rstrip()
    assert row.startswith("runs/2026-11-28-wakeword-1 ")
    assert row.endswith(" d")


def test_a_detectors_headline_is_its_misses_and_false_alarms(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "160")  # In 80 it takes two lines.
    said = np.array([1] * 30 + [0] * 300)
    heard = np.array([1] * 27 + [0] * 3 + [1] * 4 + [0] * 296)
    run = tmp_path / "runs" / "detector"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"status": "done", "started": "2026-11-28T06:00:00+00:00"}))
    (run / "metrics.json").write_text(json.dumps(metrics_of(said, heard, detector=True)))
    row = runs.describe_run(run)
    assert row["score"] == "misses 3 of 30, false alarms 4 of 300"
    cost = {"name": "run", "model": "ResNet8", "parameters": 9, "macs": 9, "seconds_per_epoch": 1.0, "latency_ms": 1.0}
    compared = {**metrics_of(said, heard, detector=True), **cost, "score": row["score"], "model_bytes": 9}
    compare.print_comparison(make_console(), {"runs": [compared], "pairs": [], "notes": []})
    assert row["score"] in capsys.readouterr().out
    assert row["score"] in draw_cost([compared]).svg()
    # Earlier versions counted no words missed.
    earlier = {"accuracy": 0.9, "detector": {"recall": 0.5}, "confusion": [[296, 4], [3, 27]]}
    (run / "metrics.json").write_text(json.dumps(earlier))
    assert runs.describe_run(run)["score"] == row["score"]
    (run / "metrics.json").write_text(json.dumps({"accuracy": 0.9, "detector": {"recall": 0.5}}))
    assert runs.describe_run(run)["score"] == "90.0%"
