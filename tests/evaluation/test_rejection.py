"""None of the words: the threshold keeps what it promises, and the commands act on it."""

import json
import shutil

import numpy as np
import pytest
from _shared import quiet

from kerasr import predict
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.evaluation.rejection import choose_rejection
from kerasr.metrics.rejection import KEEP, count_rejected, rejection_threshold
from kerasr.runs.folder import update_facts
from kerasr.runs.run import load_run
from kerasr.training.trainer import train_recipe


def made_up(num_clips, seed=0):
    rng = np.random.default_rng(seed)
    label_index = rng.integers(4, size=num_clips)
    powers = np.exp(rng.normal(size=(num_clips, 4)) + 3 * np.eye(4)[label_index])
    return powers / powers.sum(-1, keepdims=True), label_index


@pytest.mark.parametrize("num_clips", [3, 37, 2000])
@pytest.mark.parametrize("keep", [0.5, 0.95, 1.0])
def test_threshold_keeps_its_share_of_the_right_answers_and_no_more_than_it_must(num_clips, keep):
    probs, label_index = made_up(num_clips)
    threshold = rejection_threshold(probs, label_index, keep)
    right = probs.max(-1)[probs.argmax(-1) == label_index]
    assert np.mean(right >= threshold) >= keep
    assert np.mean(right > threshold) <= keep


def test_rounding_costs_no_answer():
    right = np.arange(0.5, 0.7, 0.01)
    threshold = rejection_threshold(np.stack([right, 1 - right], axis=1), np.zeros(20, int), 0.95)
    assert threshold == right[1]
    assert rejection_threshold(np.stack([right, 1 - right], axis=1), np.zeros(20, int), 0.0) == right[-1]


def test_wrong_answers_have_no_say():
    probs, label_index = made_up(500)
    wrong = np.tile([0.3, 0.25, 0.25, 0.2], (100, 1))
    both = np.concatenate([probs, wrong]), np.concatenate([label_index, np.ones(100, int)])
    assert rejection_threshold(*both) == rejection_threshold(probs, label_index)


def test_without_a_right_answer_nothing_is_rejected():
    assert rejection_threshold(np.array([[0.6, 0.4]]), np.array([1])) == 0


def test_counts():
    probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.55, 0.45], [0.2, 0.8]])
    counts = count_rejected(probs, np.array([0, 0, 1, 0]), 0.7)
    assert counts == {"threshold": 0.7, "num_right": 2, "right_rejected": 1, "num_wrong": 2, "wrong_rejected": 1}


def test_a_training_ends_with_a_threshold_of_its_validation_clips(tone_run):
    run = load_run(tone_run)
    found = run.facts["rejection"]
    utterances = run.utterances("validation")
    probs = run.predict_files([item.path for item in utterances])
    right = probs.max(-1)[probs.argmax(-1) == run.task.label_index([item.label for item in utterances])]
    assert (found["keep"], found["num_clips"]) == (KEEP, len(utterances))
    assert 1 / 3 < found["threshold"] <= 1
    assert np.mean(right >= found["threshold"] - 1e-6) >= KEEP


def test_a_detector_needs_none(tone_run, tmp_path):
    config = load_run(tone_run).config.replace(wanted="low", epochs=1, out=str(tmp_path))
    run = train_recipe(config, console=quiet())
    assert run.facts["rejection"] is choose_rejection(run) is None


@pytest.fixture
def strict(tone_run, tmp_path):
    """A copy of the run that believes nothing."""
    run = load_run(shutil.copytree(tone_run, tmp_path / "run"))
    update_facts(run, rejection={**run.facts["rejection"], "threshold": 1.1})
    return run


def test_predict_rejects_and_says_what_it_might_have_been(strict, tones, capsys):
    clip = str(tones / "low" / "0.wav")
    predict.main([str(strict.path), clip, "--json"])
    row = json.loads(capsys.readouterr().out)
    assert (row["word"], row["rejected"], row["threshold"]) == (None, True, 1.1)
    assert row["probability"] == row["top"][0]["probability"]
    predict.main([str(strict.path), clip])
    out = capsys.readouterr().out
    assert "none of the words" in out
    assert "[yellow]" not in out
    assert row["top"][0]["word"] in out


def test_threshold_0_always_names_a_word(strict, tones, capsys):
    predict.main([str(strict.path), str(tones / "low" / "0.wav"), "--json", "--threshold", "0"])
    row = json.loads(capsys.readouterr().out)
    assert (row["word"], row["rejected"]) == (row["top"][0]["word"], False)


@pytest.mark.usefixtures("scores_alone")
def test_a_run_from_before_thresholds_rejects_nothing(strict, tones, capsys):
    facts = json.loads((strict.path / "run.json").read_text())
    del facts["rejection"]
    (strict.path / "run.json").write_text(json.dumps(facts))
    predict.main([str(strict.path), str(tones / "low" / "0.wav"), "--json"])
    assert json.loads(capsys.readouterr().out)["rejected"] is False
    assert "rejection" not in evaluate_run(load_run(strict.path)).metrics


def test_the_report_counts_what_is_rejected(strict):
    evaluation = evaluate_run(strict)
    counts = evaluation.metrics["rejection"]
    assert counts["right_rejected"] == counts["num_right"] == evaluation.metrics["num_correct"]
    assert counts["wrong_rejected"] == counts["num_wrong"]
    assert "none of the words" in evaluation.report.read_text()
