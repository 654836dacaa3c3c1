"""Recordings that something has learnt from, to find others among them: by what they hold, wherever they lie."""

import os
from collections.abc import Iterable, Sequence

from kerasr.core.progress import console
from kerasr.data.manifest import Corpus, Utterance


class KnownRecordings:
    """Tells whether a recording is one of these: `item in known`.

    Two recordings are one where their `content_hash` is the same. Where either has none, as in a run of an earlier
    kerasr, they are one where they lie at the same path.

    Args:
        utterances: recordings.
        hashes: the `content_hash` of others, of which nothing else is known.
    """

    def __init__(self, utterances: Iterable[Utterance] = (), hashes: Iterable[str] = ()):
        self._by_path = {os.path.realpath(item.path): item.content_hash for item in utterances}
        self.hashes = frozenset(filter(None, self._by_path.values())).union(hashes)

    def __contains__(self, item: Utterance) -> bool:
        if item.content_hash in self.hashes:
            return True
        path = os.path.realpath(item.path)
        return path in self._by_path and None in (self._by_path[path], item.content_hash)

    def __or__(self, other: "KnownRecordings") -> "KnownRecordings":
        both = KnownRecordings(hashes=self.hashes | other.hashes)
        both._by_path = {**self._by_path, **other._by_path}
        return both


def count_copies(corpus: Corpus, contents: Sequence[str]) -> int:
    """How many test recordings are, byte for byte, in another split too, which is said."""
    known = {}
    for item, content in zip(corpus.utterances, contents, strict=True):
        if item.split != "test":
            known[content] = item.path
    copies = [
        (item.path, known[content])
        for item, content in zip(corpus.utterances, contents, strict=True)
        if item.split == "test" and content in known
    ]
    if copies:
        first, original = copies[0]
        console().print(
            f"warning: copies of what is learnt from are in the test, {len(copies):,} of them (the first is {first}, "
            f"a copy of {original}): the score will say more than is true",
            style="yellow",
        )
    return len(copies)
