"""Which clips are drawn how often and count how much: rare words, and groups that do badly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasr.data.manifest import Utterance
from kerasr.errors import UserError


@dataclass(frozen=True, eq=False)
class Balance:
    """How often a pass draws each clip of a split, and how much its loss counts.

    Attributes:
        weights: `(recordings,)` weight of each one's loss; batches then have a third part, a weight a clip.
        strata: `(recordings,)` a number for each one's kind: a pass then draws as many of each kind, those of a rare
            one again and again, those of a frequent one not all.
        group_index: `(recordings,)` index of each one's group, -1 for none; batches then have a third part, each clip's
            weight in each group, and in the last column the weight of what is in none.
    """

    weights: Sequence[float] | np.ndarray | None = None
    strata: Sequence[int] | np.ndarray | None = None
    group_index: Sequence[int] | np.ndarray | None = None

    def arrays(self) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        """The three, as float32, as int32 from 0 without a gap, and as int32."""
        weights, strata, groups = self.weights, self.strata, self.group_index
        return (
            None if weights is None else np.asarray(weights, np.float32),
            None if strata is None else np.unique(strata, return_inverse=True)[1].astype(np.int32),
            None if groups is None else np.asarray(groups, np.int32),
        )


@dataclass(frozen=True)
class Groups:
    """The groups of some recordings.

    Attributes:
        names: what stands in the manifest's column, sorted.
        index: `(recordings,)` index of each one's group, -1 where the column is empty.
    """

    names: tuple[str, ...]
    index: np.ndarray


def find_groups(utterances: Sequence[Utterance], column: str) -> Groups:
    """The groups that a column of the manifest makes: `speaker`, `accent`.

    Raises:
        UserError: there are fewer than two.
    """
    values = [item.fact(column) for item in utterances]
    names = sorted({value for value in values if value is not None})
    if len(names) < 2:
        columns = ", ".join(sorted({"speaker", *_columns(utterances)}))
        found = f"all recordings have {names[0]}" if names else "no recording has it"
        raise UserError(
            "column-not-found", f"--balance-groups {column}: in the training split {found}; the columns are: {columns}"
        )
    number = {name: index for index, name in enumerate(names)}
    return Groups(tuple(names), np.array([-1 if value is None else number[value] for value in values], np.int32))


def class_weights(kinds: np.ndarray) -> np.ndarray:
    """`(recordings,)` weights in inverse proportion to how many are of a recording's kind, 1 on average."""
    counts = np.bincount(kinds)
    return (len(kinds) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[kinds]


def find_strata(kinds: np.ndarray | None, groups: Groups | None) -> np.ndarray | None:
    """`(recordings,)` what an epoch draws evenly: kinds, as the labels, groups, or the kinds of each group."""
    if kinds is None:
        return groups.index if groups else None
    return kinds if groups is None else (groups.index + 1) * (kinds.max() + 1) + kinds


def _columns(utterances: Iterable[Utterance]) -> Iterable[str]:
    return (name for item in utterances for name in item.extra)


def draw_evenly(strata: np.ndarray, seed: Any) -> tf.Tensor:
    """As many clips as there are, evenly from each stratum: of a large one some, of a small one each again and again.

    Args:
        strata: `(clips,)` stratum of each clip, 0 to the number of strata less one, each with a clip.
        seed: draws the clips; two draws of a stratum differ by one clip's count at most.

    Returns:
        `(clips,)` int32 indices, stratum after stratum in turn.
    """
    counts = np.bincount(strata).astype(np.int32)
    starts = tf.constant(np.cumsum(counts, dtype=np.int32) - counts)
    places = tf.range(len(strata))
    shuffled = tf.random.experimental.stateless_shuffle(places, seed)  # pyright: ignore[reportAttributeAccessIssue]
    grouped = tf.gather(shuffled, tf.argsort(tf.gather(tf.constant(strata), shuffled), stable=True))
    position = tf.range(len(strata))
    stratum = position % len(counts)
    return tf.gather(grouped, tf.gather(starts, stratum) + position // len(counts) % tf.gather(counts, stratum))
