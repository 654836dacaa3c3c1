"""Segments of a sound that goes on: CTC's outputs are cut at pauses, and each segment is decoded on its own.

So neither a search nor an alignment grows with the recording, and what is said before a pause is final after it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from kerasr.layers.ctc import BLANK


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of a sound in which something is said.

    Attributes:
        first: its first output, counted from the sound's beginning.
        probs: `(time, outputs)` probabilities, the blank first.
    """

    first: int
    probs: np.ndarray


class Segmenter:
    """Cuts outputs that come in any number where nothing is said for a while.

    By the likeliest of each output: greedily decoded, segments say what the whole says, with a space at each pause.

    Args:
        space: the number of the space alone among the outputs; None where words have none between them.
        pause: outputs without any other token that end a segment.
        longest: outputs after which a segment that has no pause ends where its last word begins.
        begins: the other outputs that a word begins with; where there are neither these nor a space, each does, and a
            segment ends at a blank.

    Attributes:
        path: the likeliest output at each frame of the segment that has not ended.
        least_blank: the least probability of the blank so far.
    """

    def __init__(self, space: int | None, pause: int, longest: int, begins: Collection[int] = ()):
        self.path: list[int] = []
        self.least_blank = 1.0
        self._space = space
        self._seams = {BLANK if space is None else space, *begins}
        self._pause = pause
        self._longest = longest
        self._rows: list[np.ndarray] = []
        self._position = self._silent = 0
        self._begun = False

    def process(self, probs: np.ndarray) -> Iterator[Segment]:
        """Take in the next outputs `(time, outputs)`; the segments that end with them."""
        self.least_blank = min(self.least_blank, float(probs[:, BLANK].min(initial=1.0)))
        for row, output in zip(probs, probs.argmax(-1).tolist(), strict=True):
            self._rows.append(row)
            self.path.append(output)
            self._position += 1
            if output not in (BLANK, self._space):
                self._begun, self._silent = True, 0
            elif self._begun:
                self._silent += 1
            else:
                # Some silence goes before a segment: a search looks at tokens that are not the likeliest, too.
                self._keep(0 if output == self._space else self._pause // 2)
            if self._begun and self._silent >= self._pause:
                yield self._end(len(self.path), 0)
            elif self._begun and len(self.path) >= self._longest and (seam := self._last_seam()):
                yield self._end(seam[0], len(self.path) - seam[1])

    def finish(self) -> Iterator[Segment]:
        """The sound has ended, and with it the last segment, where there is one."""
        if self._begun:
            yield self._end(len(self.path), 0)

    def _last_seam(self) -> tuple[int, int] | None:
        """Where a segment may end, and the next one begin, that has no pause; None where nothing is before that."""
        last = next((place for place in reversed(range(len(self.path))) if self.path[place] in self._seams), 0)
        output = self.path[last]
        if last and output in (BLANK, self._space):
            return last, last + 1
        # A token that a word begins with is the next segment's.
        first = next((place + 1 for place in reversed(range(last)) if self.path[place] != output), 0)
        return (first, first) if first else None

    def _end(self, size: int, left: int) -> Segment:
        """The segment of so many outputs; the last `left` of all begin the next one."""
        segment = Segment(self._position - len(self.path), np.stack(self._rows[:size]))
        self._keep(left)
        self._begun = any(output not in (BLANK, self._space) for output in self.path)
        return segment

    def _keep(self, size: int) -> None:
        gone = max(len(self.path) - size, 0)
        del self._rows[:gone], self.path[:gone]
