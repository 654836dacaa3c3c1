"""The tokens of transcripts, and text as their numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kerasr.errors import UserError

SPACE = " "


@dataclass(frozen=True)
class Vocabulary:
    """Characters, numbered from 1: 0 is CTC's blank.

    Attributes:
        tokens: each a character; the space between two words is one of them.
    """

    tokens: tuple[str, ...]
    _number: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", {token: number for number, token in enumerate(self.tokens, 1)})

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """The characters of normalised texts, sorted.

        Raises:
            UserError: there is none in them.
        """
        tokens = {character for text in texts for character in text}
        if not tokens - {SPACE}:
            raise UserError("text-missing", "no transcript has a word: a vocabulary cannot be made of them")
        return cls(tuple(sorted(tokens | {SPACE})))

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The numbers of a normalised text's tokens.

        Raises:
            UserError: it has a character that is no token.
        """
        if unknown := self.unknown(text):
            raise UserError("text-unwritable", f"{text!r}: has {', '.join(map(repr, unknown))}, which are no tokens")
        return [self._number[character] for character in text]

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of tokens; blanks say nothing."""
        return "".join(self.tokens[number - 1] for number in token_ids if number)

    def unknown(self, text: str) -> list[str]:
        """The characters of a text that are no tokens, each once."""
        return sorted({character for character in text if character not in self._number})
