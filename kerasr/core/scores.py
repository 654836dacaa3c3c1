"""How scores are written, so that the terminal, reports, cards and lists say them alike."""

from collections.abc import Mapping
from typing import Any


def format_score(metrics: Mapping[str, Any]) -> str:
    """The headline of any version's metrics: "93.1%", and of a detector "misses 1 of 29, false alarms 4 of 322"."""
    if isinstance(headline := metrics.get("headline"), str):
        return headline
    if "detector" not in metrics:
        return f"{metrics['accuracy']:.1%}"
    (rejected, alarms), (missed, found) = metrics["confusion"]
    return f"misses {missed:,} of {missed + found:,}, false alarms {alarms:,} of {rejected + alarms:,}"


def format_missed(detector: Mapping[str, Any]) -> str:
    """A detector's misses: "2 of 29 words missed (95% interval 0.8% to 22.8%, t over 3 speakers)"."""
    interval = format_interval(detector["miss_interval"], detector["miss_interval_method"])
    return f"{detector['num_missed']:,} of {detector['num_words']:,} words missed ({interval})"


def format_alarms(rate: Mapping[str, Any]) -> str:
    """What `alarm_rate` says: "1 false alarm in 13.9 minutes, 4.3 an hour (95% interval 0.1 to 24.0)"."""
    count, (low, high) = rate["false_alarms"], rate["false_alarms_per_hour_interval"]
    return (
        f"{count:,} false alarm{'s' * (count != 1)} in {60 * rate['hours']:.1f} minutes, "
        f"{rate['false_alarms_per_hour']:.1f} an hour (95% interval {low:.1f} to {high:.1f})"
    )


def format_interval(interval: list[float] | None, method: str | None = None) -> str:
    """An interval of a share in words: "95% interval 59.1% to 100.0%, t over 3 speakers"; or why there is none."""
    if interval is None:
        return f"no interval{f': {method}' if method else ''}"
    low, high = interval
    return f"95% interval {low:.1%} to {high:.1%}{f', {method}' if method else ''}"
