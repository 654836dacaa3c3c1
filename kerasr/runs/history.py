"""The history of a run: a row of numbers an epoch, in a CSV file."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kerasr.config import shorten
from kerasr.core import atomic
from kerasr.core.tables import table_writer
from kerasr.errors import UserError


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of `history.csv`, none where there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        names, *rows = (line.split(",") for line in path.read_text("utf-8").splitlines())
        return [{name: float(value) for name, value in zip(names, row, strict=True)} for row in rows]
    except ValueError as error:
        raise UserError("run-damaged", f"{path}: is damaged ({shorten(error)}); restore it, or train again") from error


def write_history(path: str | os.PathLike[str], rows: Sequence[Mapping[str, float]]) -> None:
    """Write rows with the same columns, at least one, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    text = io.StringIO()
    writer = table_writer(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    atomic.write_bytes(path, text.getvalue().encode())
