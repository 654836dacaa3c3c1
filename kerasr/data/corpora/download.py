"""Archives from where they are published: fetched with pooch, checked, unpacked, and then moved to their place at once.

A folder that exists is whole, so a second run does nothing; what was interrupted is never taken for whole.
"""

import hashlib
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from kerasr.core import atomic
from kerasr.core.progress import ProgressBar, console, map_threaded
from kerasr.core.quiet import no_widget_advice
from kerasr.core.regular import MOST_TIMES, max_unpacked
from kerasr.errors import UserError

_BLOCK = 1 << 20
# Seconds to wait for a connection, and for the next bytes.
TIMEOUTS = (10, 60)

# What archives that are damaged, encrypted or packed by a method that Python lacks raise; OSErrors without a number of
# the system's come of their content, too.
_DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
# What a file takes beside its content.
_FILE_BYTES = 512


def install_archive(
    url: str,
    folder: str,
    *,
    sha256: str | None = None,
    check: Callable[[str], None] | None = None,
) -> None:
    """Make `folder` from the archive at `url`, whole or not at all; nothing happens where it exists.

    Args:
        url: of a tar (compressed or not) or zip archive. Where it has one folder at its top, that becomes `folder`.
        folder: what to make; its parents are made too.
        sha256: of the archive, in hex; None checks nothing.
        check: called with the unpacked folder before it gets its name; raises what is wrong with it.

    Raises:
        UserError: the archive cannot be fetched (`corpus-unavailable`), or the archive is not the one that was
            expected, or has a member that would leave the folder.
        OSError: the disk is full or may not be written.
    """
    folder = os.path.abspath(folder)
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    with atomic.staging_folder(parent) as work:
        archive = fetch(url, work, sha256)
        unpacked = os.path.join(work, "unpacked")
        unpack(archive, unpacked, url)
        top = os.listdir(unpacked)
        wanted = os.path.join(unpacked, top[0]) if len(top) == 1 else unpacked
        if check is not None:
            check(wanted)
        atomic.place_folder(wanted, folder)


def fetch(url: str, folder: str, sha256: str | None = None) -> str:
    """Download the file at `url` into `folder` and return its path; `sha256` in hex is checked unless None.

    Raises:
        UserError: there is no network, no such file, or the connection broke (`corpus-unavailable`), or the file is not
            the one that was expected.
    """
    # pooch imports requests, which costs more than all of reading a corpus.
    with no_widget_advice():
        import pooch
    import requests

    name = os.path.basename(url)
    pooch.get_logger().setLevel("ERROR")
    console().print(f"Downloading {url} into {os.path.dirname(folder)}")
    bar = _Bar(name)
    try:
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=_BLOCK, timeout=TIMEOUTS)
        return pooch.retrieve(url, known_hash=sha256, fname=name, path=folder, downloader=downloader)
    except requests.RequestException as error:
        raise UserError(
            "corpus-unavailable",
            f"{url}: cannot be downloaded ({describe_failure(error)}); check the network, or put a copy made elsewhere "
            "into a folder and name that with --data or KERASR_DATA",
        ) from error
    except ValueError as error:
        raise UserError(
            "download-damaged",
            f"{url}: what came is not the published file, its SHA-256 is not {sha256}; try again, or fetch it "
            "elsewhere",
        ) from error
    finally:
        bar.close()


def unpack(archive: str, folder: str, name: str | None = None) -> None:
    """Unpack a tar or zip archive into the new folder `folder`; `name` is what messages call the archive.

    Raises:
        UserError: it is no archive, is damaged, or has a member that would leave the folder, or that is neither a
            file nor a folder.
    """
    name = name or archive
    os.makedirs(folder)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder, name)
        else:
            _unpack_tar(archive, folder, name)
    except _DAMAGES as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = " ".join(str(error).split())
        raise UserError("download-damaged", f"{name}: is no archive, or a damaged one ({why}); try again") from error


def verify_files(folder: str, listed: str) -> None:
    """Compare the files in `folder` with a list of SHA-256, in the format of `sha256sum`.

    Raises:
        UserError: a file is missing, differs from the list, or is not in it. The line names the first.
    """
    with open(listed, encoding="utf-8") as file:
        lines = (line.split(maxsplit=1) for line in file.read().splitlines())
        expected = {name: digest for digest, name in lines}
    present = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in sorted(expected.keys() - set(present)):
        raise UserError("corpus-incomplete", f"{folder}: {name} is missing; fetch the corpus again")
    paths = [os.path.join(folder, name) for name in present]
    for name, found in zip(present, map_threaded(_sha256, paths, "Verifying"), strict=True):
        if expected.get(name) != found:
            raise UserError(
                "corpus-incomplete", f"{folder}: {name} is not the published recording; fetch the corpus again"
            )


def _unpack_tar(archive: str, folder: str, name: str) -> None:
    """Members one by one, through Python's `data` filter, which refuses links that lead out and device files."""
    with tarfile.open(archive) as members, ProgressBar(f"Unpacking {os.path.basename(archive)}", None) as progress:
        room = _Room(archive, name)
        for member in members:
            _refuse_escape(member.name, folder, name)
            room.take(member.size)
            if member.isfile() or member.isdir():
                members.extract(member, folder, filter="data")
            else:
                raise UserError(
                    "archive-unsafe",
                    f"{name}: the member {member.name!r} is neither file nor folder: nothing is unpacked",
                )
            progress.advance(1)


def _unpack_zip(archive: str, folder: str, name: str) -> None:
    with zipfile.ZipFile(archive) as members, ProgressBar(f"Unpacking {os.path.basename(archive)}", None) as progress:
        room = _Room(archive, name)
        for member in members.infolist():
            _refuse_escape(member.filename, folder, name)
            room.take(member.file_size)
            members.extract(member, folder)
            progress.advance(1)


class _Room:
    """What an archive may still unpack to, by what its members say of themselves; no more of them is written."""

    def __init__(self, archive: str, name: str):
        self._left, self._name = max_unpacked(archive), name

    def take(self, size: int) -> None:
        """Count a member, and raise where it is too much."""
        self._left -= size + _FILE_BYTES
        if self._left < 0:
            raise UserError(
                "archive-unsafe",
                f"{self._name}: would unpack to more than {MOST_TIMES} times its size: nothing is unpacked",
            )


def _refuse_escape(member: str, folder: str, name: str) -> None:
    """Raise where a member's path leads out of the folder."""
    path = os.path.normpath(os.path.join(folder, member))
    if os.path.commonpath([path, folder]) != folder or os.path.isabs(member) or ":" in member or "\\" in member:
        raise UserError(
            "archive-unsafe",
            f"{name}: the member {member!r} would be written outside of its folder: nothing is unpacked",
        )


def _sha256(path: str) -> str:
    """SHA-256 of a whole file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_failure(error: Exception) -> str:
    """The cause in a few words; requests wraps it in addresses and object names."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "the server does not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects without end"
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return "it is, or leads to, no address of http or https"
    return type(error).__name__


class _Bar:
    """The progress bar that pooch drives: it sets `total`, then calls `update`, `reset` and `close`."""

    def __init__(self, description: str) -> None:
        self.total = 0
        self._description = description
        self._notice: ProgressBar | None = None

    def update(self, size: int) -> None:
        """Count `size` bytes more."""
        if self._notice is None:
            self._notice = ProgressBar(self._description, self.total or None, in_bytes=True)
        self._notice.advance(size)

    def reset(self) -> None:
        """End of the file: pooch counts the full size once more, on a bar that no longer shows."""
        self.close()

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._notice is not None:
            self._notice.close()
            self._notice = None
