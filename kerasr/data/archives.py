"""Kaldi's archives of matrices: features that another program has computed, one matrix an utterance.

A path names the matrix in its file: `raw_mfcc.1.ark:1042` is the one that begins at byte 1,042, and
`raw_mfcc.1.ark:1042[0:99]` its first hundred frames (`[0:99,0:12]`: the first 13 of their features, too). Both ends
count, as in Kaldi. Matrices are of floats (`FM`), doubles (`DM`), compressed (`CM`, `CM2`, `CM3`), or text.
"""

import os
import re
from typing import IO, NamedTuple

import numpy as np

from kerasr.core.regular import open_regular
from kerasr.errors import UserError

_PLACE = re.compile(r"(.+?)(:\d+)?(\[[\d:,]*\])?", re.DOTALL)
_RANGE = re.compile(r"\[(?:(\d+):(\d+)|:)(?:,(?:(\d+):(\d+)|:))?\]")
_PLAIN = {b"FM ": np.dtype("<f4"), b"DM ": np.dtype("<f8")}
_COMPRESSED = {b"CM ": np.dtype("u1"), b"CM2 ": np.dtype("<u2"), b"CM3 ": np.dtype("u1")}
# Lines of a text archive are read so many bytes at a time, and no matrix has more of them in all.
_BLOCK, _MOST_TEXT = 1 << 16, 1 << 28
# Kaldi counts frames from seconds here and there, and takes ranges that end so many too late.
_TOLERANCE = 3


class _Header(NamedTuple):
    """What stands before a binary matrix; `least` and `span` are of the values of a compressed one."""

    token: bytes
    rows: int
    columns: int
    least: np.float32 = np.float32(0)
    span: np.float32 = np.float32(0)

    @property
    def num_bytes(self) -> int:
        """Of what follows."""
        value = _PLAIN.get(self.token) or _COMPRESSED[self.token]
        return value.itemsize * self.rows * self.columns + (8 * self.columns if self.token == b"CM " else 0)


def split_place(path: str) -> tuple[str, str]:
    """The file, and where the matrix stands in it: `:1042[0:99]`; `:0` where nothing says so."""
    found = _PLACE.fullmatch(path)
    assert found is not None  # The pattern takes all there is.
    return found[1], (found[2] or ":0") + (found[3] or "")


def is_archived(path: str) -> bool:
    """Whether a path names a matrix in an archive, and is no file of that name."""
    found = _PLACE.fullmatch(path)
    return found is not None and found[2] is not None and not os.path.exists(path)


def matrix_shape(path: str) -> tuple[int, int]:
    """`(frames, features)` of a matrix, by its header; of text, and where a range is cut, after reading it.

    Args:
        path: the file, the byte and the range.

    Raises:
        UserError: as of `read_matrix`; whether all values are finite is not looked at.
    """
    name, place = split_place(path)
    with _open(path, name) as file:
        header = _read_header(file, path, place)
    if header is None or "[" in place:
        rows, columns = _read(path).shape
        return rows, columns
    return header.rows, header.columns


def read_matrix(path: str) -> np.ndarray:
    """A matrix, float32 `(frames, features)`.

    Args:
        path: the file, the byte and the range.

    Raises:
        UserError: there is no such file (`recording-not-found`), no matrix begins there, it breaks off or the range
            is none of it (`features-unreadable`), it has no frame (`recording-empty`), or has values that are not
            finite (`features-not-finite`).
    """
    matrix = _read(path)
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise UserError(
            "features-not-finite", f"{path}: frame {row} has {matrix[row, column]} as feature {column}, counted from 0"
        )
    return matrix


def _read(path: str) -> np.ndarray:
    name, place = split_place(path)
    with _open(path, name) as file:
        header = _read_header(file, path, place)
        # What overflows is found not to be finite, and so told with its place.
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = _read_text(file, path) if header is None else _decode(header, file.read(header.num_bytes))
    return _cut(matrix, path, place)


def _open(path: str, name: str) -> IO[bytes]:
    try:
        return open_regular(name, "rb")
    except FileNotFoundError:
        raise UserError("recording-not-found", f"{path}: there is no file {name}") from None
    except OSError as error:
        raise UserError("features-unreadable", f"{path}: cannot be read ({error.strerror})") from error


def _read_header(file: IO[bytes], path: str, place: str) -> _Header | None:
    """The header of a binary matrix, whose content the file is found to hold; None of text, its `[` being read."""
    offset = int(place.partition("[")[0][1:])
    size = file.seek(0, os.SEEK_END)
    if offset >= size:
        raise UserError("features-unreadable", f"{path}: its file ends at byte {size}")
    file.seek(offset)
    if file.read(2) != b"\0B":
        file.seek(offset)
        while (mark := file.read(1)).isspace():
            pass
        if mark != b"[":
            raise UserError("features-unreadable", f"{path}: no matrix of Kaldi's begins there")
        return None
    token = file.read(3)
    token += b"" if token.endswith(b" ") else file.read(1)
    if token not in _PLAIN and token not in _COMPRESSED:
        raise UserError(
            "features-unreadable", f"{path}: holds {token!r} there, and features are matrices (FM, DM, CM, CM2, CM3)"
        )
    header = _sizes(token, file.read(10 if token in _PLAIN else 16))
    if header is None or header.num_bytes > size - file.tell():
        raise UserError("features-unreadable", f"{path}: the matrix breaks off, or its header is damaged")
    if not header.rows or not header.columns:
        raise UserError("recording-empty", f"{path}: the matrix has no frame")
    return header


def _sizes(token: bytes, content: bytes) -> _Header | None:
    """The header of its bytes; None where these are none."""
    if token in _PLAIN:
        if len(content) < 10 or content[0] != 4 or content[5] != 4:
            return None
        rows, columns = (int.from_bytes(content[at : at + 4], "little", signed=True) for at in (1, 6))
        return _Header(token, rows, columns) if min(rows, columns) >= 0 else None
    if len(content) < 16:
        return None
    (least, span), (rows, columns) = np.frombuffer(content, "<f4", 2), np.frombuffer(content, "<i4", 2, 8)
    return _Header(token, int(rows), int(columns), least, span) if min(rows, columns) >= 0 else None


def _decode(header: _Header, content: bytes) -> np.ndarray:
    shape = header.rows, header.columns
    if header.token in _PLAIN:
        return np.frombuffer(content, _PLAIN[header.token]).reshape(shape).astype(np.float32)
    if header.token == b"CM ":
        return _decode_columns(header, content)
    values = np.frombuffer(content, _COMPRESSED[header.token]).reshape(shape)
    step = header.span * np.float32(1 / 65535 if header.token == b"CM2 " else 1 / 255)
    return header.least + values.astype(np.float32) * step


def _decode_columns(header: _Header, content: bytes) -> np.ndarray:
    """One byte a value, on lines through four quantiles of its column, which stand for 0, 64, 192 and 255."""
    quantiles = np.frombuffer(content, "<u2", 4 * header.columns).reshape(-1, 4).astype(np.float32)
    quantiles = header.least + header.span * np.float32(1 / 65535) * quantiles
    low, first, third, high = (quantiles[:, [index]] for index in range(4))
    values = np.frombuffer(content, np.uint8, offset=8 * header.columns).reshape(header.columns, header.rows)
    values = values.astype(np.float32)
    below = low + (first - low) * values * np.float32(1 / 64)
    middle = first + (third - first) * (values - 64) * np.float32(1 / 128)
    above = third + (high - third) * (values - 192) * np.float32(1 / 63)
    return np.ascontiguousarray(np.where(values <= 64, below, np.where(values <= 192, middle, above)).T)


def _read_text(file: IO[bytes], path: str) -> np.ndarray:
    """The rows up to the closing bracket."""
    content = b""
    while b"]" not in content[-_BLOCK:]:
        block = file.read(_BLOCK)
        content += block
        if not block or len(content) > _MOST_TEXT:
            raise UserError("features-unreadable", f"{path}: the matrix has no end")
    rows = [line.split() for line in content.partition(b"]")[0].split(b"\n") if line.strip()]
    if not rows:
        raise UserError("recording-empty", f"{path}: the matrix has no frame")
    try:
        return np.array([[float(value) for value in row] for row in rows], np.float32)
    except ValueError:
        raise UserError("features-unreadable", f"{path}: its lines are not numbers, as many in each") from None


def _cut(matrix: np.ndarray, path: str, place: str) -> np.ndarray:
    """The frames and features of a range."""
    _, bracket, rest = place.partition("[")
    if not bracket:
        return matrix
    found = _RANGE.fullmatch(bracket + rest)
    ends = [None if end is None else int(end) for end in found.groups()] if found else []
    for axis, tolerance in enumerate((_TOLERANCE, 0)):
        first, last = ends[2 * axis : 2 * axis + 2] if ends else (1, 0)
        if first is None or last is None:
            continue
        if not first <= last < matrix.shape[axis] + tolerance or first >= matrix.shape[axis]:
            raise UserError("features-unreadable", f"{path}: the matrix is {matrix.shape}, and has no such range")
        matrix = matrix[first : last + 1] if axis == 0 else matrix[:, first : last + 1]
    return matrix.copy()  # So that what is cut off is freed.
