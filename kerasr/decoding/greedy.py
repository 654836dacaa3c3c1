"""Greedy decoding of CTC: the likeliest token of each frame, repeats and blanks taken out.

Source: Graves et al., "Connectionist Temporal Classification", ICML 2006, section 3.2 (best path decoding),
https://www.cs.toronto.edu/~graves/icml_2006.pdf.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from keras import ops

from kerasr.layers.ctc import BLANK


def collapse(path: np.ndarray) -> list[int]:
    """The tokens of a path `(frames,)`: of each run of the same output one, and no blanks."""
    path = np.asarray(path)
    first = np.ones(len(path), bool)
    first[1:] = path[1:] != path[:-1]
    return [int(number) for number in path[first & (path != BLANK)]]


def shortest_path(tokens: Sequence[Any]) -> int:
    """Frames that tokens take at least: one each, and a blank between two that are the same."""
    return len(tokens) + sum(one == other for one, other in pairwise(tokens))


def likeliest(outputs):
    """Where the largest of `(..., outputs)` is, int32 `(...)`, in a graph, too: LiteRT and ONNX lack Keras's argmax."""
    return ops.cast(ops.top_k(outputs, 1)[1][..., 0], "int32")


def best_path(outputs):
    """The tokens of each clip's likeliest path, in a graph, too.

    Args:
        outputs: logits or probabilities `(batch, time, outputs)`, the blank first.

    Returns:
        int32 `(batch, time)` token ids, -1 past a clip's last.
    """
    path = likeliest(outputs)
    before = ops.pad(path[:, :-1], [(0, 0), (1, 0)], constant_values=-1)
    kept = ops.logical_and(path != before, path != BLANK)
    # Each goes to a place of its own: those that are kept to the front, in their order, the others behind all of them.
    num_clips, num_frames = ops.shape(path)
    number = ops.cumsum(ops.cast(kept, "int32"), axis=1) - 1
    place = ops.where(kept, number, num_frames + ops.arange(num_frames, dtype="int32"))
    clip = ops.broadcast_to(ops.arange(num_clips, dtype="int32")[:, None], ops.shape(path))
    indices = ops.reshape(ops.stack([clip, place], axis=-1), (-1, 2))
    # (Scattered among zeros, so that what is left free is -1 in the end.)
    moved = ops.scatter(indices, ops.reshape(path + 1, (-1,)), (num_clips, 2 * num_frames))
    return moved[:, :num_frames] - 1
