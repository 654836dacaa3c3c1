"""CTC forced alignment: where in a recording each token of a text is said, and of these each word.

The likeliest of all paths that say the text is found by Viterbi's algorithm over the tokens with a blank before,
between and after them.

Source: Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1, with the maximum in the place of
the sum, https://www.cs.toronto.edu/~graves/icml_2006.pdf.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kerasr.config import FeatureSpec
from kerasr.layers.ctc import BLANK
from kerasr.text import Vocabulary
from kerasr.text.vocabulary import SPACE, Arc

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
    def of(cls, spec: FeatureSpec, stride: int, window: int = 0) -> "FrameTimes":
        """Those of a network with so many frames of features to an output.

        Each output reads a window of frames from its own on; with a window of 0 it is centred on its own.
        """
        # Where frames are not centred on their time, the first one begins with the clip.
        middle = 0 if spec.center else spec.n_fft / 2
        middle += max(window - 1, 0) / 2 * spec.hop_length
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
    return _likeliest_path(
        probs, [Arc(place, place + 1, token) for place, token in enumerate(token_ids)], len(token_ids)
    )


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

        Where tokens may be joined to the text in several ways, as pieces may, it is that of the likeliest path of all.

        Raises:
            ValueError: the text takes more frames than there are.
        """
        arcs = list(vocabulary.arcs(text))
        path = _likeliest_path(probs, arcs, len(vocabulary.lead + text) if text else 0)
        said = dict.fromkeys(path[path != NO_TOKEN].tolist())
        number = np.full(len(arcs) + 1, NO_TOKEN, np.int32)
        number[list(said)] = np.arange(len(said))
        return cls(probs, vocabulary, tuple(arcs[arc].token for arc in said), number[path], times)

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
        return tuple(
            Word(text, *self.span(numbers[0], numbers[-1]), geometric_mean(surest[numbers]))
            for text, numbers in self._split()
        )

    def _split(self) -> Iterator[tuple[str, list[int]]]:
        """Each word, and which of the tokens say it, without the spaces that are tokens of their own."""
        words: list[list[int]] = [[]]
        tokens = [self.vocabulary.tokens[token - 1] for token in self.token_ids]
        for number, token in enumerate(tokens):
            if token.startswith(SPACE):
                words.append([])
            if token != SPACE:
                words[-1].append(number)
        for numbers in filter(None, words):
            yield "".join(tokens[number] for number in numbers).removeprefix(SPACE), numbers


def geometric_mean(probs: Sequence[float] | np.ndarray) -> float:
    """Of probabilities, at least one."""
    return float(np.exp(np.log(np.maximum(probs, LEAST_PROB)).mean()))


def _likeliest_path(probs: np.ndarray, arcs: Sequence[Arc], last: int) -> np.ndarray:
    """Which of the arcs each frame says, `NO_TOKEN` where it says the blank, on the likeliest way to the last place.

    Raises:
        ValueError: there is none, or it takes more frames than there are.
    """
    # A blank at each place, then the arcs.
    num_places = last + 1
    outputs = np.array([BLANK] * num_places + [arc.token for arc in arcs])
    sources, ends = _sources(arcs, num_places)
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(probs.astype(np.float64), LEAST_PROB))
    # A path begins in front of its first frame, at the first blank.
    scores = np.where(np.arange(len(outputs)) == 0, 0.0, -np.inf)
    # Where a long path came from is not kept: it is found anew, backwards, from the scores that each block began with.
    size, begun = max(math.isqrt(len(probs)), 1), []
    for start in range(0, len(probs), size):
        begun.append((start, scores))
        scores, _ = _advance(scores, logs[start : start + size, outputs], sources)
    state = max(ends, key=scores.__getitem__)
    if scores[state] == -np.inf:
        raise ValueError(f"{len(arcs)} tokens take more than {len(probs)} frames")
    path = np.empty(len(probs), np.int32)
    for start, scores in reversed(begun):
        _, steps = _advance(scores, logs[start : start + size, outputs], sources)
        for frame in reversed(range(len(steps))):
            path[start + frame] = state - num_places if state >= num_places else NO_TOKEN
            state = int(sources[steps[frame, state], state])
    return path


def _sources(arcs: Sequence[Arc], num_places: int) -> tuple[np.ndarray, list[int]]:
    """`(most, states)` from which states one comes to each, the number of states for none; and where a path may end."""
    ending: list[list[int]] = [[] for _ in range(num_places)]
    for number, arc in enumerate(arcs, num_places):
        ending[arc.end].append(number)
    # It stays; or comes from the place, or past its blank from an arc that ends there, but for one of the same token.
    before = [[place, *ending[place]] for place in range(num_places)]
    for number, (start, _, token) in enumerate(arcs, num_places):
        others = (other for other in ending[start] if arcs[other - num_places].token != token)
        before.append([number, start, *others])
    sources = np.full((max(map(len, before)), len(before)), len(before))
    for state, found in enumerate(before):
        sources[: len(found), state] = found
    return sources, [*ending[-1], num_places - 1]


def _advance(scores: np.ndarray, logs: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best paths' scores in each state after some frames, and by which of its sources each came there in each."""
    steps = np.empty((len(logs), len(scores)), np.int16)
    padded = np.append(scores, -np.inf)
    for frame, log in enumerate(logs):
        came = padded[sources]
        steps[frame] = came.argmax(0)
        padded[:-1] = came.max(0) + log
    return padded[:-1], steps
