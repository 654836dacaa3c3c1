"""Batches of clips of like lengths: little padding, and a bound on what one holds.

A bucket holds clips of about one length, and its batches have as many as keep its longest, padded, within the bound; so
their number is the same in each epoch, whatever the order.
"""

from collections.abc import Sequence

import numpy as np

# The shortest clip of a bucket is at least so long, as a share of the longest: the rest is padding.
LEAST_SHARE = 0.8


class Buckets:
    """The clips of a split by their lengths.

    Args:
        seconds: `(clips,)` length of each.
        batch_size: most clips in a batch.
        batch_seconds: most seconds in a batch, padding included; a clip that is longer makes a batch of its own.
    """

    def __init__(self, seconds: Sequence[float], batch_size: int, batch_seconds: float):
        lengths = np.asarray(seconds, np.float64)
        order = np.argsort(lengths, kind="stable")
        self._buckets: list[tuple[np.ndarray, int]] = []
        while len(order):
            longest = lengths[order[-1]]
            size = int(np.clip(batch_seconds // max(longest, 1e-3), 1, batch_size))
            first = int(np.searchsorted(lengths[order], LEAST_SHARE * longest))
            self._buckets.append((order[first:].astype(np.int32), size))
            order = order[:first]

    @property
    def num_batches(self) -> int:
        """Batches in a pass; the last one of a bucket may have fewer clips."""
        return sum(-(-len(indices) // size) for indices, size in self._buckets)

    def batches(self, seed: Sequence[int] | None) -> list[np.ndarray]:
        """Indices of the clips in each batch of a pass.

        Args:
            seed: of the order, of clips in a bucket and of batches; None has the longest first.
        """
        draw = None if seed is None else np.random.default_rng(seed)
        made = []
        for indices, size in self._buckets:
            mixed = indices if draw is None else draw.permutation(indices)
            made += [mixed[start : start + size] for start in range(0, len(mixed), size)]
        return made if draw is None else [made[place] for place in draw.permutation(len(made))]
