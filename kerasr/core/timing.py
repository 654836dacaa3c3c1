"""How long a piece of work takes."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def median_milliseconds(work: Callable[[], Any], rounds: int) -> float:
    """The median time of so many calls, after one that is not counted."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)
