"""Word n-grams estimated from text by modified Kneser-Ney smoothing, interpolated.

Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1998, section 3,
https://dash.harvard.edu/handle/1/25104739; the discounts are those of equation 26.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kerasr.decoding.ngram import BEGIN, END, NEVER, UNKNOWN, NGrams
from kerasr.errors import UserError

Gram = tuple[str, ...]
# Where a small text has no n-gram of some count: absolute discounting's usual amount. Of a text that lacks only counts
# of 4, the formula would take all of a count of 3, as KenLM's lmplz does.
FALLBACK = 0.5


def estimate_ngrams(sentences: Iterable[Sequence[str]], order: int = 3, *, open_vocabulary: bool = True) -> NGrams:
    """Word n-grams of sentences.

    Args:
        sentences: the words of each.
        order: words of the longest n-gram.
        open_vocabulary: leave a share of the probability to words that the text lacks, `<unk>`.

    Raises:
        UserError: the order is less than 1, or there is no word.
    """
    if order < 1:
        raise UserError("setting-out-of-range", f"order {order}: an n-gram has one word at least")
    counts = _count(sentences, order)
    if not counts[0].keys() - {(END,), (BEGIN,)}:
        raise UserError("text-missing", "there is no word in the text: nothing can be estimated")
    words = sorted({gram[0] for gram in counts[0]} - {BEGIN})
    adjusted = [_continuations(counts[length], counts[length - 1]) for length in range(1, order)] + [counts[-1]]
    probs: dict[Gram, float] = {}
    backoffs: dict[Gram, float] = {}
    # A word of which nothing is known is as likely as any.
    uniform = 1 / (len(words) + open_vocabulary)
    lower: dict[Gram, float] = defaultdict(lambda: uniform)
    for length, own in enumerate(adjusted, 1):
        found, left = _smooth({gram: count for gram, count in own.items() if gram[-1] != BEGIN}, lower)
        if length == 1 and open_vocabulary:
            found[UNKNOWN,] = left[()] * uniform
        probs |= found
        backoffs |= {history: weight for history, weight in left.items() if history}
        lower = defaultdict(lambda: uniform, found)
    logs = {gram: math.log10(prob) for gram, prob in probs.items()} | {(BEGIN,): NEVER}
    return NGrams(logs, {gram: math.log10(weight) for gram, weight in backoffs.items() if gram in logs and weight > 0})


def _count(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Gram]]:
    """How often each n-gram stands in the sentences, by its length; `<s>` and `</s>` are words of theirs."""
    counts: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for words in sentences:
        whole = (BEGIN, *words, END)
        for length in range(1, order + 1):
            counts[length - 1].update(whole[start : start + length] for start in range(len(whole) - length + 1))
    return counts


def _continuations(longer: Mapping[Gram, int], own: Mapping[Gram, int]) -> dict[Gram, int]:
    """How many words stand before each n-gram; where it begins a sentence none can, and its own count stays."""
    before = Counter(gram[1:] for gram in longer)
    return {gram: count if gram[0] == BEGIN else before[gram] for gram, count in own.items()}


def _smooth(counts: Mapping[Gram, int], lower: Mapping[Gram, float]) -> tuple[dict[Gram, float], dict[Gram, float]]:
    """The interpolated probability of each n-gram, and what each history leaves to the shorter one."""
    discounts = _discounts(counts)
    totals: Counter[Gram] = Counter()
    taken: defaultdict[Gram, float] = defaultdict(float)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        taken[gram[:-1]] += discounts[min(count, 3) - 1]
    left = {history: taken[history] / total for history, total in totals.items()}
    found = {
        gram: (count - discounts[min(count, 3) - 1]) / totals[gram[:-1]] + left[gram[:-1]] * lower[gram[1:]]
        for gram, count in counts.items()
    }
    return found, left


def _discounts(counts: Mapping[Gram, int]) -> list[float]:
    """What is taken from a count of 1, of 2, and of 3 or more."""
    seen = Counter(counts.values())
    if not all(seen[number] for number in (1, 2, 3, 4)):
        return [FALLBACK] * 3
    share = seen[1] / (seen[1] + 2 * seen[2])
    found = [number - (number + 1) * share * seen[number + 1] / seen[number] for number in (1, 2, 3)]
    return found if all(0 < one <= number for number, one in enumerate(found, 1)) else [FALLBACK] * 3
