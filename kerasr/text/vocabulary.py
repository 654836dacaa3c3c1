"""The tokens of transcripts, and text as their numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kerasr.errors import UserError

SPACE = " "


@dataclass(frozen=True)
class Vocabulary:
    """Characters or whole words, numbered from 1: 0 is CTC's blank.

    Attributes:
        tokens: what each adds to a text. Of characters the space between two words is one of them; a word brings the
            space before it, so that tokens are joined alike.
    """

    tokens: tuple[str, ...]
    _number: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", {token: number for number, token in enumerate(self.tokens, 1)})

    @classmethod
    def of(cls, texts: Iterable[str], *, words: bool = False) -> "Vocabulary":
        """The characters of normalised texts, or their words, sorted.

        Raises:
            UserError: there is no word in them.
        """
        split = _words if words else list
        tokens = {token for text in texts for token in split(text)}
        if not tokens - {SPACE}:
            raise UserError("text-missing", "no transcript has a word: a vocabulary cannot be made of them")
        return cls(tuple(sorted(tokens if words else tokens | {SPACE})))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def space(self) -> int | None:
        """The number of the space between two words; None of whole words, which need none."""
        return self._number.get(SPACE)

    def split(self, text: str) -> list[str]:
        """A normalised text's tokens, also such as are not among these."""
        return _words(text) if self.space is None else list(text)

    def encode(self, text: str) -> list[int]:
        """The numbers of a normalised text's tokens.

        Raises:
            UserError: it has a character, or a word, that is no token.
        """
        if unknown := self.unknown(text):
            raise UserError("text-unwritable", f"{text!r}: has {', '.join(map(repr, unknown))}, which are no tokens")
        return [self._number[token] for token in self.split(text)]

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of tokens; blanks say nothing."""
        text = "".join(self.tokens[number - 1] for number in token_ids if number)
        return text.removeprefix(SPACE) if self.space is None else text

    def unknown(self, text: str) -> list[str]:
        """The characters of a text that are no tokens, or its words, each once."""
        unknown = {token for token in self.split(text) if token not in self._number}
        return sorted(unknown if self.space else {token.removeprefix(SPACE) for token in unknown})

    def __str__(self) -> str:
        """How many there are of what."""
        return f"{len(self.tokens)} {'words' if self.space is None else 'characters'}"


def _words(text: str) -> list[str]:
    return [SPACE + word for word in text.split()]
