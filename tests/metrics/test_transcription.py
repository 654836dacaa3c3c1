"""Word errors: which, whose, of utterances of which length, and how far they can be relied on."""

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from kerasr.metrics.intervals import ratio_interval
from kerasr.metrics.transcription import transcription_metrics, word_pairs


def test_words_stand_beside_words():
    found = [("go", "go"), ("six", "sixty"), ("stop", "stop"), ("", "no")]
    assert word_pairs("go six stop", "go sixty stop no") == found
    assert word_pairs("a b", "") == [("a", ""), ("b", "")]
    assert word_pairs("", "a") == [("", "a")]
    assert word_pairs("", "") == []


def test_pairs_are_the_fewest_errors(rng):
    for _ in range(50):
        one, other = (" ".join(rng.choice([*"abcd"], rng.integers(0, 9))) for _ in range(2))
        pairs = word_pairs(one, other)
        assert sum(said != found for said, found in pairs) == Levenshtein.distance(one.split(), other.split())
        assert " ".join(said for said, _ in pairs if said) == one
        assert " ".join(found for _, found in pairs if found) == other


@pytest.fixture
def metrics():
    said = ["go", "one two", "one two three four five", "stop"]
    found = ["go", "one", "one too three four five six", "stop"]
    groups = {"room": ["hall", "hall", "kitchen", "kitchen"]}
    return transcription_metrics(found, said, ["anna", "anna", "ben", "ben"], groups=groups)


def test_errors_are_counted_by_kind_speaker_group_and_length(metrics):
    counted = ("num_words", "num_substitutions", "num_deletions", "num_insertions", "num_correct")
    assert [metrics[name] for name in counted] == [9, 1, 1, 1, 2]
    assert metrics["wer"] == pytest.approx(3 / 9)
    rates = [(row["speaker"], row["num_words"], row["wer"]) for row in metrics["speakers"]]
    assert rates == [("anna", 3, pytest.approx(1 / 3)), ("ben", 6, pytest.approx(1 / 3))][::-1]
    assert [row["group"] for row in metrics["groups"]["room"]] == ["kitchen", "hall"]
    lengths = [(row["least"], row["most"], row["num_clips"], row["wer"]) for row in metrics["lengths"]]
    assert lengths == [(1, 1, 2, 0), (2, 2, 1, 0.5), (5, 8, 1, pytest.approx(0.4))]
    assert metrics["confusions"] == [
        {"said": "", "found": "six", "count": 1, "of": 1},
        {"said": "two", "found": "", "count": 1, "of": 2},
        {"said": "two", "found": "too", "count": 1, "of": 2},
    ]


def test_no_error_is_no_certainty():
    (low, high), method = ratio_interval(np.zeros(6), np.full(6, 9), [*"abcdef"])
    assert (low, method) == (0, "exact over 6 speakers, as none is counted")
    assert high == pytest.approx(1 - 0.025 ** (1 / 6))


def test_confidences_of_words_are_compared_with_how_often_they_are_right():
    found, said = ["go on", "one six"], ["go", "one two six"]
    calibration = transcription_metrics(found, said, [None, None], confidences=[[0.95, 0.35], [0.95, 0.85]])[
        "calibration"
    ]
    filled = [(bin["low"], bin["num_words"], bin["accuracy"]) for bin in calibration["bins"] if bin["num_words"]]
    assert filled == [(0.3, 1, 0), (0.8, 1, 1), (0.9, 2, 1)]
    assert calibration["ece"] == pytest.approx((0.35 + 0.15 + 2 * 0.05) / 4)
    assert calibration["brier"] == pytest.approx((0.35**2 + 0.15**2 + 2 * 0.05**2) / 4)
    assert calibration["log_loss"] == pytest.approx(-np.log([0.65, 0.85, 0.95, 0.95]).mean())
    both = transcription_metrics(found, said, [None] * 2, confidences=[[1, 0], [1, 1]], uncalibrated=[[0.9] * 2] * 2)
    assert (both["calibration"]["ece"], both["calibration"]["ece_uncalibrated"]) == (0, pytest.approx(0.15))
    assert "calibration" not in transcription_metrics([""], ["go"], [None], confidences=[[]])


def test_a_speakers_interval_is_over_what_else_they_say(metrics):
    assert all(row["wer_interval"] for row in metrics["speakers"])
    assert "clips" in metrics["speakers"][0]["wer_method"]
