"""What the user's cache holds, and how it is cleaned without taking anything from whoever reads it."""

import contextlib
import os
import re
from dataclasses import dataclass

from kerasr.core import atomic
from kerasr.data.corpora.an4 import NAME as AN4
from kerasr.data.corpora.flite import PROGRAM as FLITE

# (The known corpora register in the order in which this imports them: before one of them is imported from here.)
from kerasr.data.corpora.load import CORPORA
from kerasr.data.corpora.segments import NAME as SEGMENTS
from kerasr.data.corpora.speech_commands import NAME as SPEECH_COMMANDS
from kerasr.data.corpora.spoken import BY_RUN
from kerasr.data.corpora.synthetic import NAME as SYNTHETIC
from kerasr.data.corpora.user_cache import cache_folder, is_used
from kerasr.text.verbalization import GRAMMARS

# Kinds of what can be had again, and how it is.
KINDS = {
    "corpus": "downloaded again",
    "converted": "converted again out of the recordings that they are from",
    "grammars": "compiled again",
    "negatives": "cut again out of the recordings that they are from",
    "silence": "cut again out of the corpus's background noises",
    "voices": "spoken again",
}
# What nobody can tell how to have again: it stays.
OTHER = "other"

_MADE = re.compile(r"(.+)-[0-9a-f]{12}")
_KIND_OF_MADE = {
    AN4: "converted",
    GRAMMARS: "grammars",
    "negatives": "negatives",
    SEGMENTS: "converted",
    f"{SPEECH_COMMANDS}-silence": "silence",
    SYNTHETIC: "voices",
    FLITE: "voices",
    BY_RUN: "voices",
}


@dataclass(frozen=True)
class CachedFolder:
    """A folder of the cache.

    Attributes:
        path: where it is.
        kind: one of `KINDS`, or `OTHER`.
        num_bytes: the size of its files.
        used: when a process last began to read it, in seconds since 1970; of an earlier version's, when it was made.
        in_use: a process that lives reads it.
    """

    path: str
    kind: str
    num_bytes: int
    used: float
    in_use: bool

    @property
    def name(self) -> str:
        """What it is called in the cache."""
        return os.path.basename(self.path)


def list_cache() -> list[CachedFolder]:
    """The folders of the cache, those that were not used for longest first; none where there is no cache."""
    with contextlib.suppress(FileNotFoundError), os.scandir(cache_folder()) as entries:
        # A name with a dot is a folder that is being made, or the marks of who reads which.
        paths = [entry.path for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
        return sorted(map(_describe, paths), key=lambda folder: folder.used)
    return []


def remove_cached(folder: CachedFolder) -> bool:
    """Remove a folder of the cache, unless a process has begun to read it meanwhile; whether it is gone."""
    if is_used(folder.path):
        return False
    atomic.remove_folder(folder.path)
    return True


def _describe(path: str) -> CachedFolder:
    return CachedFolder(path, _kind(os.path.basename(path)), folder_bytes(path), os.stat(path).st_mtime, is_used(path))


def _kind(name: str) -> str:
    made = _MADE.fullmatch(name)
    if made and made[1] in _KIND_OF_MADE:
        return _KIND_OF_MADE[made[1]]
    # (A corpus that cannot be downloaded was put there by hand.)
    is_corpus = any(known.folder == name and known.download for known in CORPORA.values())
    return "corpus" if is_corpus else OTHER


def folder_bytes(folder: str) -> int:
    """The size of all files in a folder; 0 where there is none."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # What another process removes meanwhile counts no longer.
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(parent, name)).st_size
    return size
