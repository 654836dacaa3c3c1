"""Tables in CSV files, which are read again as they were, whatever stands in them."""

import csv
from collections.abc import Sequence
from typing import IO


def table_writer(file: IO[str], columns: Sequence[str]) -> csv.DictWriter:
    """A writer of rows by the names of their columns, each of which ends in a line feed.

    Args:
        file: text, written without changes to line ends.
        columns: their names, in order.
    """
    # Python before 3.13 quotes a carriage return only where lines end in one: unquoted, it is read as a line's end.
    return csv.DictWriter(_LineFeeds(file), list(columns), lineterminator="\r\n")


class _LineFeeds:
    """A file that is given lines which end in a carriage return and a line feed, and keeps the latter."""

    def __init__(self, file: IO[str]):
        self._file = file

    def write(self, line: str) -> int:
        """Write a line."""
        return self._file.write(line.removesuffix("\r\n") + "\n")
