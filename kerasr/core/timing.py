"""How long a piece of work takes."""

import statistics
import time
from collections.abc import Callable
from typing import Any

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def median_milliseconds(work: Callable[[], Any], rounds: int) -> float:
    """The median time of so many calls, after one that is not counted."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def format_seconds(seconds: float) -> str:
    """A time as one says it: `40 s`, `5 min`, `1 h 20 min`."""
    if round(seconds) < 2 * _MINUTE:
        return f"{max(round(seconds), 1)} s"
    if seconds < _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    hours, minutes = divmod(round(seconds / _MINUTE), _HOUR // _MINUTE)
    return f"{hours} h {minutes} min"


def format_age(seconds: float) -> str:
    """How long ago something was, in one unit: `3 d`, `5 h`, `20 min`, `8 s`."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
