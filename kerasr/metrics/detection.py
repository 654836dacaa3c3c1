"""How good is a detector of one word? Its misses and false alarms at each threshold; the curves are scikit-learn's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasr.metrics.calibration import NUM_BINS
from kerasr.metrics.classification import classification_metrics
from kerasr.metrics.intervals import mean_interval

# At this probability a detector says that its word is there.
THRESHOLD = 0.5
# Where precision and recall are given, so that its owner can choose.
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def detection_metrics(
    probs: np.ndarray,
    label_index: Sequence[int] | np.ndarray,
    labels: Sequence[str],
    speakers: Sequence[str | None] | None = None,
    *,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a detector on a set of clips.

    Args:
        probs: `(clips, 2)`, of the word's absence and presence.
        label_index: `(clips,)`, 1 where the word is said.
        labels: the names of the two.
        speakers: as for `classification_metrics`.
        groups: as for `classification_metrics`.
        seed: of the resampling.

    Returns:
        What `classification_metrics` says at `THRESHOLD`, and `detector`: `threshold`, `precision`, `recall`,
        `num_words` and `num_missed` of them, `miss_interval` (95%, of the share that is missed) and
        `miss_interval_method`, `roc_auc`, `average_precision`, and `thresholds` and `histogram` to choose another
        threshold by.

    Raises:
        ValueError: as for `classification_metrics`, or there are not two labels.
    """
    if len(labels) != 2:
        raise ValueError(f"a detector has two labels, absence and presence of the word; these are {len(labels)}")
    probs, present = np.asarray(probs, np.float64), np.asarray(label_index, np.int64)
    speakers = [None] * len(probs) if speakers is None else list(speakers)
    predicted = is_present(probs)
    metrics = classification_metrics(probs, present, labels, speakers, predicted=predicted, groups=groups, seed=seed)
    return {**metrics, "detector": detector_scores(probs[:, 1], present, speakers, seed)}


def is_present(probs: np.ndarray) -> np.ndarray:
    """`(clips,)`, 1 where the probability of the word's presence, in `(clips, 2)`, reaches `THRESHOLD`."""
    return (probs[:, 1] >= THRESHOLD).astype(np.int64)


def detector_scores(
    probability: np.ndarray, present: np.ndarray, speakers: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """`detector` of `detection_metrics`, from the probability of the word `(clips,)` and whether it is said."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    said = np.flatnonzero(present)
    missed = probability[said] < THRESHOLD
    interval, method = None, "no clip says the word"
    if len(said):
        interval, method = mean_interval(missed, [speakers[index] for index in said.tolist()], seed)
    both = 0 < present.sum() < len(present)
    thresholds = [_at_threshold(probability, present, float(threshold)) for threshold in THRESHOLDS]
    half = _at_threshold(probability, present, THRESHOLD)
    counts = [np.histogram(probability[present == value], NUM_BINS * 2, (0.0, 1.0))[0].tolist() for value in (0, 1)]
    return {
        "threshold": THRESHOLD,
        "precision": half["precision"],
        "recall": half["recall"],
        "num_words": len(said),
        "num_missed": int(missed.sum()),
        "miss_interval": interval,
        "miss_interval_method": method,
        "roc_auc": float(roc_auc_score(present, probability)) if both else None,
        "average_precision": float(average_precision_score(present, probability)) if present.any() else None,
        "thresholds": thresholds,
        "histogram": {"absent": counts[0], "present": counts[1]},
    }


def _at_threshold(probability: np.ndarray, present: np.ndarray, threshold: float) -> dict[str, Any]:
    """Precision, recall, and the share of other clips that raise a false alarm."""
    raised = probability >= threshold
    hits, alarms = int((raised & (present == 1)).sum()), int((raised & (present == 0)).sum())
    said = int(present.sum())
    others = len(present) - said
    return {
        "threshold": threshold,
        "precision": hits / (hits + alarms) if hits + alarms else None,
        "recall": hits / said if said else None,
        "false_alarm_rate": alarms / others if others else None,
    }
