"""Open-set rejection: an answer below a probability that is chosen on validation clips is none of the words.

A softmax must choose one of its words, whatever it is given. The probability of that word is lower for what is none of
them (Hendrycks and Gimpel 2017, https://arxiv.org/abs/1610.02136), so a threshold on it turns most of that away, some
right answers too, and more of the wrong ones. The energy of the logits (Liu et al. 2020,
https://arxiv.org/abs/2010.03759) and the largest logit were compared on a run of the digits recipe on Speech
Commands: both take more foreign words for digits, and silence they reject about as well.
"""

from typing import Any

import numpy as np

# The share of the right answers on validation clips that the threshold keeps.
KEEP = 0.95


def rejection_threshold(probs: np.ndarray, label_index: np.ndarray, keep: float = KEEP) -> float:
    """The highest probability that at least `keep` of the right answers reach; 0, which rejects nothing, without any.

    Args:
        probs: `(clips, labels)`.
        label_index: `(clips,)` index of what is truly said.
        keep: from 0 to 1.
    """
    right = np.sort(probs.max(-1)[probs.argmax(-1) == label_index])
    # Rounding must not cost an answer: of 20, 95% are 19.
    return float(right[min(int(len(right) * (1 - keep) + 1e-9), len(right) - 1)]) if len(right) else 0.0


def choose_threshold(probs: np.ndarray, label_index: np.ndarray) -> dict[str, Any]:
    """The threshold chosen on these clips, as a run's facts have it: `threshold`, `keep` and `num_clips`.

    Args:
        probs: `(clips, labels)`.
        label_index: `(clips,)` index of what is truly said.
    """
    return {"threshold": rejection_threshold(probs, label_index), "keep": KEEP, "num_clips": len(label_index)}


def count_rejected(probs: np.ndarray, label_index: np.ndarray, threshold: float) -> dict[str, Any]:
    """How many answers are rejected, of those that are right and of those that are wrong."""
    right, rejected = probs.argmax(-1) == label_index, probs.max(-1) < threshold
    return {
        "threshold": threshold,
        "num_right": int(right.sum()),
        "right_rejected": int((right & rejected).sum()),
        "num_wrong": int((~right).sum()),
        "wrong_rejected": int((~right & rejected).sum()),
    }
