"""The tokens of transcripts, and text as their numbers."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kerasr.errors import UserError
from kerasr.text.pieces import split_pieces, train_pieces

SPACE = " "
CHARACTERS, WORDS, PIECES = "characters", "words", "pieces"
# Scores beyond are no logarithms of probabilities.
_MOST_SCORE = 1e30


class Arc(NamedTuple):
    """A token that may stand in a text.

    Attributes:
        start: its place.
        end: where the next one stands.
        token: its number.
    """

    start: int
    end: int
    token: int


@dataclass(frozen=True)
class Vocabulary:
    """Characters, whole words or pieces of words, numbered from 1: 0 is CTC's blank.

    Attributes:
        tokens: what each adds to a text. Of characters the space between two words is one of them; a word, and a piece
            that a word begins with, brings the space before it, so that tokens are joined alike.
        scores: of pieces the logarithm of each one's probability, which says how texts are split; None of others.

    Raises:
        ValueError: the scores are not one number for each token, or not every character is a piece.
    """

    tokens: tuple[str, ...]
    scores: tuple[float, ...] | None = None
    _number: dict[str, int] = field(init=False, repr=False, compare=False)
    _score: dict[str, float] = field(init=False, repr=False, compare=False)
    _longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", {token: number for number, token in enumerate(self.tokens, 1)})
        object.__setattr__(self, "_longest", max(map(len, self.tokens), default=0))
        object.__setattr__(self, "_score", dict(zip(self.tokens, self.scores or (), strict=False)))
        if self.scores is not None and not self._has_sound_scores:
            raise ValueError(f"{len(self.tokens)} pieces and {len(self.scores)} scores are not of one vocabulary")

    @classmethod
    def of(cls, texts: Iterable[str], kind: str = CHARACTERS, *, size: int = 0) -> "Vocabulary":
        """The characters of normalised texts, or their words, sorted; or pieces of words, the likeliest first.

        Args:
            texts: what it shall be able to write.
            kind: `characters`, `words` or `pieces`.
            size: how many pieces there may be.

        Raises:
            UserError: there is no word in them; or of pieces, there are more characters than these, or SentencePiece is
                not installed.
        """
        texts = list(texts)
        if not any(text.split() for text in texts):
            raise UserError("text-missing", "no transcript has a word: a vocabulary cannot be made of them")
        if kind == PIECES:
            scores = train_pieces(texts, size)
            return cls(tuple(scores), tuple(scores.values()))
        if kind == WORDS:
            return cls(tuple(sorted({token for text in texts for token in _words(text)})))
        return cls(tuple(sorted({SPACE, *(character for text in texts for character in text)})))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def kind(self) -> str:
        """`characters`, `words` or `pieces`."""
        if self.scores is not None:
            return PIECES
        return WORDS if self.space is None else CHARACTERS

    @property
    def space(self) -> int | None:
        """The number of the space alone, which is one of the characters and of the pieces; None of whole words."""
        return self._number.get(SPACE)

    @property
    def lead(self) -> str:
        """What its tokens bring before a text: of words and pieces the space before the first word."""
        return "" if self.kind == CHARACTERS else SPACE

    @property
    def begins(self) -> frozenset[int]:
        """The pieces that a word begins with; none of others, and not the space alone."""
        if self.scores is None:
            return frozenset()
        return frozenset(number for token, number in self._number.items() if token[0] == SPACE != token)

    def split(self, text: str) -> list[str]:
        """A normalised text's tokens, also such as are not among these."""
        if self.kind == CHARACTERS:
            return list(text)
        if self.scores is None or not text:
            return _words(text)
        return split_pieces(SPACE + text, self._score, self._longest)

    def encode(self, text: str) -> list[int]:
        """The numbers of a normalised text's tokens.

        Raises:
            UserError: it has a character, or a word, that cannot be written in them.
        """
        if unknown := self.unknown(text):
            raise UserError("text-unwritable", f"{text!r}: has {', '.join(map(repr, unknown))}, which are no tokens")
        return [self._number[token] for token in self.split(text)]

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of tokens; blanks say nothing."""
        return "".join(self.tokens[number - 1] for number in token_ids if number).removeprefix(self.lead)

    def unknown(self, text: str) -> list[str]:
        """The characters of a text that are no tokens, or its words, each once."""
        if self.kind == WORDS:
            return sorted({word for word in text.split() if SPACE + word not in self._number})
        return sorted({character for character in text if character not in self._number})

    def arcs(self, text: str) -> Iterator[Arc]:
        """Each token wherever it may stand in a normalised text: the ways from place 0 to the last one say the text.

        Of characters and of words there is one way. The places of pieces, of which there may be many, are characters.
        """
        whole, lead = (self.lead + text, len(self.lead)) if text else ("", 0)
        for start in range(len(whole)):
            for end in range(start + 1, min(start + self._longest, len(whole)) + 1):
                if token := self._number.get(whole[start:end]):
                    yield Arc(start, end, token)
                    # The space before the first word need not be said.
                    if 0 < start == lead:
                        yield Arc(0, end, token)

    @property
    def _has_sound_scores(self) -> bool:
        scores = self.scores or ()
        return (
            len(scores) == len(self.tokens) > 0
            and all(math.isfinite(score) and abs(score) < _MOST_SCORE for score in scores)
            and all(character in self._number for token in (*self.tokens, SPACE) for character in token)
        )

    def __str__(self) -> str:
        """How many there are of what."""
        return f"{len(self.tokens)} {self.kind}"


def _words(text: str) -> list[str]:
    return [SPACE + word for word in text.split()]
