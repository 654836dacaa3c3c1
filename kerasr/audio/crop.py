"""The middle of what is longer than a model looks at, in NumPy; `kerasr.audio.features` has it in `keras.ops`."""

import numpy as np


def crop_middle(values: np.ndarray, size: int) -> np.ndarray:
    """The `size` samples or frames in the middle of `values` `(time, ...)`, as a view; all where there are no more."""
    start = max(len(values) - size, 0) // 2
    return values[start : start + size]
