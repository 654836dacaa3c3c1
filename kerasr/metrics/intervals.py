"""Confidence intervals: where a mean over clips, or a rate an hour, would lie on other recordings of the kind.

Clips of one speaker stand or fall together, so speakers are counted where they are known. Five or more are resampled
by a bootstrap that is widened for their number (Hesterberg 2015, "What Teachers Should Know About the Bootstrap",
https://doi.org/10.1080/00031305.2015.1089789); fewer get Student's t, and one gets no interval. Where some have many
more clips than others they are worth fewer: (sum of clips)^2 / (sum of clips^2) (Kish 1965, "Survey Sampling").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

# The share of other measurements whose mean lies in the interval, and how often units are drawn for it.
CONFIDENCE = 0.95
BOOTSTRAP_ROUNDS = 10_000

# Of fewer speakers no bootstrap holds the truth, and runs are not told apart.
LEAST_SPEAKERS = 5

_TAIL = (1 - CONFIDENCE) / 2

Interval = list[float] | None


@dataclass(frozen=True)
class Units:
    """What is drawn together: all clips of a speaker, and singly the clips without one.

    Attributes:
        sizes: `(units,)` clips of each.
        sums: `(units,)` sum of its clips' values.
        num_speakers: how many of the units, the first, are speakers; 0 where no clip's speaker is known.
        name: what the units are, counted: "16 speakers and 29 clips without one".
    """

    sizes: np.ndarray
    sums: np.ndarray
    num_speakers: int
    name: str

    @property
    def mean(self) -> float:
        """The mean over all clips."""
        return float(self.sums.sum() / self.sizes.sum())

    @property
    def effective(self) -> float:
        """As many speakers of equally many clips would tell as much; clips, where no speaker is known."""
        counted = self.sizes[: self.num_speakers or None]
        return float(counted.sum() ** 2 / (counted**2).sum())

    @property
    def degrees(self) -> float:
        """Degrees of freedom of Student's t; where one speaker has nearly all clips there are next to none."""
        return max(self.effective - 1, 0.1)

    @property
    def standard_error(self) -> float:
        """Of the mean, by the spread of the units about it (linearised, as the mean is a ratio of two sums)."""
        spread = np.square(self.sums - self.mean * self.sizes).sum()
        return float(np.sqrt(spread * len(self.sizes) / max(len(self.sizes) - 1, 1)) / self.sizes.sum())


def group_units(values: np.ndarray, speakers: Sequence[str | None] | None = None) -> Units:
    """The units of clips with these values `(clips,)` and speakers; None stands for a speaker who is not known."""
    values = np.asarray(values, np.float64)
    speakers = [None] * len(values) if speakers is None else speakers
    known = sorted({speaker for speaker in speakers if speaker is not None})
    number = {speaker: place for place, speaker in enumerate(known)}
    num_speakers, num_alone = len(number), sum(speaker is None for speaker in speakers)
    alone = iter(range(num_speakers, num_speakers + num_alone))
    place = np.array([next(alone) if speaker is None else number[speaker] for speaker in speakers])
    counts = [_count(num_speakers, "speaker")] if num_speakers else []
    if num_alone:
        counts.append(_count(num_alone, "clip") + (" without one" if num_speakers else ""))
    return Units(np.bincount(place), np.bincount(place, values), num_speakers, " and ".join(counts))


def mean_interval(
    values: np.ndarray,
    speakers: Sequence[str | None] | None = None,
    seed: int = 0,
    *,
    lowest: float = 0.0,
) -> tuple[Interval, str]:
    """The 95% interval of a mean over clips.

    It is never narrower than clips alone would make it, nor a point: where all values are alike, it is the exact one of
    so many speakers (of clips, where no speaker is known).

    Args:
        values: `(clips,)`, booleans, or numbers from `lowest` to 1: whether each clip is right, or what it gains.
        speakers: who speaks in each; None where that is not known, for one clip or for all.
        seed: of the bootstrap.
        lowest: what a value may be; -1 for differences.

    Returns:
        The interval's two ends, None where there is no telling; and by which method, or why there is none.
    """
    values = np.asarray(values)
    units = group_units(values, speakers)
    if units.num_speakers == 1:
        return None, "one speaker tells nothing of others"
    if values.min() == values.max():
        return _exact(units, lowest), f"exact over {_counted(units)}, as all clips come out alike"
    over_clips = _over_clips(values, lowest, seed)
    if not units.num_speakers:
        return over_clips
    over_speakers = _over(units, lowest, seed)
    wider = np.ptp(over_clips[0]) > np.ptp(over_speakers[0])
    return (over_clips[0], f"{over_clips[1]}, wider than over {_counted(units)}") if wider else over_speakers


def ratio_interval(
    counts: np.ndarray, sizes: np.ndarray, speakers: Sequence[str | None] | None = None, seed: int = 0
) -> tuple[Interval, str]:
    """The 95% interval of a share of parts, as of a word error rate, where each clip has parts of its own number.

    Args:
        counts: `(clips,)` how many of its parts are counted, as errors.
        sizes: `(clips,)` parts of each clip, as words.
        speakers: who speaks in each; None where that is not known.
        seed: of the bootstrap.

    Returns:
        As `mean_interval`; without one where there are no parts, or all of one speaker.
    """
    units = group_units(counts, speakers)
    if units.num_speakers == 1:
        return None, "one speaker tells nothing of others"
    parts = group_units(sizes, speakers).sums
    if not parts.sum():
        return None, "there is nothing to count"
    if not units.sums.any():
        return _exact(units, 0.0), f"exact over {_counted(units)}, as none is counted"
    return _over(replace(units, sizes=parts), 0.0, seed, highest=np.inf)


def binomial_interval(successes: int, trials: int) -> list[float]:
    """The exact 95% interval of a probability (Clopper and Pearson 1934), of trials that tell nothing of each other."""
    from scipy.stats import binomtest

    found = binomtest(successes, trials).proportion_ci(CONFIDENCE)
    return [float(found.low), float(found.high)]


def rate_interval(count: float, exposure: float) -> list[float]:
    """The exact 95% interval of a rate, as of false alarms an hour (Garwood 1936), where none brings another.

    Args:
        count: what was counted; the mean of several counts in the same hours need not be whole.
        exposure: in how much, as hours.
    """
    from scipy.stats import chi2

    low = chi2.ppf(_TAIL, 2 * count) / 2 if count else 0.0
    return [float(low / exposure), float(chi2.ppf(1 - _TAIL, 2 * count + 2) / 2 / exposure)]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _counted(units: Units) -> str:
    """The speakers alone, or the clips where none is known."""
    return _count(units.num_speakers, "speaker") if units.num_speakers else units.name


def _exact(units: Units, lowest: float) -> list[float]:
    """The means of which so many units come out alike once in forty times: six speakers prove as much as six clips."""
    away = 1 - _TAIL ** (1 / (units.num_speakers or len(units.sizes)))
    return [units.mean - away * (units.mean - lowest), units.mean + away * (1 - units.mean)]


def _over_clips(values: np.ndarray, lowest: float, seed: int) -> tuple[list[float], str]:
    """As if each clip had a speaker of its own."""
    if values.dtype != bool:
        return _over(group_units(values), lowest, seed)
    return binomial_interval(int(values.sum()), len(values)), f"exact binomial over {_count(len(values), 'clip')}"


def _over(units: Units, lowest: float, seed: int, highest: float = 1.0) -> tuple[list[float], str]:
    """By Student's t of few units, by the bootstrap of more."""
    from scipy.stats import norm, t

    if units.effective < LEAST_SPEAKERS:
        side = float(t.ppf(1 - _TAIL, units.degrees)) * units.standard_error
        return np.clip([units.mean - side, units.mean + side], lowest, highest).tolist(), f"t over {units.name}"
    # Units with the same numbers are drawn as one kind: single clips come in a few kinds, however many there are.
    (sizes, sums), kind = np.unique(np.stack([units.sizes, units.sums]), axis=1, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(kind.sum(), kind / kind.sum(), size=BOOTSTRAP_ROUNDS)
    # The expanded percentile: a bootstrap's spread is that of n and not of n - 1, and its tails are the normal's.
    number = units.effective
    tail = norm.cdf(np.sqrt(number / (number - 1)) * t.ppf(_TAIL, units.degrees))
    return np.quantile(
        draws @ sums / (draws @ sizes), (tail, 1 - tail)
    ).tolist(), f"expanded bootstrap over {units.name}"
