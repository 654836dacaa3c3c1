"""Clips on disk, so that an epoch decodes nothing."""

import os
import shutil
import tempfile
import threading

import numpy as np

from kerasr.errors import UserError


class ClipCache:
    """Arrays of one clip each in a single nameless file, which the system frees when the process ends, however it ends.

    Args:
        folder: where the file is made.
        size: number of clips.
        width: values in one frame; 0 for waveforms, whose arrays have one dimension.
        expected_bytes: what the clips will take, checked against the free space.

    Raises:
        UserError: the disk has less space than expected.
    """

    def __init__(self, folder: str | os.PathLike[str], size: int, width: int, expected_bytes: int):
        free = shutil.disk_usage(folder).free
        if expected_bytes > free:
            raise UserError(
                "disk-full",
                f"{folder}: the cache will take {expected_bytes / 1e6:.0f} MB and {free / 1e6:.0f} MB are free: "
                "free some space, or train without --cache",
            )
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it lives as long as the cache)
        self._starts = np.full(size, -1, np.int64)
        self._lengths = np.zeros(size, np.int32)
        self._width = width
        self._end = 0
        self._lock = threading.Lock()

    def __contains__(self, index: int) -> bool:
        return self._starts[index] >= 0

    def get(self, index: int) -> np.ndarray:
        """The array put under `index`."""
        with self._lock:
            self._file.seek(self._starts[index])
            data = self._file.read(4 * self._lengths[index])
        array = np.frombuffer(data, np.float32)
        return array.reshape(-1, self._width) if self._width else array

    def put(self, index: int, array: np.ndarray) -> None:
        """Keep an array; a second one under the same `index` is ignored."""
        data = np.ascontiguousarray(array, np.float32).tobytes()
        with self._lock:
            if index in self:
                return
            self._file.seek(self._end)
            self._file.write(data)
            self._lengths[index] = array.size
            self._starts[index] = self._end
            self._end += len(data)
