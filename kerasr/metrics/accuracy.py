"""Of clips that are right or wrong: the accuracy with its interval, of people, of each speaker and of other groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasr.metrics.intervals import mean_interval


def accuracy_metrics(
    correct: np.ndarray,
    speakers: Sequence[str | None],
    *,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """How many clips are right, and whose.

    Args:
        correct: `(clips,)`, whether each is right.
        speakers: who speaks in each; None where that is not known.
        groups: other facts of each clip, as `accent` or `microphone`; None where a clip's is not known.
        seed: of the resampling.

    Returns:
        - `num_clips`, `num_correct`, `accuracy`;
        - `accuracy_interval`, the two ends of the 95% interval, and `interval_method`, which says how it was found
          (None, and why, where there is one speaker: `kerasr.metrics.intervals.mean_interval`);
        - `people`, where some clips have a speaker and others, as those of silence, have none: the same of those that
          have; None elsewhere;
        - `speakers`: a list with `speaker` and the same of each one's clips, worst first; empty where none is known;
        - `groups`: for each of `groups` that tells clips apart, the same list with `group` in the place of `speaker`.
    """
    return {
        **_accuracy(correct, speakers, seed),
        "people": _of_people(correct, speakers, seed),
        # Of one speaker, the interval is that of other clips by them.
        "speakers": _groups(correct, speakers, [None] * len(speakers), "speaker", seed),
        "groups": {
            name: _groups(correct, values, speakers, "group", seed)
            for name, values in (groups or {}).items()
            if _tells_apart(values)
        },
    }


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
