"""Locks that the system frees when their holder dies, however it dies: no one waits for a process that is gone.

`take` holds a file or a folder. `hold_run` holds a run's folder for the one process that trains it, and tells others
who that is; the file `run.lock` stands in the folder meanwhile, and after a kill, when no one holds it any more.
"""

import contextlib
import datetime
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from kerasr.errors import UserError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = "run.lock"

# Someone who only looks whether a lock is held takes it for a moment.
_TRIES, _PAUSE_SECONDS = 10, 0.05
# Windows lets nobody read the bytes that are locked: the one that is lies behind all that is written.
_WINDOWS_BYTE = 1 << 30
# Where a link stands in the place of a lock, what it leads to is not ours to write; and no one waits for a pipe.
_OWN_FILES = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def take(path: str | os.PathLike[str], *, create: bool = False) -> int | None:
    """Hold a file or a folder until the handle that is returned is closed; None where another process holds it.

    Args:
        path: what to hold. Windows cannot hold a folder.
        create: make the file, where there is none.

    Raises:
        FileNotFoundError: it is not there, or no longer.
        OSError: it may not be opened, or its file system has no locks.
    """
    flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
    handle = os.open(path, flags | _OWN_FILES, 0o666)
    try:
        if _lock(handle):
            # Who held it before may have removed it meanwhile: then this lock is of a file that no one finds any more.
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


@contextlib.contextmanager
def hold_run(path: Path) -> Iterator[None]:
    """Be the only process that trains a run, for as long as the block lasts.

    Args:
        path: the run's folder.

    Raises:
        UserError: another process does; the message names it.
        OSError: the folder may not be written.
    """
    handle = _take_run(path)
    try:
        yield
    finally:
        if handle is not None:
            # (Windows removes nothing that is open; there the file stays.)
            with contextlib.suppress(OSError):
                os.unlink(path / LOCK)
            os.close(handle)


def is_held(path: Path) -> bool | None:
    """Whether a process that lives trains the run in a folder; None where the system cannot tell."""
    try:
        handle = take(path / LOCK)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    if handle is None:
        return True
    os.close(handle)
    return False


def _take_run(path: Path) -> int | None:
    """The lock's handle, with this process's name in the file; None on a file system without locks."""
    for _ in range(_TRIES):
        try:
            handle = take(path / LOCK, create=True)
        except FileNotFoundError:
            if not path.is_dir():
                raise
            continue
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                return None
            raise
        if handle is not None:
            now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
            facts = {"process": os.getpid(), "machine": socket.gethostname(), "since": now}
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, f"{json.dumps(facts)}\n".encode())
            return handle
        time.sleep(_PAUSE_SECONDS)
    raise UserError("run-locked", f"{path}: is being trained by {_holder(path)}: wait for it, or stop it first")


def _holder(path: Path) -> str:
    """Who holds a run, as it said itself."""
    try:
        facts = json.loads((path / LOCK).read_text("utf-8"))
        return f"process {facts['process']} on {facts['machine']}, since {facts['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _lock(handle: int) -> bool:
    """Whether the lock is ours now; nobody waits."""
    try:
        if sys.platform == "win32":
            os.lseek(handle, _WINDOWS_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True
