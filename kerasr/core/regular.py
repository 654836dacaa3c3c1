"""Files from strangers: a pipe among them, which would be read for ever, is not opened; what unpacks has a bound."""

import errno
import os
import stat
from typing import IO, Any

# How many times its own size a packed file may unpack to, or to this many bytes: sound, weights and tables are packed
# to a tenth at most, and a small file that fills a disk or the memory is none of them.
MOST_TIMES, ALWAYS_BYTES = 50, 1 << 28


def max_unpacked(path: str | os.PathLike[str]) -> int:
    """Bytes that a packed file may unpack to: `MOST_TIMES` its size, and 256 MB of any."""
    return max(MOST_TIMES * os.path.getsize(path), ALWAYS_BYTES)


def open_regular(path: str | os.PathLike[str], mode: str = "r", **options: Any) -> IO[Any]:
    """Open a file for reading, as `open` does.

    Args:
        path: of the file; a link to one is followed.
        mode: `r` or `rb`.
        options: `encoding` and others of `open`.

    Raises:
        OSError: it is a pipe, a socket or a device; or what `open` raises.
    """
    return open(path, mode, opener=_open, **options)


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether there is a pipe, a socket or a device of this name, which is not to be opened."""
    try:
        kind = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _open(path: str, flags: int) -> int:
    if is_special(path):
        raise OSError(errno.EINVAL, "is a pipe or a device, and no file", path)
    # Had it become a pipe meanwhile, this would not wait for its writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
