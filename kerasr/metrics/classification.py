"""How good are the probabilities of words? The scores of a report, from arrays alone.

Precision and recall are scikit-learn's. Results are plain JSON types; None stands where a number
has no meaning (the recall of a word that no clip says).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasr.metrics.accuracy import accuracy_metrics
from kerasr.metrics.calibration import MIN_PROBABILITY, calibration_bins


def classification_metrics(
    probs: np.ndarray,
    label_index: Sequence[int] | np.ndarray,
    labels: Sequence[str],
    speakers: Sequence[str | None] | None = None,
    *,
    predicted: np.ndarray | None = None,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a classifier on a set of clips.

    Args:
        probs: `(clips, labels)`.
        label_index: `(clips,)` index of what is truly said.
        labels: the words, in the order of the columns.
        speakers: who speaks in each clip; None where that is not known, for one clip or for all.
        predicted: `(clips,)` index of the predicted label; that of the highest probability where None.
        groups: other facts of each clip, as `accent` or `microphone`; None where a clip's is not known.
        seed: of the resampling.

    Returns:
        What `accuracy_metrics` says, and:

        - `macro_recall`: the mean of the words' recalls, so that a rare word weighs as much as a frequent one;
        - `labels`; and `words`: a list with `word`, `num_clips`, `precision`, `recall`, `f1`;
        - `confusion`: counts, a row for what was said and a column for what was predicted, in the order of `labels`;
        - `calibration`: `ece` (expected calibration error), `brier`, `log_loss`, and `bins`, a list with `low`, `high`,
          `num_clips`, `confidence`, `accuracy`.

    Raises:
        ValueError: there is no clip, shapes disagree, or a probability is not a number from 0 to 1.
    """
    from sklearn.metrics import confusion_matrix

    probs = np.asarray(probs, np.float64)
    label_index = np.asarray(label_index, np.int64)
    speakers = [None] * len(probs) if speakers is None else list(speakers)
    _check(probs, label_index, labels, speakers)
    decided: np.ndarray = probs.argmax(-1) if predicted is None else predicted
    words = _words(label_index, decided, labels)
    recalls = [word["recall"] for word in words if word["recall"] is not None]
    return {
        **accuracy_metrics(decided == label_index, speakers, groups=groups, seed=seed),
        "macro_recall": float(np.mean(recalls)),
        "labels": list(labels),
        "words": words,
        "confusion": confusion_matrix(label_index, decided, labels=range(len(labels))).tolist(),
        "calibration": _calibration(probs, label_index, decided),
    }


def _check(probs: np.ndarray, label_index: np.ndarray, labels: Sequence[str], speakers: Sequence[str | None]) -> None:
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


def _words(label_index: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, clips = precision_recall_fscore_support(
        label_index, predicted, labels=range(len(labels)), zero_division=np.nan
    )
    return [
        {
            "word": word,
            "num_clips": int(clips[index]),
            "precision": number(precision[index]),
            "recall": number(recall[index]) if clips[index] else None,
            "f1": number(f1[index]) if clips[index] else None,
        }
        for index, word in enumerate(labels)
    ]


def _calibration(probs: np.ndarray, label_index: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    rows = np.arange(len(probs))
    found = calibration_bins(probs[rows, predicted], predicted == label_index)
    truth = np.zeros_like(probs)
    truth[rows, label_index] = 1
    return {
        "ece": found["ece"],
        "brier": float(np.square(probs - truth).sum(-1).mean()),
        "log_loss": float(-np.log(np.maximum(probs[rows, label_index], MIN_PROBABILITY)).mean()),
        "bins": found["bins"],
    }


def number(value: float) -> float | None:
    """A number for JSON, None where there is none."""
    return float(value) if np.isfinite(value) else None
