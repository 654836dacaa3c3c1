"""The paired test against its definition, and Holm's method over many pairs."""

import math

import numpy as np
import pytest
from scipy import stats

from kerasr.metrics.paired import judge_pairs, paired_test


def right_and_wrong(both, only_first, only_second, neither):
    first = np.repeat([True, True, False, False], [both, only_first, only_second, neither])
    second = np.repeat([True, False, True, False], [both, only_first, only_second, neither])
    return first, second


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (0, 5), (5, 5), (2, 9), (12, 3), (40, 70)])
def test_mcnemar_by_its_definition(only_first, only_second):
    first, second = right_and_wrong(50, only_first, only_second, 7)
    found = paired_test(first, second, [None] * len(first))
    number = only_first + only_second
    tail = sum(math.comb(number, k) for k in range(min(only_first, only_second) + 1)) / 2**number
    assert found["p_value"] == pytest.approx(min(1.0, 2 * tail))
    assert (found["only_first"], found["only_second"]) == (only_first, only_second)
    assert found["difference"] == pytest.approx((only_second - only_first) / len(first))


def test_interval_against_drawing_clips_one_by_one():
    first, second = right_and_wrong(60, 5, 20, 15)
    found = paired_test(first, second, [None] * 100)
    gain = second.astype(float) - first
    drawn = gain[np.random.default_rng(1).integers(100, size=(50_000, 100))].mean(1)
    assert found["interval"] == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.015)
    assert found["interval_method"] == "expanded bootstrap over 100 clips"


def test_a_gain_on_one_speaker_alone_is_no_proof():
    """Clips by themselves would say so: all forty that differ are of one of six speakers."""
    first, second = right_and_wrong(200, 0, 40, 0)
    speakers = [f"s{number // 40}" for number in range(240)]
    found = paired_test(first, second, speakers)
    assert found["p_value"] == pytest.approx(stats.ttest_1samp([0, 0, 0, 0, 0, 1], 0).pvalue)
    assert found["p_value"] > 0.3
    assert found["interval"][0] == 0
    assert found["interval_method"] == "expanded bootstrap over 6 speakers"
    by_clip = paired_test(first, second, [None] * 240)
    assert by_clip["p_value"] < 1e-10
    assert by_clip["interval"][0] > 0.1
    # Nor where a clip of silence has no speaker.
    with_silence = paired_test(np.append(first, True), np.append(second, True), [*speakers, None])
    assert with_silence["interval"][0] == 0
    assert with_silence["interval_method"] == "expanded bootstrap over 6 speakers and 1 clip without one"


def test_turned_round_it_says_the_opposite():
    first, second = right_and_wrong(50, 3, 14, 9)
    speakers = [f"s{number % 5}" for number in range(len(first))]
    one, other = paired_test(first, second, speakers), paired_test(second, first, speakers)
    assert one["difference"] == -other["difference"]
    assert one["p_value"] == other["p_value"]
    assert one["interval"] == pytest.approx([-end for end in other["interval"][::-1]], abs=0.02)


def test_of_many_pairs_each_needs_a_stronger_proof():
    """Holm's method against its definition, and the verdict that follows."""
    p_values = [0.02, 0.001, 0.04, None, 0.03]
    pairs = [{"p_value": p, "interval": [0.01, 0.1]} for p in p_values]
    judge_pairs(pairs)
    assert [pair["p_adjusted"] for pair in pairs] == [0.06, 0.004, 0.06, None, 0.06]
    assert [pair["differs"] for pair in pairs] == [False, True, False, False, False]
    alone = [{"p_value": 0.02, "interval": [0.01, 0.1]}]
    judge_pairs(alone)
    assert alone[0]["differs"]
