"""Recordings that are named by their address on the web: fetched into a file for as long as they are needed."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from kerasr.data.corpora.download import TIMEOUTS, describe_failure
from kerasr.errors import UserError

# More than an hour of uncompressed speech; a model looks at its first minute.
MAX_BYTES = 200_000_000
_BLOCK = 1 << 16
_LONGEST_NAME = 100


def is_url(name: str) -> bool:
    """Whether it is an address that is fetched, and no file."""
    return name.startswith(("http://", "https://"))


def file_name(url: str) -> str:
    """What the file at an address is called there, as any system takes it; `recording` where it has no name."""
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    return re.sub(r"[^\w.-]", "_", name).lstrip(".")[-_LONGEST_NAME:] or "recording"


@contextlib.contextmanager
def fetched(url: str) -> Iterator[str]:
    """The file at an address, for the length of a `with` block.

    Args:
        url: of `http` or `https`; a redirection leads to these alone.

    Yields:
        The path of the file.

    Raises:
        UserError: it cannot be fetched, or is larger than `MAX_BYTES` (`recording-unavailable`); the line names the
            address and says why.
    """
    # Half a second that only those pay who name an address.
    import requests

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, file_name(url))
        try:
            with requests.get(url, stream=True, timeout=TIMEOUTS) as answer:
                answer.raise_for_status()
                _write(answer.iter_content(_BLOCK), path, url)
        except requests.RequestException as error:
            raise UserError(
                "recording-unavailable", f"{url}: cannot be fetched ({describe_failure(error)}); check the address"
            ) from error
        yield path


def _write(blocks: Iterator[bytes], path: str, url: str) -> None:
    """Write what comes into the file, no more than `MAX_BYTES`."""
    size = 0
    with open(path, "wb") as file:
        for block in blocks:
            size += len(block)
            if size > MAX_BYTES:
                raise UserError(
                    "recording-unavailable",
                    f"{url}: is larger than {MAX_BYTES / 1e6:g} MB; fetch it yourself, and name the file",
                )
            file.write(block)
