"""CTC forced alignment: where in a recording each token of a text is said, and of these each word.

The likeliest of all paths that say the text is found by Viterbi's algorithm over the tokens with a blank before,
between and after them.

Source: Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1, with the maximum in the place of
the sum, https://www.cs.toronto.edu/~graves/icml_2006.pdf.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kerasr.config import FeatureSpec
from kerasr.layers.ctc import BLANK
from kerasr.text import Vocabulary

# What a path of a frame that says no token is marked with.
NO_TOKEN = -1
# Probabilities of less, which float32 writes as 0, forbid no path: a text is aligned even where a frame rules it out.
LEAST_PROB = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Word:
    """A word of a transcript.

    Attributes:
        text: the word.
        start: where its first token begins, in seconds of the recording.
        end: where its last token ends.
        confidence: the geometric mean of its tokens' probabilities, each in that one of its frames in the alignment in
            which it is the most probable.
    """

    text: str
    start: float
    end: float
    confidence: float

    def moved(self, seconds: float, end: float) -> "Word":
        """The same word later, in a recording that ends at `end`."""
        return replace(self, start=self.start + seconds, end=min(self.end + seconds, end))


@dataclass(frozen=True)
class FrameTimes:
    """When the outputs of a network are that gives one for each few frames.

    An output stands for the time halfway to the ones beside it, about the middle of the frame that it is centred on: an
    encoder with a stride of 4 reads the frames about 0, 4, 8..., and a frame's middle is that of its window.

    Attributes:
        first: the middle of the first output, in seconds of the clip.
        step: from one output to the next, in seconds.
    """

    first: float = 0.5
    step: float = 1.0

    @classmethod
    def of(cls, spec: FeatureSpec, stride: int) -> "FrameTimes":
        """Those of a network with so many frames of features to an output."""
        # Where frames are not centred on their time, the first one begins with the clip.
        middle = 0 if spec.center else spec.n_fft / 2
        return cls(middle / spec.sample_rate, stride * spec.hop_length / spec.sample_rate)

    def span(self, first: int, last: int) -> tuple[float, float]:
        """Where the outputs from one to another begin and end, in seconds, not before the clip."""
        return max(self.first + (first - 0.5) * self.step, 0.0), self.first + (last + 0.5) * self.step


def align(probs: np.ndarray, token_ids: Sequence[int]) -> np.ndarray:
    """The likeliest path that says some tokens.

    Args:
        probs: `(time, outputs)` probabilities, the blank first.
        token_ids: the tokens, none of them the blank; there may be none.

    Returns:
        int32 `(time,)`: which of the tokens each frame says, counted from 0, and -1 where it says the blank.

    Raises:
        ValueError: the tokens take more frames than there are.
    """
    # Blank, token, blank, token... blank: a path goes on by one, or by two past a blank between tokens that differ.
    states = np.full(2 * len(token_ids) + 1, BLANK)
    states[1::2] = token_ids
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(probs.astype(np.float64), LEAST_PROB))
    # A path begins in front of its first frame, at the first blank.
    scores = np.where(np.arange(len(states)) == 0, 0.0, -np.inf)
    # Where a long path came from is not kept: it is found anew, backwards, from the scores that each block began with.
    size, begun = max(math.isqrt(len(probs)), 1), []
    for start in range(0, len(probs), size):
        begun.append((start, scores))
        scores, _ = _advance(scores, logs[start : start + size], states, skips)
    state = len(states) - 1 - int(len(states) > 1 and scores[-2] >= scores[-1])
    if scores[state] == -np.inf:
        raise ValueError(f"{len(token_ids)} tokens take more than {len(probs)} frames")
    path = np.empty(len(probs), np.int32)
    for start, scores in reversed(begun):
        _, steps = _advance(scores, logs[start : start + size], states, skips)
        for frame in reversed(range(len(steps))):
            path[start + frame] = state // 2 if state % 2 else NO_TOKEN
            state -= int(steps[frame, state])
    return path


@dataclass(frozen=True, eq=False)
class Alignment:
    """A text's tokens in the frames of a clip.

    Attributes:
        probs: `(time, outputs)` probabilities, the blank first.
        vocabulary: the tokens.
        token_ids: the text's.
        path: int32 `(time,)`, as `align` finds it.
        times: of the outputs.
    """

    probs: np.ndarray
    vocabulary: Vocabulary
    token_ids: tuple[int, ...]
    path: np.ndarray
    times: FrameTimes

    @classmethod
    def of(cls, probs: np.ndarray, text: str, vocabulary: Vocabulary, times: FrameTimes) -> "Alignment":
        """That of words with a space between them, as a decoder has found them in these probabilities.

        Raises:
            ValueError: the text takes more frames than there are.
        """
        token_ids = vocabulary.encode(text)
        return cls(probs, vocabulary, tuple(token_ids), align(probs, token_ids), times)

    def span(self, first: int, last: int) -> tuple[float, float]:
        """Where the tokens from one to another begin and end, counted from 0, in seconds."""
        frames = np.flatnonzero((self.path >= first) & (self.path <= last))
        return self.times.span(int(frames[0]), int(frames[-1]))

    @property
    def words(self) -> tuple[Word, ...]:
        """The words, where they are said and how sure that is."""
        said = np.flatnonzero(self.path != NO_TOKEN)
        surest = np.zeros(len(self.token_ids))
        np.maximum.at(surest, self.path[said], self.probs[said, np.array(self.token_ids, int)[self.path[said]]])
        words, first = [], 0
        for text in self.vocabulary.decode(self.token_ids).split():
            end = first + len(self.vocabulary.encode(text))
            words.append(Word(text, *self.span(first, end - 1), geometric_mean(surest[first:end])))
            first = end + (self.vocabulary.space is not None)
        return tuple(words)


def geometric_mean(probs: Sequence[float] | np.ndarray) -> float:
    """Of probabilities, at least one."""
    return float(np.exp(np.log(np.maximum(probs, LEAST_PROB)).mean()))


def _advance(
    scores: np.ndarray, logs: np.ndarray, states: np.ndarray, skips: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The best paths' scores in each state after some frames, and by how much each frame's step has gone on there."""
    steps = np.empty((len(logs), len(states)), np.int8)
    for frame, log in enumerate(logs):
        came = np.full((3, len(states)), -np.inf)
        came[0], came[1, 1:], came[2, 2:] = scores, scores[:-1], np.where(skips[2:], scores[:-2], -np.inf)
        steps[frame] = came.argmax(0)
        scores = came.max(0) + log[states]
    return scores, steps
