"""Scores against hand-made cases, scikit-learn and the definition."""

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from kerasr.metrics.classification import classification_metrics
from kerasr.metrics.detection import detection_metrics

LABELS = ("zero", "one", "two")


def made_up(num_clips=600, num_speakers=6, num_labels=3, skill=2.5, seed=0):
    """Probabilities of a recogniser that hears some speakers worse than others."""
    rng = np.random.default_rng(seed)
    label_index = rng.integers(num_labels, size=num_clips)
    speaker = rng.integers(num_speakers, size=num_clips)
    logits = rng.normal(size=(num_clips, num_labels))
    logits[np.arange(num_clips), label_index] += skill * (0.4 + speaker / num_speakers)
    powers = np.exp(logits)
    return powers / powers.sum(-1, keepdims=True), label_index, [f"speaker {number}" for number in speaker]


def test_agrees_with_scikit_learn():
    probs, label_index, speakers = made_up()
    metrics = classification_metrics(probs, label_index, LABELS, speakers)
    heard = probs.argmax(-1)
    assert metrics["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(label_index, heard))
    assert metrics["macro_recall"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(label_index, heard))
    assert metrics["confusion"] == sklearn_metrics.confusion_matrix(label_index, heard).tolist()
    assert metrics["calibration"]["log_loss"] == pytest.approx(sklearn_metrics.log_loss(label_index, probs))
    one = {word["word"]: word for word in metrics["words"]}["one"]
    assert one["f1"] == pytest.approx(sklearn_metrics.f1_score(label_index == 1, heard == 1))
    assert one["num_clips"] == (label_index == 1).sum()


def test_is_json_and_the_same_again():
    first = json.dumps(classification_metrics(*made_up()[:2], LABELS, made_up()[2], seed=3), allow_nan=False)
    assert first == json.dumps(classification_metrics(*made_up()[:2], LABELS, made_up()[2], seed=3), allow_nan=False)
    assert first != json.dumps(classification_metrics(*made_up()[:2], LABELS, made_up()[2], seed=4), allow_nan=False)


def test_interval_over_speakers_is_wider_where_speakers_differ():
    probs, label_index, speakers = made_up()
    by_speaker = classification_metrics(probs, label_index, LABELS, speakers)
    by_clip = classification_metrics(probs, label_index, LABELS)
    assert by_speaker["interval_method"] == "expanded bootstrap over 6 speakers"
    assert by_clip["interval_method"] == "exact binomial over 600 clips"
    by_speaker, by_clip = by_speaker["accuracy_interval"], by_clip["accuracy_interval"]
    assert np.ptp(by_speaker) > 1.5 * np.ptp(by_clip)
    accuracy = (probs.argmax(-1) == label_index).mean()
    assert by_speaker[0] < accuracy < by_speaker[1]
    # Of so many clips the normal's 1.96 standard deviations are nearly right.
    side = 1.96 * np.sqrt(accuracy * (1 - accuracy) / 600)
    assert by_clip[0] == pytest.approx(accuracy - side, abs=0.005)


def test_clips_of_people_are_counted_apart_from_those_that_nobody_says():
    correct = np.array([1] * 8 + [0] * 2 + [1] * 10)
    speakers = [*"aabbccddee"] + [None] * 10
    metrics = classification_metrics(np.eye(2)[correct], np.ones(20, int), ("x", "y"), speakers)
    assert metrics["accuracy"] == 0.9
    people = metrics["people"]
    assert (people["accuracy"], people["num_correct"], people["num_clips"]) == (0.8, 8, 10)
    assert people["interval_method"] == "expanded bootstrap over 5 speakers"
    for alike in ([None] * 20, ["a"] * 20):
        assert classification_metrics(np.eye(2)[correct], np.ones(20, int), ("x", "y"), alike)["people"] is None


def test_words_without_clips_have_no_recall():
    metrics = classification_metrics(np.eye(3)[[0, 0, 1]], [0, 0, 0], LABELS)
    assert [word["recall"] for word in metrics["words"]] == [pytest.approx(2 / 3), None, None]
    assert metrics["words"][1]["precision"] == 0
    assert metrics["words"][2]["precision"] is None
    assert metrics["macro_recall"] == pytest.approx(2 / 3)


def test_speakers_worst_first():
    correct = np.array([1, 1, 0, 0, 1, 1])
    speakers = ["good", "good", "bad", "bad", "fair", None]
    found = classification_metrics(np.eye(2)[correct], np.ones(6, int), ("x", "y"), speakers)["speakers"]
    assert [(item["speaker"], item["accuracy"]) for item in found] == [("bad", 0), ("good", 1), ("fair", 1)]


def test_calibration_by_hand():
    # Two clips given 95%, one right; two given 65%, both right.
    probs = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.35, 0.65]])
    calibration = classification_metrics(probs, [0, 1, 0, 1], ("x", "y"))["calibration"]
    assert calibration["ece"] == pytest.approx((0.45 * 2 + 0.35 * 2) / 4)
    squares = np.array([0.05, 0.95, 0.35, 0.35]) ** 2
    assert calibration["brier"] == pytest.approx(2 * squares.mean())
    assert calibration["log_loss"] == pytest.approx(-np.log([0.95, 0.05, 0.65, 0.65]).mean())
    filled = {item["low"]: item for item in calibration["bins"] if item["num_clips"]}
    assert sorted(filled) == [0.6, 0.9]
    assert (filled[0.9]["confidence"], filled[0.9]["accuracy"]) == (pytest.approx(0.95), 0.5)


def test_certainty_and_a_zero_stay_finite():
    calibration = classification_metrics(np.eye(2)[[0, 1]], [0, 0], ("x", "y"))["calibration"]
    assert calibration["bins"][-1]["num_clips"] == 2
    assert np.isfinite(calibration["log_loss"])


def test_detector_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    present = (rng.random(500) < 0.2).astype(int)
    probability = 1 / (1 + np.exp(-rng.normal(4 * present - 2, 1.5)))
    probs = np.stack([1 - probability, probability], -1)
    found = detection_metrics(probs, present, ("not zero", "zero"))["detector"]
    assert found["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(present, probability))
    assert found["average_precision"] == pytest.approx(sklearn_metrics.average_precision_score(present, probability))
    assert found["precision"] == pytest.approx(sklearn_metrics.precision_score(present, probability >= 0.5))
    assert found["recall"] == pytest.approx(sklearn_metrics.recall_score(present, probability >= 0.5))
    recalls = [item["recall"] for item in found["thresholds"]]
    assert recalls == sorted(recalls, reverse=True)
    assert sum(found["histogram"]["present"]) == present.sum()


def test_detector_without_the_word_or_without_others():
    probs = np.array([[0.9, 0.1], [0.3, 0.7]])
    none = detection_metrics(probs, [0, 0], ("not zero", "zero"))["detector"]
    assert (none["roc_auc"], none["average_precision"], none["recall"]) == (None, None, None)
    only = detection_metrics(probs, [1, 1], ("not zero", "zero"))["detector"]
    assert (only["roc_auc"], only["precision"], only["thresholds"][0]["false_alarm_rate"]) == (None, 1.0, None)
    json.dumps([none, only], allow_nan=False)


@pytest.mark.parametrize(
    ("probs", "label_index", "message"),
    [
        (np.zeros((0, 3)), [], "at least one clip"),
        (np.full((2, 2), 0.5), [0, 1], "must be"),
        (np.full((2, 3), 0.3), [0], "2 clips"),
        (np.full((2, 3), 0.3), [0, 3], "from 0 to 2"),
        (np.array([[0.5, 0.5, np.nan]]), [0], "NaN"),
        (np.array([[3.0, -2.0, 0.0]]), [0], "logits"),
    ],
)
def test_refuses_what_are_no_probabilities(probs, label_index, message):
    with pytest.raises(ValueError, match=message):
        classification_metrics(probs, label_index, LABELS)


def test_groups_worst_first_with_an_interval_over_their_speakers():
    probs, label_index, speakers = made_up()
    accents = ["north" if name in ("speaker 0", "speaker 1", "speaker 2") else "south" for name in speakers]
    metrics = classification_metrics(probs, label_index, LABELS, speakers, groups={"accent": accents})
    worst, best = metrics["groups"]["accent"]
    correct = probs.argmax(-1) == label_index
    north = np.array(accents) == "north"
    assert (worst["group"], worst["num_clips"]) == ("north", north.sum())
    assert (worst["accuracy"], best["accuracy"]) == (correct[north].mean(), correct[~north].mean())
    assert worst["interval_method"].startswith("t over 3 speakers")
    alone = classification_metrics(probs[north], label_index[north], LABELS, list(np.array(speakers)[north]))
    assert worst["accuracy_interval"] == alone["accuracy_interval"]
    one = metrics["speakers"][0]
    assert one["interval_method"] == f"exact binomial over {one['num_clips']} clips"
    assert one["accuracy_interval"][0] < one["accuracy"] < one["accuracy_interval"][1]


def test_columns_that_tell_nothing_apart_are_no_groups():
    probs, label_index, _ = made_up(20)
    columns = {
        "constant": ["a"] * 20,
        "identity": [str(number) for number in range(20)],
        "empty": [None] * 20,
        "partly": ["a", "b", "a", "b", *[None] * 16],
    }
    groups = classification_metrics(probs, label_index, LABELS, groups=columns)["groups"]
    assert list(groups) == ["partly"]
    assert [item["num_clips"] for item in groups["partly"]] == [2, 2]


def test_without_columns_there_are_no_groups():
    assert classification_metrics(*made_up(20)[:2], LABELS)["groups"] == {}
