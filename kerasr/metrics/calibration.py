"""Calibration: is what is given a confidence of 90% right nine times in ten? And what would be a better one?

Sources: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, https://arxiv.org/abs/1706.04599; Platt,
"Probabilistic Outputs for Support Vector Machines", 1999, whose targets keep the fit finite where nothing is wrong.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

# Bins of equal width that answers are sorted into by their confidence.
NUM_BINS = 10
# Probabilities are kept this far from 0 in the log loss, so that one float32 zero does not make it infinite.
MIN_PROBABILITY = 1e-7


@dataclass(frozen=True)
class PlattScaling:
    """Confidences as shares of right answers: two parameters, and no confidence overtakes another.

    Attributes:
        scale: factor on a confidence's log odds, at least 0.
        offset: what is added to them.
        num_words: that it was fitted on.
    """

    scale: float
    offset: float
    num_words: int

    def __call__(self, confidence: float) -> float:
        """The calibrated confidence."""
        inside = min(max(confidence, MIN_PROBABILITY), 1 - MIN_PROBABILITY)
        odds = self.scale * math.log(inside / (1 - inside)) + self.offset
        return (1 + math.tanh(odds / 2)) / 2  # The logistic function, which overflows nowhere.


def fit_platt(confidence: np.ndarray, correct: np.ndarray) -> PlattScaling | None:
    """The scaling under which answers like these are likeliest to be right where they are.

    Args:
        confidence: `(answers,)` from 0 to 1.
        correct: `(answers,)`, whether each is right.

    Returns:
        None where there is no answer.
    """
    from scipy.special import logit
    from sklearn.linear_model import LogisticRegression

    if not len(confidence):
        return None
    right = int(np.sum(correct))
    # Each answer counts as right, and as wrong, by its target's share.
    targets = np.where(correct, (right + 1) / (right + 2), 1 / (len(correct) - right + 2))
    odds = logit(np.clip(np.asarray(confidence, np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY))
    # C is how little the scale is pulled to 0: hardly.
    found = LogisticRegression(C=1e3, tol=1e-8, max_iter=1000).fit(
        np.concatenate([odds, odds])[:, None],
        np.repeat([1, 0], len(odds)),
        np.concatenate([targets, 1 - targets]),
    )
    scale, offset = float(found.coef_[0, 0]), float(found.intercept_[0])
    if scale <= 0:
        # They tell nothing: each word is as sure as all are.
        scale, offset = 0.0, float(logit(targets.mean()))
    return PlattScaling(scale, offset, len(odds))


def calibration_bins(confidence: np.ndarray, correct: np.ndarray, unit: str = "clips") -> dict[str, Any]:
    """How far confidences are from shares of right answers.

    Args:
        confidence: `(answers,)` from 0 to 1, at least one.
        correct: `(answers,)`, whether each is right.
        unit: what is answered of, for the count's name.

    Returns:
        `ece`, the expected calibration error, and `bins`, a list with `low`, `high`, the count as `num_clips`, and
        `confidence` and `accuracy`, the means, None where there is none.
    """
    number = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    bins = []
    for index in range(NUM_BINS):
        inside = number == index
        some = bool(inside.any())
        bins.append(
            {
                "low": index / NUM_BINS,
                "high": (index + 1) / NUM_BINS,
                f"num_{unit}": int(inside.sum()),
                "confidence": float(confidence[inside].mean()) if some else None,
                "accuracy": float(correct[inside].mean()) if some else None,
            }
        )
    filled = [item for item in bins if item[f"num_{unit}"]]
    gaps = [abs(item["confidence"] - item["accuracy"]) * item[f"num_{unit}"] for item in filled]
    return {"ece": float(sum(gaps) / len(correct)), "bins": bins}
