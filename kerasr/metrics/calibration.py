"""Calibration: is what is given a confidence of 90% right nine times in ten?

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, https://arxiv.org/abs/1706.04599.
"""

from typing import Any

import numpy as np

# Bins of equal width that answers are sorted into by their confidence.
NUM_BINS = 10
# Probabilities are kept this far from 0 in the log loss, so that one float32 zero does not make it infinite.
MIN_PROBABILITY = 1e-7


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
