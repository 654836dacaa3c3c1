"""Corpora that are known by name: `--data fsdd`, `--data speech_commands:12`."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kerasr.core.registry import Registry
from kerasr.data.corpora.user_cache import cache_folder
from kerasr.data.manifest import Corpus
from kerasr.errors import UserError

Reader = TypeVar("Reader", bound=Callable[..., Corpus])


@dataclass(frozen=True)
class KnownCorpus:
    """A corpus that is known by name, and how it is found and read.

    Attributes:
        name: as in `--data NAME`.
        folder: the folder that holds a copy, in `KERASR_DATA` and in the cache; or its absolute path.
        reader: makes a `Corpus` of a copy's path, and of what stands behind the name's colon where it takes that.
        recognise: whether a path is a copy, by its layout; None where nothing tells.
        download: makes a folder a copy; None where it cannot be had so.
    """

    name: str
    folder: str
    reader: Callable[..., Corpus]
    recognise: Callable[[str], bool] | None = None
    download: Callable[[str], None] | None = None

    def find_copy(self) -> str | None:
        """Where it is on this machine: in `KERASR_DATA`, or in the cache; None where it is not."""
        shared = os.environ.get("KERASR_DATA")
        places = [os.path.join(folder, self.folder) for folder in (shared, cache_folder()) if folder]
        if shared and self.recognise:
            places.insert(1, shared)
        # Where no layout tells, the folder's name does.
        return next(
            (place for place in places if os.path.isdir(place) and (self.recognise is None or self.recognise(place))),
            None,
        )

    def read(self, path: str, option: str = "") -> Corpus:
        """The corpus in `path`.

        Args:
            path: a copy.
            option: what stands behind the name's colon, as the 12 of `speech_commands:12`; "" for nothing.

        Raises:
            UserError: the corpus has no options, or whatever its reader finds.
        """
        if not option:
            return self.reader(path)
        if len(inspect.signature(self.reader).parameters) < 2:
            raise UserError("corpus-task-not-found", f"{path}: `:{option}` names a task, and {self.name} has none")
        return self.reader(path, option)


CORPORA: Registry[KnownCorpus] = Registry("corpus")


def register_corpus(
    name: str,
    *,
    folder: str | None = None,
    recognise: Callable[[str], bool] | None = None,
    download: Callable[[str], None] | None = None,
) -> Callable[[Reader], Reader]:
    """Decorator that makes a corpus known by name: a function from a folder's path to a `Corpus`.

    Where it takes a second argument, that is what stands behind a colon: `--data NAME:OPTION`.

    Args:
        name: as in `--data NAME`.
        folder: the folder that holds a copy, looked for in `KERASR_DATA` and in the cache, or an absolute path; None
            for one that is called as the corpus.
        recognise: whether a path is a copy, so that `--data FOLDER` reads it; None where only the name is to be given.
        download: makes a folder a copy of the corpus; None where it cannot be had so.

    Raises:
        UserError: another module has registered a corpus of that name, or nothing can be called so.
    """
    if not name or not name.replace("-", "_").isidentifier():
        raise UserError("name-invalid", f"{name!r}: a corpus is called by letters, digits, - and _")

    def register(reader: Reader) -> Reader:
        CORPORA.register(name, KnownCorpus(name, folder or name, reader, recognise, download), reader.__module__)
        return reader

    return register
