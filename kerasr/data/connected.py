"""Connected words: random strings of one speaker's recordings, with pauses between them, made as they are read.

A string is an utterance whose path names its parts (`kerasr.audio.joined`), and its text is theirs in order. Each is of
recordings of one split. Those of validation and test are drawn once, those to train on anew in each pass.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kerasr.audio.features import Features
from kerasr.audio.joined import join_path
from kerasr.data.manifest import SPLITS, Corpus, Utterance
from kerasr.data.pipeline import Pipeline
from kerasr.data.targets import Targets

# Shortest and longest pause between two recordings, in seconds; their own ends are more or less silent, too.
PAUSES = (0.05, 0.4)


def connect_corpus(corpus: Corpus, longest: int, seed: int) -> Corpus:
    """The corpus with strings in validation and test; what is to train on keeps its recordings, each with its text.

    Args:
        corpus: with every split decided.
        longest: most recordings in a string.
        seed: draws the strings.
    """
    parts = {split: [with_text(item) for item in corpus.utterances if item.split == split] for split in SPLITS}
    held_out = (connect(parts[split], longest, seed) for split in SPLITS[1:])
    return replace(corpus, utterances=(*parts["train"], *(item for strings in held_out for item in strings)))


def connect(
    utterances: Sequence[Utterance], longest: int, seed: int, number: int = 0, *, shortest: int = 1
) -> list[Utterance]:
    """Random strings in which each recording stands once; a speaker's depend on nobody else's recordings.

    Args:
        utterances: recordings, with their text or label. Those whose speaker is not known are taken for one speaker's.
        longest: most recordings in a string.
        seed: draws how many each string has.
        number: of the pass: it draws, with the seed, which ones they are, and the pauses. So there are as many strings
            in each pass, the first of them as many recordings long as the first of any other, and by the same speaker.
        shortest: fewest recordings in a string; where fewer are left over, they are left out.

    Returns:
        Utterances without a label, of one speaker and one split, with those extra facts that all recordings share.
    """
    strings = []
    for speaker in dict.fromkeys(item.speaker for item in utterances):
        mine = [item for item in utterances if item.speaker == speaker]
        name = int.from_bytes(hashlib.sha256((speaker or "").encode()).digest()[:8], "big")
        order = np.random.default_rng((seed, name, number + 1))
        places = iter(order.permutation(len(mine)))
        for size in _sizes(len(mine), shortest, longest, np.random.default_rng((seed, name))):
            parts = [mine[next(places)] for _ in range(size)]
            strings.append(_join(parts, np.round(order.uniform(*PAUSES, size - 1), 3).tolist()))
    return strings


class ConnectedPipeline(Pipeline):
    """A pipeline whose utterances are drawn anew in each pass.

    Args:
        draw: from a pass's number, counted from 0, to its utterances and their targets: as many in each pass, each of
            about one length in all. Buckets are made by the lengths of the first pass.
        features: the front-end.
        options: as `Pipeline` takes them, without a cache.
    """

    def __init__(self, draw: Callable[[int], tuple[Sequence[Utterance], Targets]], features: Features, **options: Any):
        super().__init__(*draw(0), features, **options)
        # (Batches of two passes may be made at a time.)
        self._draw = functools.lru_cache(maxsize=2)(draw)

    def of_pass(self, number: int) -> tuple[Sequence[Utterance], Targets]:
        """The utterances of a pass and their targets."""
        return self._draw(number)


def with_text(item: Utterance) -> Utterance:
    """A word's text is the word; a label as `_silence_` is none."""
    if item.text is not None or item.label is None or item.label.startswith("_"):
        return item
    return replace(item, text=item.label)


def _sizes(total: int, shortest: int, longest: int, rng: np.random.Generator) -> Iterator[int]:
    """Recordings in each string, until there is none left."""
    while total >= shortest:
        size = min(total, int(rng.integers(shortest, longest + 1)))
        total -= size
        yield size


def _join(parts: Sequence[Utterance], pauses: Sequence[float]) -> Utterance:
    """One utterance of recordings."""
    first, texts = parts[0], [with_text(item).text for item in parts]
    durations = [item.duration for item in parts if item.duration is not None]
    return Utterance(
        join_path([item.path for item in parts], pauses),
        text=None if None in texts else " ".join(filter(None, texts)),
        speaker=first.speaker,
        split=first.split,
        duration=sum(durations) + sum(pauses) if len(durations) == len(parts) else None,
        extra=dict(sorted(set.intersection(*({*item.extra.items()} for item in parts)))),
    )
