"""Decoders of pretrained models, one token after another: each step's keys and values are kept for the next.

They call keras-hub's own layers. A state is for the texts that are kept of one recording: its rows.
"""

import abc
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import ops

from kerasr.models.hub import Pretrained


@dataclass(frozen=True)
class State:
    """What a decoder has read of a recording, and written of each of its texts.

    Attributes:
        encoded: `(rows, frames, width)`, the encoder's output, the same in each row.
        own: keys and values of the tokens so far, for each layer `(rows, 2, tokens, heads, width)`.
        cross: those of the encoder's output, where the layers keep them.
    """

    encoded: Any
    own: tuple[Any, ...]
    cross: tuple[Any, ...] = ()

    def pick(self, rows: np.ndarray) -> "State":
        """The state of these texts, each at the place of the row that it goes on from."""
        fit = self if len(rows) == self.encoded.shape[0] else self._spread(len(rows))
        return replace(fit, own=tuple(ops.take(each, rows, axis=0) for each in self.own))

    def _spread(self, num_rows: int) -> "State":
        """What all rows share, in as many rows."""
        encoded, *cross = (ops.repeat(each[:1], num_rows, axis=0) for each in (self.encoded, *self.cross))
        return replace(self, encoded=encoded, cross=tuple(cross))


class Decoder(abc.ABC):
    """What a family of models does at a step.

    Attributes:
        max_seconds: most of a recording that it reads at once.
        end: the token that ends a text.
    """

    max_seconds: float
    end: int

    def __init__(self, model: Pretrained):
        self.backbone = model.backbone
        self.tokenizer = model.tokenizer
        self.converter = model.converter
        self.sample_rate: int = model.converter.sampling_rate

    @abc.abstractmethod
    def max_tokens(self, num_samples: int) -> int:
        """Most tokens of the text of so many samples."""

    @abc.abstractmethod
    def begin(self, waveform: np.ndarray) -> tuple[State, list[int]]:
        """The state once a waveform `(samples,)` is read and no token written, and the tokens that come first."""

    @abc.abstractmethod
    def step(self, token_ids: np.ndarray, place: int, state: State) -> tuple[np.ndarray, State]:
        """Logits `(rows, vocabulary)` of what follows the tokens `(rows,)` at this place of the texts."""

    def allowed(self, logits: np.ndarray) -> np.ndarray:
        """The logits, those of tokens that no text has at minus infinity."""
        return logits

    def is_silent(self, first: np.ndarray, mean_log_prob: float) -> bool:
        """Whether nothing is said, by the first logits `(vocabulary,)` and the mean logarithm of the probabilities."""
        return False

    def text(self, token_ids: list[int]) -> str:
        """What tokens say."""
        return " ".join(str(self.tokenizer.detokenize(token_ids)).split()) if token_ids else ""


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities, float64 `(..., vocabulary)`."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def empty_caches(num_layers: int, tokens: int, heads: int, width: int, dtype: str) -> tuple[Any, ...]:
    """Room for the keys and values of so many tokens or frames in each layer, for one row."""
    return tuple(ops.zeros((1, 2, tokens, heads, width), dtype) for _ in range(num_layers))
