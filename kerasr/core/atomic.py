"""Files and folders that are written whole or not at all: made beside their place, then renamed into it.

What is being made is called `.kerasr-*.part` and held by its maker (`kerasr.core.locks`). What a kill leaves of it is
swept by the next process that makes something in the same folder.
"""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kerasr.core import locks

_PREFIX, _SUFFIX = ".kerasr-", ".part"


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that no one ever sees a part of it; what stood there stays until the new one is whole.

    Raises:
        OSError: the folder is missing, may not be written, or the disk is full.
    """
    with new_file(path) as beside, open(beside, "wb") as file:
        file.write(content)


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str]) -> Iterator[str]:
    """A file beside `path`, of the same ending, to write to; renamed to `path` when the block ends well.

    Raises:
        OSError: the folder is missing, may not be written, or the disk is full.
    """
    path = os.fspath(path)
    folder, suffix = os.path.dirname(path) or ".", _SUFFIX + os.path.splitext(path)[1]
    try:
        with _staged(folder, lambda: _make_file(folder, suffix)) as beside:
            yield beside
            _settle(beside)
            os.replace(beside, path)
    except OSError as error:
        if error.errno is not None and (error.filename is None or _is_staged(os.path.basename(error.filename))):
            raise OSError(error.errno, error.strerror, path) from error
        raise


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """A folder beside `path` to fill, renamed to `path` when the block ends well and removed when it does not.

    Where another process has made `path` in the meantime, its folder stays and ours goes.
    """
    path = os.path.abspath(path)
    with staging_folder(os.path.dirname(path)) as beside:
        yield beside
        place_folder(beside, path)


@contextlib.contextmanager
def staging_folder(parent: str | os.PathLike[str]) -> Iterator[str]:
    """A folder in `parent` to fill and to rename before the block ends, when it is removed."""
    parent = os.fspath(parent)
    os.makedirs(parent, exist_ok=True)
    with _staged(parent, lambda: tempfile.mkdtemp(dir=parent, prefix=_PREFIX, suffix=_SUFFIX)) as beside:
        os.chmod(beside, 0o777 & ~_umask())
        yield beside


def place_folder(made: str, path: str) -> None:
    """Rename the folder `made` to `path`, unless another process has put its own there: then nothing happens."""
    try:
        os.rename(made, path)
    except OSError:
        if not os.path.isdir(path):
            raise


def claim_folder(made: str | os.PathLike[str], paths: Iterable[Path]) -> Path:
    """Rename the filled folder `made` to the first free one of `paths`; the system lets only one process have it."""
    for path in paths:
        try:
            # Renaming onto a folder that has files fails.
            os.rename(made, path)
            return path
        except OSError:
            if not path.exists():
                raise
    raise FileExistsError(f"no path is left for {made}")


def without_links(folder: str | os.PathLike[str], *names: str) -> Path:
    """`folder/name/name/...`, to write to; a link in the place of one of them, which may lead anywhere, is removed.

    A run may come from a stranger. What its links lead to stays as it is.
    """
    path = Path(folder)
    for name in names:
        path /= name
        if path.is_symlink():
            path.unlink()
    return path


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Remove a folder so that no one ever takes what is left of it for a whole one.

    Raises:
        OSError: it is not there, or may not be removed.
    """
    path = os.path.abspath(path)
    with staging_folder(os.path.dirname(path)) as beside:
        os.rename(path, os.path.join(beside, os.path.basename(path)))


def sweep(folder: str | os.PathLike[str]) -> list[str]:
    """Remove what processes that are gone have left half made in a folder, and return what that was.

    What may not be removed stays; on Windows, which renames nothing that someone holds, everything does.
    """
    swept: list[str] = []
    if os.name == "nt":
        return swept
    for path in _leftovers(folder):
        # Of another user, or on a file system without locks: not ours to remove.
        with contextlib.suppress(OSError):
            if (handle := locks.take(path)) is not None:
                try:
                    _remove(path)
                    swept.append(path)
                finally:
                    os.close(handle)
    return swept


@contextlib.contextmanager
def _staged(folder: str, make: Callable[[], str]) -> Iterator[str]:
    """What `make` has made in a folder, held until it has got its name, or has been removed."""
    _sweep_once(os.path.abspath(folder))
    beside = make()
    while (handle := _hold(beside)) is None:
        beside = make()
    try:
        yield beside
    finally:
        _remove(beside)
        if handle >= 0:
            os.close(handle)


def _hold(path: str) -> int | None:
    """The handle that keeps others from sweeping it, -1 where the system has none, None where it is swept already."""
    if os.name == "nt":
        return -1
    try:
        return locks.take(path)
    except FileNotFoundError:
        return None
    except OSError:
        return -1


def _make_file(folder: str, suffix: str) -> str:
    handle, beside = tempfile.mkstemp(dir=folder, prefix=_PREFIX, suffix=suffix)
    os.close(handle)
    return beside


def _settle(path: str) -> None:
    """Have a written file on the disk before its name, and let others read it."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    os.chmod(path, 0o666 & ~_umask())


def _leftovers(folder: str | os.PathLike[str]) -> list[str]:
    """Files and folders (no links, which lead elsewhere) that are called as what is being made."""
    try:
        with os.scandir(folder) as entries:
            named = [entry for entry in entries if _is_staged(entry.name)]
            return [
                entry.path
                for entry in named
                if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            ]
    except OSError:  # There is nothing to sweep in what cannot be looked into.
        return []


def _is_staged(name: str) -> bool:
    return name.startswith(_PREFIX) and _SUFFIX in name


@functools.cache
def _sweep_once(folder: str) -> None:
    """A folder of a hundred thousand files is looked through once a process, not once a file."""
    sweep(folder)


def _remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
