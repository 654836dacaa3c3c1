"""What a network is to say of each clip: numbers of one shape, or a sequence of its own length for each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of some clips.

    Attributes:
        values: float32 `(clips, ...)`; or, where there are `lengths`, int32 token ids `(sum of lengths,)`, one clip's
            after the other's.
        lengths: `(clips,)` token ids of each clip; None where all targets have one shape.
        kinds: `(clips,)` a number for what each clip is, from 0 without a gap: what is rare among them is drawn more
            often, or weighed up. None where clips are not of kinds.
    """

    values: np.ndarray
    lengths: np.ndarray | None = None
    kinds: np.ndarray | None = None

    @classmethod
    def one_hot(cls, label_index: Sequence[int] | np.ndarray, num_labels: int) -> "Targets":
        """`(clips, num_labels)`: 1 for a clip's label."""
        kinds = np.asarray(label_index, np.int32)
        return cls(np.eye(num_labels, dtype=np.float32)[kinds], kinds=kinds)

    @classmethod
    def ragged(cls, token_ids: Sequence[Sequence[int]]) -> "Targets":
        """Token ids of each clip, as many as it has."""
        lengths = np.array([len(ids) for ids in token_ids], np.int32)
        return cls(np.array([one for ids in token_ids for one in ids], np.int32), lengths)

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """int32 `(len(indices), longest)` token ids of some clips, -1 past a clip's own."""
        assert self.lengths is not None, "targets of one shape have no lengths"
        ends = np.cumsum(self.lengths)[indices]
        lengths = self.lengths[indices]
        padded = np.full((len(indices), lengths.max(initial=0)), -1, np.int32)
        for row, end, length in zip(padded, ends, lengths, strict=True):
            row[:length] = self.values[end - length : end]
        return padded

    def __len__(self) -> int:
        return len(self.values if self.lengths is None else self.lengths)
