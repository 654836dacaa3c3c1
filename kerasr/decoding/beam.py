"""CTC prefix beam search with a word language model, a closed list of words, and hot words.

A prefix's probability is that of all paths that say it, those that end in a blank apart from the others; a word that is
complete is weighed by the language model. Where pieces say a word in several ways, all of these count: it is told apart
by its text, and its last piece, which has to be said after a blank where it is said again. A hot word has a bonus, of
which a word that may become one has a share while it is said: else a beam would lose it before it is complete.

Source: Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs",
2014, https://arxiv.org/abs/1408.2873, algorithm 1.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kerasr.decoding.ngram import BEGIN, END, NGrams
from kerasr.layers.ctc import BLANK
from kerasr.text import Vocabulary
from kerasr.text.vocabulary import CHARACTERS, SPACE, WORDS

_NEVER = -math.inf
_LN10 = math.log(10)


@dataclass(frozen=True)
class BeamOptions:
    """How the search goes.

    Attributes:
        beam: prefixes that are kept after each frame.
        lm_weight: factor on the language model's logarithms.
        word_bonus: what each word adds, in natural logarithms: the language model alone prefers few.
        hot_word_bonus: what a hot word adds beside that.
        least_prob: tokens of less are not looked at in a frame.
    """

    beam: int = 32
    lm_weight: float = 1.0
    word_bonus: float = 1.0
    hot_word_bonus: float = 5.0
    least_prob: float = 1e-4


@dataclass(slots=True)
class _Node:
    """A place in a tree of words: the words that begin with its characters.

    Attributes:
        children: the places one character on.
        is_word: whether a word ends here.
        share: of the shortest of the words, what is said of it already.
    """

    children: dict[str, "_Node"] = field(default_factory=dict)
    is_word: bool = False
    share: float = 0.0


@dataclass(slots=True)
class _Prefix:
    """What has been said so far.

    Attributes:
        last: the last token; the blank where nothing has been said.
        node: where the begun word is in the tree; None where any word may be said.
        word: the begun word's characters.
        words: the words that are complete.
        bonus: of the language model and for words.
        hot: where the begun word is in the tree of hot words; None where it is none of them.
        begun: what the begun word has of a hot word's bonus.
        blank: log probability of the paths that end in a blank.
        token: of those that end in the last token.
    """

    last: int
    node: _Node | None
    word: str
    words: tuple[str, ...]
    bonus: float
    hot: _Node | None = None
    begun: float = 0.0
    blank: float = _NEVER
    token: float = _NEVER

    @property
    def key(self) -> tuple[tuple[str, ...], str, int]:
        """What tells it from others, and orders those that are equally likely."""
        return self.words, self.word, self.last

    @property
    def total(self) -> float:
        return _add(self.blank, self.token)

    @property
    def score(self) -> float:
        return self.total + self.bonus + self.begun


class BeamDecoder:
    """The search for the likeliest text, of one clip at a time: the same whatever it is batched with.

    Args:
        vocabulary: the tokens.
        model: weighs words; None for none.
        words: the only words that there are; None for any.
        options: how the search goes.
        hot_words: have a bonus, and are among the words that there are. One that the model lacks is weighed as the
            rarest of the words that it has.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        model: NGrams | None = None,
        words: Iterable[str] | None = None,
        options: BeamOptions | None = None,
        hot_words: Iterable[str] = (),
    ):
        self.vocabulary = vocabulary
        self.model = model
        self.options = options or BeamOptions()
        self.hot_words = frozenset(hot_words)
        self._tokens = ("", *vocabulary.tokens)
        self._are_words = vocabulary.kind == WORDS
        # A word that is empty ends after none of these: there are no two spaces, and among characters none before all.
        self._open = {vocabulary.space, *([BLANK] if vocabulary.kind == CHARACTERS else [])}
        self._root = None if words is None else _tree({*words, *self.hot_words})
        self._hot = _tree(self.hot_words) if self.hot_words else None
        self._rarest = model.rarest if model and self.hot_words else _NEVER
        self._known: dict[tuple[str, ...], float] = {}

    def with_options(self, options: BeamOptions) -> "BeamDecoder":
        """The same search with other weights."""
        other = BeamDecoder(self.vocabulary, self.model, None, options, self.hot_words)
        other._root, other._known = self._root, self._known
        return other

    def decode(self, probs: np.ndarray) -> str:
        """The likeliest text.

        Args:
            probs: `(time, outputs)` probabilities, the blank first.
        """
        prefixes = [_Prefix(BLANK, self._root, "", (), 0.0, self._hot, blank=0.0)]
        with np.errstate(divide="ignore"):
            logs = np.log(probs.astype(np.float64))
        least = math.log(self.options.least_prob)
        for frame in logs:
            tokens = [int(token) for token in np.flatnonzero(frame > least) if token != BLANK]
            prefixes = self._prune(self._extend(prefixes, frame.tolist(), tokens))
        texts: dict[tuple[tuple[str, ...], str], _Prefix] = {}
        for prefix in prefixes:
            same = texts.setdefault((prefix.words, prefix.word), _like(prefix))
            same.blank = _add(same.blank, prefix.total)
        return max((self._finish(prefix) for prefix in texts.values()), default=(_NEVER, ""))[1]

    def _extend(self, prefixes: Sequence[_Prefix], frame: list[float], tokens: list[int]) -> Iterable[_Prefix]:
        found: dict[tuple[tuple[str, ...], str, int], _Prefix] = {}
        for prefix in prefixes:
            same = found.get(prefix.key) or found.setdefault(prefix.key, _like(prefix))
            same.blank = _add(same.blank, prefix.total + frame[BLANK])
            if prefix.last != BLANK:
                same.token = _add(same.token, prefix.token + frame[prefix.last])
            for token in tokens:
                # After the same token a new one is said only where a blank stood between.
                base = prefix.blank if token == prefix.last else prefix.total
                if base == _NEVER:
                    continue
                longer = self._said(prefix, token)
                if longer is not None:
                    longer = found.setdefault(longer.key, longer)
                    longer.token = _add(longer.token, base + frame[token])
        return found.values()

    def _said(self, prefix: _Prefix, token: int) -> _Prefix | None:
        """The prefix with a token more; None where no word goes on so."""
        text = self._tokens[token]
        if text[0] == SPACE:
            if not prefix.word and prefix.last in self._open:
                return None
            ended = self._end_word(prefix) if prefix.word else prefix
            if ended is None:
                return None
            prefix, text = ended, text[1:]
        node = _walk(prefix.node, text)
        if prefix.node is not None and node is None:
            return None
        hot = _walk(prefix.hot, text)
        begun = self.options.hot_word_bonus * hot.share if hot else 0.0
        longer = _Prefix(token, node, prefix.word + text, prefix.words, prefix.bonus, hot, begun)
        return self._end_word(longer) if self._are_words else longer

    def _end_word(self, prefix: _Prefix) -> _Prefix | None:
        """The prefix with its word complete; None where that is none of the words that there are."""
        if prefix.node is not None and not prefix.node.is_word:
            return None
        words = (*prefix.words, prefix.word)
        return _Prefix(prefix.last, self._root, "", words, prefix.bonus + self._worth(words), self._hot)

    def _worth(self, words: tuple[str, ...]) -> float:
        """What the last of some words adds."""
        is_hot = words[-1] in self.hot_words
        bonus = self.options.word_bonus + (self.options.hot_word_bonus if is_hot else 0.0)
        if self.model is None:
            return bonus
        context = (BEGIN, *words)[-self.model.order :]
        if context not in self._known:
            log_prob = self.model.log_prob(context[-1], context[:-1])
            if is_hot and not self.model.has(words[-1]):
                log_prob = max(log_prob, self._rarest)
            self._known[context] = log_prob * _LN10
        return self.options.lm_weight * self._known[context] + bonus

    def _prune(self, prefixes: Iterable[_Prefix]) -> list[_Prefix]:
        return sorted(prefixes, key=lambda prefix: (-prefix.score, prefix.key))[: self.options.beam]

    def _finish(self, prefix: _Prefix) -> tuple[float, str]:
        """A prefix as a whole text, and its score; one that ends within a word of a closed list is none."""
        words, score = prefix.words, prefix.total + prefix.bonus
        if prefix.word:
            if prefix.node is not None and not prefix.node.is_word:
                return _NEVER, " ".join(words)
            words = (*words, prefix.word)
            score += self._worth(words)
        if self.model is not None:
            history = (BEGIN, *words)
            score += self.options.lm_weight * self.model.log_prob(END, history) * _LN10
        return score, " ".join(words)


def _tree(words: Iterable[str]) -> _Node:
    root = _Node()
    for word in words:
        node = root
        for place, character in enumerate(word, 1):
            node = node.children.setdefault(character, _Node())
            node.share = max(node.share, place / len(word))
        node.is_word = True
    return root


def _walk(node: _Node | None, text: str) -> _Node | None:
    """The place in a tree so many characters on; None where no word goes on so."""
    for character in text:
        if node is None:
            return None
        node = node.children.get(character)
    return node


def _like(prefix: _Prefix) -> _Prefix:
    """The same prefix, of no path yet."""
    return _Prefix(prefix.last, prefix.node, prefix.word, prefix.words, prefix.bonus, prefix.hot, prefix.begun)


def _add(one: float, other: float) -> float:
    """The logarithm of the sum of two probabilities."""
    if one < other:
        one, other = other, one
    return one if other == _NEVER else one + math.log1p(math.exp(other - one))
