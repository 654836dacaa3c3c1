"""How good are these probabilities? Every score of a report, from arrays alone.

Precision, recall and the detector's curves are scikit-learn's. Results are plain JSON types; None stands where a number
has no meaning (the recall of a word that no clip says).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from kerasr.evaluation.intervals import mean_interval
from kerasr.tasks.detect import Detect

# Bins of equal width that the calibration sorts clips into by their confidence.
NUM_BINS = 10

# Where a detector's precision and recall are given, so that its owner can choose.
# At this probability a detector says that its word is there.
THRESHOLD = Detect.threshold
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)

# Probabilities are kept this far from 0 in the log loss, so that one float32 zero does not make it infinite.
MIN_PROBABILITY = 1e-7


def compute_metrics(
    probs: np.ndarray,
    label_index: Sequence[int] | np.ndarray,
    labels: Sequence[str],
    speakers: Sequence[str | None] | None = None,
    *,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    detector: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a classifier or a detector on a set of clips.

    Args:
        probs: `(clips, labels)`, each row a distribution over the labels.
        label_index: `(clips,)` index of what is truly said.
        labels: the words, in the order of the columns.
        speakers: who speaks in each clip; None where that is not known, for one clip or for all.
        groups: other facts of each clip, as `accent` or `microphone`; None where a clip's is not known.
        detector: there are two labels and the second is the wanted word: adds `detector`, its scores at the threshold
            0.5 and at others.
        seed: of the resampling.

    Returns:
        - `num_clips`, `num_correct`, `accuracy`;
        - `accuracy_interval`, the two ends of the 95% interval, and `interval_method`, which says how it was found
          (None, and why, where there is one speaker: `kerasr.evaluation.intervals.mean_interval`);
        - `people`, where some clips have a speaker and others, as those of silence, have none: `num_clips`,
          `num_correct`, `accuracy`, `accuracy_interval` and `interval_method` of those that have; None elsewhere;
        - `macro_recall`: the mean of the words' recalls, so that a rare word weighs as much as a frequent one;
        - `words`: a list with `word`, `num_clips`, `precision`, `recall`, `f1`;
        - `confusion`: counts, a row for what was said and a column for what was predicted, in the order of `labels`;
        - `speakers`: a list with `speaker` and the same of each one's clips, worst first; empty where none is known;
        - `groups`: for each of `groups` that tells clips apart, the same list with `group` in the place of `speaker`;
        - `calibration`: `ece` (expected calibration error), `brier`, `log_loss`, and `bins`, a list with `low`, `high`,
          `num_clips`, `confidence`, `accuracy`;
        - `detector`, for one: `threshold`, `precision`, `recall`, `num_words` and `num_missed` of them, `miss_interval`
          (95%, of the share that is missed) and `miss_interval_method`, `roc_auc`, `average_precision`, and
          `thresholds` and `histogram` to choose another threshold by.

    Raises:
        ValueError: there is no clip, shapes disagree, or a probability is not a number from 0 to 1.
    """
    probs = np.asarray(probs, np.float64)
    label_index = np.asarray(label_index, np.int64)
    speakers = [None] * len(probs) if speakers is None else list(speakers)
    _check(probs, label_index, labels, speakers, detector)
    predicted = predicted_index(probs, detector)
    correct = predicted == label_index
    words = _words(label_index, predicted, labels)
    recalls = [word["recall"] for word in words if word["recall"] is not None]
    metrics = {
        **_accuracy(correct, speakers, seed),
        "people": _of_people(correct, speakers, seed),
        "macro_recall": float(np.mean(recalls)),
        "labels": list(labels),
        "words": words,
        "confusion": confusion_matrix(label_index, predicted, labels=range(len(labels))).tolist(),
        # Of one speaker, the interval is that of other clips by them.
        "speakers": _groups(correct, speakers, [None] * len(speakers), "speaker", seed),
        "groups": {
            name: _groups(correct, values, speakers, "group", seed)
            for name, values in (groups or {}).items()
            if _tells_apart(values)
        },
        "calibration": _calibration(probs, label_index, predicted),
    }
    if detector:
        metrics["detector"] = _detector(probs[:, 1], label_index, speakers, seed)
    return metrics


def predicted_index(probs: np.ndarray, detector: bool) -> np.ndarray:
    """`(clips,)` index of the predicted label, of probabilities `(clips, labels)`; a detector's from `THRESHOLD` on."""
    return (probs[:, 1] >= THRESHOLD).astype(np.int64) if detector else probs.argmax(-1)


def _check(
    probs: np.ndarray, label_index: np.ndarray, labels: Sequence[str], speakers: Sequence[str | None], detector: bool
) -> None:
    if probs.ndim != 2 or not len(probs) or probs.shape[1] != len(labels):
        raise ValueError(f"probs must be (clips, {len(labels)}) with at least one clip; they are {probs.shape}")
    if label_index.shape != (len(probs),) or len(speakers) != len(probs):
        raise ValueError(
            f"there are probabilities of {len(probs)} clips, {label_index.shape} labels and {len(speakers)} speakers"
        )
    if label_index.min() < 0 or label_index.max() >= len(labels):
        raise ValueError(f"label_index must lie from 0 to {len(labels) - 1}")
    if not (np.isfinite(probs).all() and probs.min() >= 0 and probs.max() <= 1 + 1e-5):
        raise ValueError("a probability is NaN or does not lie from 0 to 1: are these logits?")
    if detector and len(labels) != 2:
        raise ValueError(f"a detector has two labels, absence and presence of the word; these are {len(labels)}")


def _accuracy(correct: np.ndarray, speakers: Sequence[str | None], seed: int) -> dict[str, Any]:
    interval, method = mean_interval(correct, speakers, seed)
    return {
        "num_clips": len(correct),
        "num_correct": int(correct.sum()),
        "accuracy": float(correct.mean()),
        "accuracy_interval": interval,
        "interval_method": method,
    }


def _of_people(correct: np.ndarray, speakers: Sequence[str | None], seed: int) -> dict[str, Any] | None:
    """The scores of the clips that have a speaker, where not all do: silences are easy, and nobody says them."""
    named = np.array([speaker is not None for speaker in speakers])
    if named.all() or not named.any():
        return None
    return _accuracy(correct[named], [speaker for speaker in speakers if speaker is not None], seed)


def _words(label_index: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    precision, recall, f1, clips = precision_recall_fscore_support(
        label_index, predicted, labels=range(len(labels)), zero_division=np.nan
    )
    return [
        {
            "word": word,
            "num_clips": int(clips[index]),
            "precision": _number(precision[index]),
            "recall": _number(recall[index]) if clips[index] else None,
            "f1": _number(f1[index]) if clips[index] else None,
        }
        for index, word in enumerate(labels)
    ]


def _groups(
    correct: np.ndarray, values: Sequence[str | None], speakers: Sequence[str | None], key: str, seed: int
) -> list[dict[str, Any]]:
    """Scores of the clips of each value, worst first; the value stands under `key`."""
    members: dict[str, list[int]] = {}
    for index, value in enumerate(values):
        if value is not None:
            members.setdefault(value, []).append(index)
    found = []
    for value in sorted(members):
        own = members[value]
        found.append({key: value, **_accuracy(correct[own], [speakers[index] for index in own], seed)})
    return sorted(found, key=lambda item: (item["accuracy"], -item["num_clips"]))


def _tells_apart(values: Sequence[str | None]) -> bool:
    """Whether a column divides clips into groups: not one value for all, nor another for each."""
    known = [value for value in values if value is not None]
    return 1 < len(set(known)) <= len(known) / 2


def _calibration(probs: np.ndarray, label_index: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Is a word that is given 90% right nine times in ten? (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
    rows = np.arange(len(probs))
    confidence, correct = probs[rows, predicted], predicted == label_index
    number = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    bins = []
    for index in range(NUM_BINS):
        inside = number == index
        some = bool(inside.any())
        bins.append(
            {
                "low": index / NUM_BINS,
                "high": (index + 1) / NUM_BINS,
                "num_clips": int(inside.sum()),
                "confidence": float(confidence[inside].mean()) if some else None,
                "accuracy": float(correct[inside].mean()) if some else None,
            }
        )
    gaps = [abs(item["confidence"] - item["accuracy"]) * item["num_clips"] for item in bins if item["num_clips"]]
    truth = np.zeros_like(probs)
    truth[rows, label_index] = 1
    return {
        "ece": float(sum(gaps) / len(probs)),
        "brier": float(np.square(probs - truth).sum(-1).mean()),
        "log_loss": float(-np.log(np.maximum(probs[rows, label_index], MIN_PROBABILITY)).mean()),
        "bins": bins,
    }


def _detector(
    probability: np.ndarray, present: np.ndarray, speakers: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """Scores of a detector from the probability of the word `(clips,)` and whether it is said."""
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


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
