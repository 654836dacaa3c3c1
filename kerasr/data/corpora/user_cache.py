"""The user's cache: corpora that were downloaded, and clips that were made, so that they are there the next time.

What has been made is called by its kind and a hash of all that it depends on. A process that reads a folder says so
until it ends (`mark_used`), by a lock that the system frees; whoever cleans the cache leaves that folder alone.
"""

import atexit
import contextlib
import glob
import hashlib
import json
import os
import socket
from collections.abc import Iterable
from typing import Any

import platformdirs

from kerasr.core import locks
from kerasr.errors import UserError

# Files that say which process reads which folder: FOLDER.MACHINE-PROCESS.lock.
_MARKS, _SUFFIX = ".kerasr-used", ".lock"
# The locks of this process, by the folder that it reads.
_marked: dict[str, int] = {}


def cache_folder() -> str:
    """Where downloads and what was made are kept: `KERASR_CACHE`, else the user's cache folder."""
    return os.path.abspath(os.environ.get("KERASR_CACHE") or platformdirs.user_cache_dir("kerasr"))


def writable_cache() -> str:
    """The cache's folder, which exists and may be written.

    Raises:
        UserError: it cannot be made, or may not be written.
    """
    folder = cache_folder()
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(
            "cache-unavailable",
            f"{folder}: the cache cannot be made ({error.strerror}); name another with KERASR_CACHE",
        ) from error
    if not os.access(folder, os.W_OK):
        raise UserError("cache-unavailable", f"{folder}: the cache may not be written; name another with KERASR_CACHE")
    return folder


def made_folder(cache: str, kind: str, settings: list[Any]) -> str:
    """The folder in a cache for what is made; it may not be there yet.

    Args:
        cache: the cache's folder.
        kind: how the folder's name begins.
        settings: all that its content depends on, as plain JSON types.
    """
    return os.path.join(cache, f"{kind}-{hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]}")


def mark_used(paths: Iterable[str]) -> None:
    """Say that this process reads these folders of the cache, or files in them: they stay until it ends.

    Their time becomes now. Nothing happens for what lies elsewhere, or in a cache that may not be written.
    """
    cache = cache_folder()
    inside = f"{cache}{os.sep}"
    names = {path.removeprefix(inside).partition(os.sep)[0] for path in paths if path.startswith(inside)}
    for folder in sorted(os.path.join(cache, name) for name in names):
        if folder not in _marked:
            with contextlib.suppress(OSError):
                os.utime(folder)
                _mark(cache, folder)


def is_used(folder: str) -> bool:
    """Whether a process that lives reads a folder of the cache; so too where the system cannot tell."""
    place = os.path.join(os.path.dirname(folder), _MARKS, os.path.basename(folder))
    for mark in glob.glob(f"{glob.escape(place)}.*{_SUFFIX}"):
        try:
            handle = locks.take(mark)
        except FileNotFoundError:
            continue
        except OSError:
            return True
        if handle is None:
            return True
        _remove_mark(mark, handle)
    return False


def _mark(cache: str, folder: str) -> None:
    marks = os.path.join(cache, _MARKS)
    os.makedirs(marks, exist_ok=True)
    mark = os.path.join(marks, f"{os.path.basename(folder)}.{socket.gethostname()}-{os.getpid()}{_SUFFIX}")
    handle = locks.take(mark, create=True)
    if handle is not None:
        _marked[folder] = handle
        atexit.register(_remove_mark, mark, handle)


def _remove_mark(mark: str, handle: int) -> None:
    """Remove a mark that is held."""
    # (Windows removes nothing that is open; there the file stays.)
    with contextlib.suppress(OSError):
        os.unlink(mark)
    os.close(handle)
