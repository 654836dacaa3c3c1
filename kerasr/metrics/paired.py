"""Of two recognisers on the same clips: whether they differ, and of many pairs which do."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasr.metrics.intervals import CONFIDENCE, LEAST_SPEAKERS, group_units, mean_interval


def paired_test(
    first: np.ndarray, second: np.ndarray, speakers: Sequence[str | None], *, seed: int = 0
) -> dict[str, Any]:
    """Do two recognisers differ on the same clips?

    McNemar's exact test (1947) asks whether the clips that only one of them gets right fall to both alike; it takes
    clips for independent. Clips of one speaker are not, so where speakers are known a t test over them must say so, too
    (a clip without one stands for itself), and of fewer than `LEAST_SPEAKERS` there is no test.

    Args:
        first: `(clips,)`, whether the first got each clip right.
        second: `(clips,)`, the second's.
        speakers: who speaks in each clip; None where that is not known.
        seed: of the resampling.

    Returns:
        `difference` of the accuracies, the second's less the first's; `interval`, its 95% interval, and
        `interval_method`, as of `mean_interval`; `only_first` and `only_second`, the clips that one alone recognises;
        `num_speakers`, 0 where none is known; `p_value`, None without a test.
    """
    gain = second.astype(int) - first.astype(int)
    interval, method = mean_interval(gain, speakers, seed, lowest=-1.0)
    return {
        "difference": float(gain.mean()),
        "interval": interval,
        "interval_method": method,
        "only_first": int((gain < 0).sum()),
        "only_second": int((gain > 0).sum()),
        "num_speakers": len({*speakers} - {None}),
        "p_value": _p_value(gain, speakers),
    }


def judge_pairs(pairs: list[dict[str, Any]]) -> None:
    """Add `p_adjusted`, by the method of Holm (1979), as of many pairs some differ by chance; and `differs`.

    A pair differs where its test and its interval both exclude chance; without a test it does not.

    Args:
        pairs: each what `paired_test` returns.
    """
    tested = [pair for pair in pairs if pair["p_value"] is not None]
    highest = 0.0
    for rank, pair in enumerate(sorted(tested, key=lambda pair: pair["p_value"])):
        highest = max(highest, min(1.0, (len(tested) - rank) * pair["p_value"]))
        low, high = pair["interval"]
        pair |= {"p_adjusted": highest, "differs": highest < 1 - CONFIDENCE and not low <= 0 <= high}
    for pair in pairs:
        if pair["p_value"] is None:
            pair |= {"p_adjusted": None, "differs": False}


def _p_value(gain: np.ndarray, speakers: Sequence[str | None]) -> float | None:
    """The greater one of the test over clips and the test over speakers; None where too few of these are known."""
    from scipy import stats

    won, differ = int((gain > 0).sum()), int((gain != 0).sum())
    over_clips = float(stats.binomtest(won, differ).pvalue) if differ else 1.0
    units = group_units(gain, speakers)
    if not units.num_speakers:
        return over_clips
    if units.num_speakers < LEAST_SPEAKERS:
        return None
    # (Speakers who all gain alike have no spread; the clips decide then.)
    error = units.standard_error
    over_speakers = float(2 * stats.t.sf(abs(units.mean) / error, units.degrees)) if error else 0.0
    return max(over_clips, over_speakers)
