"""Kaldi's archives, written without Kaldi."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np


def binary(matrix: np.ndarray) -> bytes:
    """A matrix of floats or doubles as it stands in an archive, after its name."""
    rows, columns = (np.int32(size).tobytes() for size in matrix.shape)
    token = b"FM " if matrix.dtype == np.float32 else b"DM "
    return b"\0B" + token + b"\4" + rows + b"\4" + columns + matrix.tobytes()


def write_archive(path: Path, entries: Mapping[str, bytes | np.ndarray]) -> list[str]:
    """Write an archive, and return the lines of its `feats.scp`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content, lines = b"", []
    for name, entry in entries.items():
        content += f"{name} ".encode()
        lines.append(f"{name} {path.name}:{len(content)}")
        content += entry if isinstance(entry, bytes) else binary(entry)
    path.write_bytes(content)
    return lines


def write_lists(folder: Path, **lists: list[str]) -> Path:
    """Write a data directory's lists; `feats_scp` is `feats.scp`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in lists.items():
        (folder / name.replace("_scp", ".scp")).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return folder
