"""Intervals hold the truth as often as they say, also of few speakers, and are never a point."""

import numpy as np
import pytest
from scipy.stats import binom, norm, poisson, t

from kerasr.core.scores import format_alarms, format_interval, format_missed
from kerasr.metrics import intervals
from kerasr.metrics.detection import detection_metrics
from kerasr.metrics.intervals import LEAST_SPEAKERS, binomial_interval, group_units, mean_interval, rate_interval
from kerasr.metrics.paired import judge_pairs, paired_test
from kerasr.tasks.false_alarms import alarm_rate


@pytest.fixture
def quick(monkeypatch):
    """Fewer draws, for trials by the hundred."""
    monkeypatch.setattr(intervals, "BOOTSTRAP_ROUNDS", 1000)


def listen(rng, num_speakers, num_clips=500, accuracy=0.9, spread=20.0, uneven=False):
    """Whether each clip is right, and who speaks: speakers differ in how well they are recognised (a beta's draws)."""
    share = rng.lognormal(size=num_speakers) if uneven else np.ones(num_speakers)
    sizes = np.maximum(1, np.round(num_clips * share / share.sum())).astype(int)
    skill = rng.beta(spread * accuracy, spread * (1 - accuracy), num_speakers)
    speakers = np.repeat(np.arange(num_speakers), sizes)
    return rng.random(len(speakers)) < skill[speakers], [f"s{number}" for number in speakers]


def coverage(trials, **settings):
    rng, held = np.random.default_rng(0), []
    for _ in range(trials):
        low, high = mean_interval(*listen(rng, **settings))[0]
        held.append(low <= settings.get("accuracy", 0.9) <= high)
    return np.mean(held)


@pytest.mark.parametrize("num_speakers", [2, 3, 4, 6, 10, 40])
def test_nine_of_ten_intervals_and_more_hold_the_truth(quick, num_speakers):
    """A percentile bootstrap held it in 52, 75, 82, 86, 90 and 94% of these cases."""
    assert coverage(300, num_speakers=num_speakers) >= 0.9


@pytest.mark.parametrize("num_speakers", [3, 8])
def test_also_where_some_speakers_have_most_of_the_clips(quick, num_speakers):
    assert coverage(300, num_speakers=num_speakers, uneven=True) >= 0.92


@pytest.mark.parametrize(("num_speakers", "uneven"), [(3, False), (6, False), (16, False), (16, True)])
def test_equal_recognisers_are_seldom_called_different(quick, num_speakers, uneven):
    """Each has its own good and bad speakers: a test over clips and a percentile bootstrap told 17 to 9% apart."""
    rng, pairs = np.random.default_rng(0), []
    for _ in range(250):
        first, speakers = listen(rng, num_speakers, uneven=uneven)
        skill = rng.beta(18, 2, num_speakers)
        second = rng.random(len(first)) < skill[[int(name[1:]) for name in speakers]]
        pairs.append(paired_test(first, second, speakers))
        judge_pairs(pairs[-1:])
    assert np.mean([pair["differs"] for pair in pairs]) <= (0.06 if num_speakers >= LEAST_SPEAKERS else 0)


def test_six_speakers_who_all_gain_are_enough_to_tell():
    first = np.tile([True] * 7 + [False] * 3, 6)
    second = first.copy()
    second[[8, 9, 18, 28, 29, 38, 48, 49, 58]] = True
    speakers = [f"s{number // 10}" for number in range(60)]
    pair = paired_test(first, second, speakers)
    judge_pairs([pair])
    assert pair["p_value"] < 0.01
    assert pair["differs"]


def test_the_expanded_percentile_by_its_definition():
    correct, speakers = listen(np.random.default_rng(2), 8)
    interval, method = mean_interval(correct, speakers)
    rights = np.array([correct[np.array(speakers) == name].sum() for name in sorted({*speakers})])
    clips = np.array([speakers.count(name) for name in sorted({*speakers})])
    drawn = np.random.default_rng(3).integers(8, size=(200_000, 8))
    tail = norm.cdf(-np.sqrt(8 / 7) * t.ppf(0.975, 7))
    expected = np.quantile(rights[drawn].sum(1) / clips[drawn].sum(1), (tail, 1 - tail))
    assert interval == pytest.approx(expected, abs=0.01)
    assert method == "expanded bootstrap over 8 speakers"


def test_few_speakers_get_students_t_over_their_means():
    accuracy = np.array([0.5, 0.6, 0.9])
    correct = np.concatenate([np.arange(100) < 100 * mean for mean in accuracy])
    interval, method = mean_interval(correct, np.repeat(["a", "b", "c"], 100).tolist())
    side = t.ppf(0.975, 2) * accuracy.std(ddof=1) / np.sqrt(3)
    assert interval == pytest.approx([accuracy.mean() - side, 1.0])
    assert method == "t over 3 speakers"


def test_one_speaker_tells_nothing_of_others_and_says_so():
    correct = np.arange(40) < 36
    for speakers in (["a"] * 40, ["a"] * 30 + [None] * 10):
        interval, method = mean_interval(correct, speakers)
        assert interval is None
        assert "one speaker" in format_interval(interval, method)
    # Without a name, clips are all there is to count.
    interval, method = mean_interval(correct)
    assert interval == binomial_interval(36, 40)
    assert method == "exact binomial over 40 clips"


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize(("num_speakers", "edge"), [(2, 0.158), (6, 0.541), (16, 0.794), (0, 0.988)])
def test_all_right_counts_speakers(right, num_speakers, edge):
    """300 right clips of six speakers prove as much as six right answers: 54%."""
    speakers = [f"s{number % num_speakers}" if num_speakers else None for number in range(300)]
    interval, method = mean_interval(np.full(300, right), speakers)
    assert interval == pytest.approx([edge, 1.0] if right else [0.0, 1 - edge], abs=1e-3)
    assert method.startswith(f"exact over {num_speakers} speakers" if num_speakers else "exact over 300 clips")


def test_no_interval_is_a_point():
    nine_of_ten = np.array(([True] * 9 + [False]) * 6)
    alike = [f"s{number // 10}" for number in range(60)]
    interval, method = mean_interval(nine_of_ten, alike)
    assert interval == binomial_interval(54, 60)
    assert method == "exact binomial over 60 clips, wider than over 6 speakers"
    for values in (np.zeros(60), np.tile([1, 0, 0, 0, 0], 12), np.ones(60)):
        low, high = mean_interval(values, alike, lowest=-1.0)[0]
        assert -1 <= low <= values.mean() <= high <= 1
        assert high - low > 0.05


def test_units_are_speakers_and_clips_without_one():
    units = group_units(np.array([1, 0, 1, 1, 0]), ["b", None, "a", "b", None])
    assert (units.sizes.tolist(), units.sums.tolist()) == ([1, 2, 1, 1], [1, 2, 0, 0])
    assert (units.num_speakers, units.name) == (2, "2 speakers and 2 clips without one")
    assert units.effective == pytest.approx(9 / 5), "of clips without a speaker none is counted as one"


def test_exact_intervals_leave_a_fortieth_on_either_side():
    for hits, trials in ((0, 29), (2, 29), (29, 29)):
        low, high = binomial_interval(hits, trials)
        assert hits == 0 or binom.sf(hits - 1, trials, low) == pytest.approx(0.025)
        assert hits == trials or binom.cdf(hits, trials, high) == pytest.approx(0.025)
    for count in (0, 1, 7):
        low, high = rate_interval(count, 0.5)
        assert count == 0 or poisson.sf(count - 1, 0.5 * low) == pytest.approx(0.025)
        assert poisson.cdf(count, 0.5 * high) == pytest.approx(0.025)
    assert rate_interval(0, 0.5)[0] == 0


def test_false_alarms_and_missed_words_are_counts_with_intervals():
    """One alarm in fourteen minutes may be one in ten hours, or 24 an hour."""
    text = format_alarms(alarm_rate(1, 0.2322))
    assert text == "1 false alarm in 13.9 minutes, 4.3 an hour (95% interval 0.1 to 24.0)"
    present = np.repeat([1, 0], [29, 71])
    probability = np.where(np.arange(100) < 27, 0.9, 0.1)
    probs = np.stack([1 - probability, probability], -1)
    detector = detection_metrics(probs, present, ("not stop", "stop"))["detector"]
    assert (detector["num_words"], detector["num_missed"]) == (29, 2)
    assert detector["miss_interval"] == binomial_interval(2, 29)
    assert "2 of 29 words missed (95% interval 0.8% to 22.8%" in format_missed(detector)
    by_speaker = detection_metrics(probs, present, ("not stop", "stop"), [f"s{number % 7}" for number in range(100)])[
        "detector"
    ]
    assert "7 speakers" in by_speaker["miss_interval_method"]
    nobody = detection_metrics(probs, 0 * present, ("not stop", "stop"))["detector"]
    assert nobody["miss_interval"] is None
