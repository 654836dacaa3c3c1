"""Files and folders that are written whole or not at all: made beside their place, then renamed into it."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that no one ever sees a part of it; what stood there stays until the new one is whole.

    Raises:
        OSError: the folder is missing, may not be written, or the disk is full.
    """
    path = os.fspath(path)
    handle, beside = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".kerasr-", suffix=".part")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, beside):
            raise OSError(error.errno, error.strerror, path) from error
        raise


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """A folder beside `path` to fill, renamed to `path` when the block ends well and removed when it does not.

    Where another process has made `path` in the meantime, its folder stays and ours goes.
    """
    path = os.path.abspath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = tempfile.mkdtemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}-", suffix=".part")
    try:
        yield beside
        os.chmod(beside, 0o777 & ~_umask())
        place_folder(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


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


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
