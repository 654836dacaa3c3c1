"""Scores of transcripts: word and character error rates with their intervals, whose they are, and which."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from kerasr.metrics.accuracy import accuracy_metrics
from kerasr.metrics.calibration import MIN_PROBABILITY, calibration_bins
from kerasr.metrics.intervals import ratio_interval

# Confusions that are listed, the most frequent first.
NUM_CONFUSIONS = 20


def transcription_metrics(
    found: Sequence[str],
    truth: Sequence[str],
    speakers: Sequence[str | None],
    *,
    confidences: Sequence[Sequence[float]] | None = None,
    uncalibrated: Sequence[Sequence[float]] | None = None,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """How much of what was said is right.

    Args:
        found: the transcripts of a model, normalised.
        truth: what was said, normalised.
        speakers: who speaks in each; None where that is not known.
        confidences: of the words that were found in each; None where they are not known.
        uncalibrated: the same as the network has them, where they were calibrated.
        groups: other facts of each clip.
        seed: of the intervals' resampling.

    Returns:
        - what `accuracy_metrics` says, of transcripts that are right in every word;
        - `wer`, errors as a share of the words that were said, `wer_interval` and `wer_method`, `num_words`, in each
          of its `speakers` and `groups`, too, which are sorted by it, worst first;
        - `num_substitutions`, `num_deletions`, `num_insertions`; and `cer`, of characters;
        - `lengths`: a list with the same of transcripts of `least` to `most` words, 1, 2, 3 to 4, 5 to 8..., and their
          `num_clips`, shortest first;
        - `confusions`: a list with `said`, `found` ("" for a word left out or put in), `count`, and `of`, how often the
          word was said;
        - `calibration`, of the confidences of words that were found, where there are some: `ece` and `bins`, as
          `calibration_bins` has them, and `brier` and `log_loss` of whether each is right; `ece_uncalibrated` where
          they were calibrated.
    """
    pairs = [word_pairs(one, other) for one, other in zip(truth, found, strict=True)]
    wrong = [[pair for pair in row if pair[0] != pair[1]] for row in pairs]
    errors, words = np.array([*map(len, wrong)]), np.array([len(text.split()) for text in truth])
    characters = sum(Levenshtein.distance(one, other) for one, other in zip(truth, found, strict=True))
    kinds = Counter((not said, not heard) for row in wrong for said, heard in row)
    rates = _Rates(errors, words, speakers, seed)
    groups = groups or {}
    accuracy = accuracy_metrics(errors == 0, speakers, groups=groups, seed=seed)
    return {
        **accuracy,
        "speakers": rates.beside(accuracy["speakers"], "speaker", speakers),
        "groups": {name: rates.beside(rows, "group", groups[name]) for name, rows in accuracy["groups"].items()},
        **rates.of(range(len(errors))),
        "cer": characters / max(sum(map(len, truth)), 1),
        "num_substitutions": kinds[False, False],
        "num_deletions": kinds[False, True],
        "num_insertions": kinds[True, False],
        "lengths": list(_by_length(rates)),
        "confusions": _confusions(pairs),
        **({"calibration": _calibration(pairs, confidences, uncalibrated)} if confidences and any(confidences) else {}),
    }


def word_error_rate(truth: Sequence[str], found: Sequence[str]) -> float:
    """Words taken for others, left out and put in, as a share of those that were said."""
    said = [text.split() for text in truth]
    errors = sum(Levenshtein.distance(one, other.split()) for one, other in zip(said, found, strict=True))
    return errors / max(sum(map(len, said)), 1)


def right_words(truth: Sequence[str], found: Sequence[str]) -> np.ndarray:
    """`(words,)`, whether each word that was found in some transcripts is right."""
    pairs = (word_pairs(one, other) for one, other in zip(truth, found, strict=True))
    return np.array([said == other for row in pairs for said, other in row if other], bool)


def word_pairs(said: str, found: str) -> list[tuple[str, str]]:
    """Two texts word beside word, by the fewest errors: "" stands beside a word that is left out, or put in."""
    one, other = said.split(), found.split()
    pairs: list[tuple[str, str]] = []
    for op in Levenshtein.opcodes(one, other):
        ours, theirs = one[op.src_start : op.src_end], other[op.dest_start : op.dest_end]
        pairs += zip_longest(ours, theirs, fillvalue="")
    return pairs


@dataclass(frozen=True)
class _Rates:
    """Word errors of clips, of which some are asked for."""

    errors: np.ndarray
    words: np.ndarray
    speakers: Sequence[str | None]
    seed: int

    def of(self, clips: Iterable[int], *, of_a_speaker: bool = False) -> dict[str, Any]:
        """The rate over some clips, and its interval: over speakers, or over what else one of them might say."""
        own = list(clips)
        errors, words = self.errors[own], self.words[own]
        speakers = None if of_a_speaker else [self.speakers[index] for index in own]
        interval, method = ratio_interval(errors, words, speakers, self.seed)
        return {
            "wer": float(errors.sum() / max(words.sum(), 1)),
            "wer_interval": interval,
            "wer_method": method,
            "num_words": int(words.sum()),
        }

    def beside(self, rows: list[dict[str, Any]], key: str, values: Sequence[str | None]) -> list[dict[str, Any]]:
        """The rows of groups of clips, whose value stands under `key`, with each one's rate, worst first."""
        found = []
        for row in rows:
            own = [index for index, value in enumerate(values) if value == row[key]]
            found.append({**row, **self.of(own, of_a_speaker=key == "speaker")})
        return sorted(found, key=lambda row: (-row["wer"], -row["num_words"]))


def _by_length(rates: _Rates) -> Iterable[dict[str, Any]]:
    """The rates of transcripts of so many words: as many as in the ones before, and up to twice as many."""
    least = 1
    for power in count():
        if least > rates.words.max(initial=0):
            return
        own = np.flatnonzero((rates.words >= least) & (rates.words <= 2**power))
        if len(own):
            yield {"least": least, "most": 2**power, "num_clips": len(own), **rates.of(own)}
        least = 2**power + 1


def _calibration(
    pairs: Sequence[Sequence[tuple[str, str]]],
    confidences: Sequence[Sequence[float]],
    uncalibrated: Sequence[Sequence[float]] | None,
) -> dict[str, Any]:
    correct = np.array([said == found for row in pairs for said, found in row if found])
    confidence = np.array([one for row in confidences for one in row])
    before = {}
    if uncalibrated is not None:
        raw = np.array([one for row in uncalibrated for one in row])
        before = {"ece_uncalibrated": calibration_bins(raw, correct)["ece"]}
    likelihood = np.where(correct, confidence, 1 - confidence)
    return {
        **calibration_bins(confidence, correct, "words"),
        "brier": float(np.square(confidence - correct).mean()),
        "log_loss": float(-np.log(np.maximum(likelihood, MIN_PROBABILITY)).mean()),
        **before,
    }


def _confusions(pairs: Sequence[Sequence[tuple[str, str]]]) -> list[dict[str, Any]]:
    counts = Counter(pair for row in pairs for pair in row)
    said = Counter(said for row in pairs for said, _ in row)
    wrong = [(pair, number) for pair, number in counts.items() if pair[0] != pair[1]]
    most = sorted(wrong, key=lambda item: (-item[1], item[0]))[:NUM_CONFUSIONS]
    return [{"said": one, "found": other, "count": number, "of": said[one]} for (one, other), number in most]
