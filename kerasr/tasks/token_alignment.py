"""Where each token of a text sounds in its recording: what a voice is taught, found on the recordings themselves.

Each token has energies that are heard where it sounds (`TokenMeans`), and each frame of a recording belongs to one
token's state, all of them in order. The two are learnt from each other (Viterbi training): the frames of some clips are
given to the states whose energies they are nearest to, and the energies take a step towards those of their frames. It
begins with all tokens of a text equally long, and silence where a recording is soft at its ends.

CTC says of a token that it is there, and not where: on GRID the words' borders by a transcriber's alignment are
further off (`benchmarks/alignment.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from kerasr.core.progress import ProgressBar
from kerasr.decoding.monotonic import monotonic_paths
from kerasr.layers.shapes import compile_few_shapes, compiles_shapes, padded_size
from kerasr.models.synthesis.token_means import NUM_STATES, TokenMeans

STEPS, BATCH_SIZE, LEARNING_RATE = 500, 16, 2e-3
# Of these steps, the first: the network has to know something before the frames are given by it.
FLAT_STEPS = 50
# What a frame costs beyond its token's span: more than any distance, and none is impossible.
OUTSIDE = 1e6
# Frames over which loudness is averaged, and where between soft and loud a recording's speech begins and ends.
SMOOTHED, LOUD = 5, 0.5
SOFT_PERCENTILE, LOUD_PERCENTILE = 10, 95


@dataclass(frozen=True, eq=False)
class Spoken:
    """A recording and its text.

    Attributes:
        energies: `(time, n_mels)`, normalised.
        token_ids: of the text, with the silence before and after it.
        spans: `(tokens, 2)` the first frame that may be of each token, and the one past the last; None where nothing is
            known.
    """

    energies: np.ndarray
    token_ids: np.ndarray
    spans: np.ndarray | None = None

    @property
    def fits(self) -> bool:
        """Whether there is a frame for each state."""
        return len(self.energies) >= NUM_STATES * len(self.token_ids)


class Aligner:
    """Finds where tokens sound in recordings.

    Args:
        num_tokens: that there are, numbered from 1.
        n_mels: energies of a frame.
        seed: draws the weights to begin with, and the order of the clips that it learns from.
    """

    def __init__(self, num_tokens: int, n_mels: int, *, seed: int = 0):
        self._seed = seed
        keras.utils.set_random_seed(seed)
        self._means = TokenMeans(num_tokens, n_mels)
        state_of_frame = keras.Input((None,), dtype="int32", name="state_of_frame")
        places = ops.maximum(state_of_frame, 0)[..., None]
        heard = ops.take_along_axis(self._means.output, places, axis=1)
        self._learner = keras.Model([*self._means.inputs, state_of_frame], heard, name="aligner")
        compile_few_shapes(self._means)

    def fit(self, clips: Sequence[Spoken]) -> None:
        """Learn the tokens' energies from clips; each `fits`."""
        rng = np.random.default_rng(self._seed)
        schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS)
        self._learner.compile(keras.optimizers.Adam(schedule), "mse", jit_compile=compiles_shapes())
        with ProgressBar("Finding where each sound is", STEPS) as progress:
            for step in range(STEPS):
                picked = [clips[place] for place in rng.integers(len(clips), size=BATCH_SIZE)]
                paths = [_flat_path(clip) for clip in picked] if step < FLAT_STEPS else self._paths(picked)[0]
                token_ids = _pad([clip.token_ids for clip in picked])
                energies = _pad([clip.energies for clip in picked])
                paths = _pad(paths)
                own = np.arange(energies.shape[1]) < [[len(clip.energies)] for clip in picked]
                self._learner.train_on_batch([token_ids, paths], energies, sample_weight=own.astype("float32"))
                progress.advance(1)

    def durations(self, clips: Sequence[Spoken]) -> list[tuple[np.ndarray, float]]:
        """Of each clip the frames of each token, int32 `(tokens,)`, and the mean squared distance of its frames."""
        paths, distances = self._paths(clips)
        return [
            (np.bincount(path // NUM_STATES, minlength=len(clip.token_ids)).astype(np.int32), distance)
            for clip, path, distance in zip(clips, paths, distances, strict=True)
        ]

    def _paths(self, clips: Sequence[Spoken]) -> tuple[list[np.ndarray], list[float]]:
        """Which state each frame of each clip is in, and how far the frames are from their states."""
        token_ids = _pad([clip.token_ids for clip in clips])
        energies = _pad([clip.energies for clip in clips])
        means = np.asarray(self._means.predict_on_batch(token_ids))
        squares = np.square(energies).sum(2)[:, :, None] + np.square(means).sum(2)[:, None]
        costs = squares - 2 * energies @ means.transpose(0, 2, 1)
        for cost, clip in zip(costs, clips, strict=True):
            if clip.spans is not None:
                first, end = np.repeat(clip.spans, NUM_STATES, axis=0).T
                time = np.arange(len(clip.energies))[:, None]
                cost[: len(time), : len(first)] += OUTSIDE * ((time < first) | (time >= end))
        num_frames = np.array([len(clip.energies) for clip in clips])
        num_states = np.array([NUM_STATES * len(clip.token_ids) for clip in clips])
        found = monotonic_paths(costs, num_frames, num_states)
        paths = [row[:count] for row, count in zip(found, num_frames, strict=True)]
        spent = (cost[np.arange(len(path)), path].mean() for cost, path in zip(costs, paths, strict=True))
        return paths, [float(each) / energies.shape[2] for each in spent]


def find_speech(energies: np.ndarray) -> tuple[int, int]:
    """The first frame of `(time, n_mels)` that is loud, and the one past the last; one at least is left at each end."""
    loudness = np.pad(energies.mean(1), SMOOTHED // 2, "edge")
    loudness = np.convolve(loudness, np.full(SMOOTHED, 1 / SMOOTHED), "valid")
    soft, loud = np.percentile(loudness, [SOFT_PERCENTILE, LOUD_PERCENTILE])
    places = np.flatnonzero(loudness >= soft + LOUD * (loud - soft))
    return max(int(places[0]), 1), min(int(places[-1]) + 1, len(energies) - 1)


def _flat_path(clip: Spoken) -> np.ndarray:
    """A state for each frame: the first token before the speech, the last after it, the others equally long."""
    start, end = find_speech(clip.energies)
    said = NUM_STATES * (len(clip.token_ids) - 2)
    parts = zip((start, end - start, len(clip.energies) - end), (NUM_STATES, said, NUM_STATES), strict=True)
    steps = [np.arange(1, frames + 1) * states / frames for frames, states in parts]
    first, second, third = (np.ceil(step).astype(np.int32) - 1 for step in steps)
    return np.concatenate([first, NUM_STATES + second, NUM_STATES + said + third])


def _pad(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of several lengths as one, zero past their ends."""
    width = padded_size(max(map(len, arrays)))
    return np.stack([np.pad(each, [(0, width - len(each))] + [(0, 0)] * (each.ndim - 1)) for each in arrays])
