"""What recordings hold, as hashes: a corpus's fingerprint, and each recording's own, by which it is known again."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Sequence

import numpy as np

from kerasr.audio.joined import split_path
from kerasr.core.progress import map_threaded
from kerasr.core.regular import open_regular
from kerasr.data.archives import is_archived, read_matrix
from kerasr.data.manifest import Corpus, Utterance

# Hexadecimal digits of a `content_hash`: 64 bits tell all recordings of the world apart.
_HASH_DIGITS = 16

# A file's first and last bytes that the fingerprint reads: all of a clip, the two ends of a long recording.
_FINGERPRINT_BYTES = 1 << 19


def fingerprint(corpus: Corpus, contents: Iterable[str] | None = None) -> str:
    """SHA-256, in hex, of what the corpus says and what its files hold, wherever it lies.

    It is taken of the sorted SHA-256 of one row a recording: relative path, label, text, speaker, size and SHA-256 of
    the content. Content is every byte of a file up to 1 MiB and the first and last 512 KiB of a longer one, so that a
    folder of clips is read in full and a three-hour recording is not. The split, the extra facts and the background
    recordings are no part of it: the run's manifest has them.

    Args:
        corpus: the recordings.
        contents: what `content_hashes` says of them, where that is known already.
    """
    contents = content_hashes(corpus.utterances) if contents is None else contents
    rows = (
        json.dumps([corpus.relative(item.path), item.label, item.text, item.speaker, content])
        for item, content in zip(corpus.utterances, contents, strict=True)
    )
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(row.encode()).digest() for row in rows))).hexdigest()


def with_hashes(utterances: Sequence[Utterance], contents: Iterable[str] | None = None) -> tuple[Utterance, ...]:
    """The recordings with their `content_hash`: 16 hexadecimal digits of the SHA-256 of what the fingerprint reads.

    Of a file up to 1 MiB these are the first that `sha256sum` gives. A hash that a recording has already is
    computed again: the file may have changed.

    Args:
        utterances: the recordings.
        contents: what `content_hashes` says of them, where that is known already.
    """
    contents = content_hashes(utterances, "Comparing recordings") if contents is None else contents
    return tuple(
        dataclasses.replace(item, content_hash=content.partition(":")[2][:_HASH_DIGITS])
        for item, content in zip(utterances, contents, strict=True)
    )


def content_hashes(utterances: Iterable[Utterance], description: str = "Taking the fingerprint") -> list[str]:
    """The `content_hash` of each recording, with a progress bar of this description."""
    return [*map_threaded(content_hash, [item.path for item in utterances], description)]


def content_hash(path: str) -> str:
    """Size and SHA-256 of the file's bytes, of its two ends where it is long: as in the fingerprint.

    Of joined recordings (`kerasr.audio.joined`) they are of what this says of each, and of the pauses; of given
    features (`kerasr.data.archives`) of their values, which are the same in another archive.
    """
    if is_archived(path):
        matrix = read_matrix(path)
        return f"{matrix.nbytes}:{hashlib.sha256(np.ascontiguousarray(matrix, '<f4').tobytes()).hexdigest()}"
    paths, pauses = split_path(path)
    if pauses:
        parts = [content_hash(part) for part in paths]
        size = sum(int(part.partition(":")[0]) for part in parts)
        return f"{size}:{hashlib.sha256(json.dumps([parts, pauses]).encode()).hexdigest()}"
    with open_regular(path, "rb") as file:
        digest = hashlib.sha256(file.read(_FINGERPRINT_BYTES))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(_FINGERPRINT_BYTES, size - _FINGERPRINT_BYTES))
        digest.update(file.read())
    return f"{size}:{digest.hexdigest()}"
