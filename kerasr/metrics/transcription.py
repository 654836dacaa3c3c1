"""Scores of transcripts: word and character error rates with their intervals, whose they are, and which."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from kerasr.metrics.accuracy import accuracy_metrics
from kerasr.metrics.intervals import ratio_interval

# Confusions that are listed, the most frequent first.
NUM_CONFUSIONS = 20


def transcription_metrics(
    found: Sequence[str],
    truth: Sequence[str],
    speakers: Sequence[str | None],
    *,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """How much of what was said is right.

    Args:
        found: the transcripts of a model, normalised.
        truth: what was said, normalised.
        speakers: who speaks in each; None where that is not known.
        groups: other facts of each clip.
        seed: of the intervals' resampling.

    Returns:
        - what `accuracy_metrics` says, of transcripts that are right in every word;
        - `wer`, errors as a share of the words that were said, `wer_interval` and `wer_method`; `num_words`,
          `num_substitutions`, `num_deletions`, `num_insertions`; the same for characters as `cer` alone;
        - `speaker_errors`: a list with each `speaker`, `num_words` and `wer`, worst first;
        - `confusions`: a list with `said`, `found` ("" for a word left out or put in) and `count`.
    """
    pairs = [(one.split(), other.split()) for one, other in zip(truth, found, strict=True)]
    edits = [Levenshtein.editops(said, heard) for said, heard in pairs]
    errors, words = np.array([len(ops) for ops in edits]), np.array([len(said) for said, _ in pairs])
    kinds = Counter(op.tag for ops in edits for op in ops)
    characters = [Levenshtein.distance(one, other) for one, other in zip(truth, found, strict=True)]
    interval, method = ratio_interval(errors, words, speakers, seed)
    return {
        **accuracy_metrics(errors == 0, speakers, groups=groups, seed=seed),
        "wer": float(errors.sum() / max(words.sum(), 1)),
        "wer_interval": interval,
        "wer_method": method,
        "cer": float(sum(characters) / max(sum(map(len, truth)), 1)),
        "num_words": int(words.sum()),
        "num_substitutions": kinds["replace"],
        "num_deletions": kinds["delete"],
        "num_insertions": kinds["insert"],
        "speaker_errors": _by_speaker(errors, words, speakers),
        "confusions": _confusions(pairs, edits),
    }


def _by_speaker(errors: np.ndarray, words: np.ndarray, speakers: Sequence[str | None]) -> list[dict[str, Any]]:
    rows = []
    for speaker in sorted({one for one in speakers if one is not None}):
        own = np.array([one == speaker for one in speakers])
        if total := int(words[own].sum()):
            rows.append({"speaker": speaker, "num_words": total, "wer": float(errors[own].sum() / total)})
    return sorted(rows, key=lambda row: (-row["wer"], row["speaker"]))


def _confusions(pairs: Sequence[tuple[list[str], list[str]]], edits: Sequence[Any]) -> list[dict[str, Any]]:
    counts: Counter[tuple[str, str]] = Counter()
    for (said, heard), ops in zip(pairs, edits, strict=True):
        for op in ops:
            one = "" if op.tag == "insert" else said[op.src_pos]
            counts[one, "" if op.tag == "delete" else heard[op.dest_pos]] += 1
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:NUM_CONFUSIONS]
    return [{"said": said, "found": found, "count": count} for (said, found), count in most]
