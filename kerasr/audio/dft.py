"""Fourier transforms as products with small matrices, for what runs models where no transform is at hand.

`n_fft = rows * columns` numbers are written in rows; every column is transformed, then turned, then every row (Cooley
and Tukey, "An algorithm for the machine calculation of complex Fourier series", 1965). With both near the square root a
tenth of the products is left, and matrices of a thousand numbers in place of one of a million. A prime length is one
row, and its matrix the whole one.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

# Complex tensors or matrices: the real part and the imaginary.
Complex = tuple[Any, Any]


def rfft(frames: Any, n_fft: int) -> Complex:
    """The Fourier transform of real frames.

    Args:
        frames: float32 `(batch, time, n_fft)`.
        n_fft: their length.

    Returns:
        The real and the imaginary part, float32 `(batch, time, 1 + n_fft // 2)`.
    """
    rows, columns = _factors(n_fft)
    kept = 1 + columns // 2
    x = _reshape(frames, rows, columns)
    real, imag = (ops.matmul(part, x) for part in _waves(rows, rows, rows))
    turned = _product(ops.multiply, (real, imag), _waves(rows, columns, n_fft))
    # Frequency rows * column + row, and no column past the middle.
    found = _product(ops.matmul, turned, _waves(columns, kept, columns))
    real, imag = (_reshape(_swap(part), rows * kept)[..., : 1 + n_fft // 2] for part in found)
    return real, imag


def irfft(spectrum: Complex, n_fft: int) -> Any:
    """The real frames of which this is the Fourier transform.

    Args:
        spectrum: the real and the imaginary part, float32 `(batch, time, 1 + n_fft // 2)`; the imaginary of the first
            frequency and, of an even length, of the last do not count.
        n_fft: the frames' length.

    Returns:
        float32 `(batch, time, n_fft)`.
    """
    rows, columns = _factors(n_fft)
    kept = 1 + columns // 2
    share = _shares(n_fft)
    missing = ((0, 0), (0, 0), (0, rows * kept - len(share)))
    real, imag = (_reshape(ops.pad(part * share, missing), kept, rows) for part in spectrum)
    found = _product(ops.matmul, _waves(columns, kept, columns, sign=1), (real, imag))
    real, imag = _product(ops.multiply, found, _waves(columns, rows, n_fft, sign=1))
    # Sample columns * row + column; its imaginary part is zero.
    cosine, sine = _waves(rows, rows, rows, sign=1)
    return _reshape(_swap(ops.matmul(real, cosine) - ops.matmul(imag, sine)), n_fft)


def _factors(n_fft: int) -> tuple[int, int]:
    """Rows and columns that are as near to one another as can be, no more rows than columns."""
    rows = max(size for size in range(1, math.isqrt(n_fft) + 1) if n_fft % size == 0)
    return rows, n_fft // rows


@functools.lru_cache(maxsize=32)
def _waves(num_rows: int, num_columns: int, period: int, *, sign: int = -1) -> Complex:
    """`exp(sign * 2i pi * row * column / period)`, `(num_rows, num_columns)`."""
    angles = 2 * np.pi / period * np.outer(np.arange(num_rows), np.arange(num_columns))
    return np.cos(angles).astype("float32"), (sign * np.sin(angles)).astype("float32")


@functools.lru_cache(maxsize=8)
def _shares(n_fft: int) -> np.ndarray:
    """`(1 + n_fft // 2,)`: each frequency stands for its mirror image, too, which the first and the middle are."""
    shares = np.full(1 + n_fft // 2, 2 / n_fft, "float32")
    shares[0] = 1 / n_fft
    if n_fft % 2 == 0:
        shares[-1] = 1 / n_fft
    return shares


def _product(multiply: Callable[[Any, Any], Any], a: Complex, b: Complex) -> Complex:
    """Of complex tensors, by what multiplies real ones."""
    (a_real, a_imag), (b_real, b_imag) = a, b
    real = multiply(a_real, b_real) - multiply(a_imag, b_imag)
    return real, multiply(a_real, b_imag) + multiply(a_imag, b_real)


def _swap(x: Any) -> Any:
    """`(batch, time, columns, rows)` of `(batch, time, rows, columns)`."""
    return ops.transpose(x, (0, 1, 3, 2))


def _reshape(x: Any, *sizes: int) -> Any:
    """`(batch, time, *sizes)`."""
    return ops.reshape(x, (*ops.shape(x)[:2], *sizes))
