"""How scores are written, so that the terminal, reports, cards and lists say them alike."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class Monitor(NamedTuple):
    """The column of a run's history that tells which epoch is the best.

    Attributes:
        column: a validation score, whose training score is called the same without `val_`.
        direction: whether high or low is good.
    """

    column: str
    direction: Literal["max", "min"] = "max"

    @property
    def name(self) -> str:
        """The score, of whichever split."""
        return self.column.removeprefix("val_")

    def format(self, value: float) -> str:
        """A value of it: a share in percent, a loss as it is."""
        return f"{value:.3f}" if self.name == "loss" else f"{value:.1%}"

    def score(self, row: Mapping[str, Any]) -> float:
        """An epoch's value, below 0 where low is good: the highest is the best."""
        return float(row[self.column] if self.direction == "max" else -row[self.column])

    def rank(self, row: Mapping[str, Any]) -> list[float]:
        """What epochs are compared by: the value, and of those that are alike the validation's loss.

        After few steps the running statistics of a deep network's batch norms may be so far behind its weights that
        what it has been taught is impossible by them: a loss that is not finite is the worst.
        """
        loss = row["val_loss"]
        return [round(self.score(row), 6), -loss if math.isfinite(loss) else -math.inf]


# What most tasks monitor.
ACCURACY = Monitor("val_accuracy")


def format_score(metrics: Mapping[str, Any]) -> str:
    """The headline of any version's metrics: a share in percent, and of a detector its misses and false alarms."""
    if isinstance(headline := metrics.get("headline"), str):
        return headline
    if "detector" not in metrics:
        return f"{metrics['accuracy']:.1%}"
    (rejected, alarms), (missed, found) = metrics["confusion"]
    return f"misses {missed:,} of {missed + found:,}, false alarms {alarms:,} of {rejected + alarms:,}"


def format_missed(detector: Mapping[str, Any]) -> str:
    """A detector's misses, of how many words, and their interval."""
    interval = format_interval(detector["miss_interval"], detector["miss_interval_method"])
    return f"{detector['num_missed']:,} of {detector['num_words']:,} words missed ({interval})"


def format_alarms(rate: Mapping[str, Any]) -> str:
    """What `alarm_rate` says: how many false alarms in how many minutes, how many an hour, and their interval."""
    count, (low, high) = rate["false_alarms"], rate["false_alarms_per_hour_interval"]
    return (
        f"{count:,} false alarm{'s' * (count != 1)} in {60 * rate['hours']:.1f} minutes, "
        f"{rate['false_alarms_per_hour']:.1f} an hour (95% interval {low:.1f} to {high:.1f})"
    )


def format_part(part: Mapping[str, Any]) -> str:
    """The score of a speaker's clips or of another part: of which error rate, or accuracy, and its interval."""
    if "wer" in part:
        interval = format_interval(part["wer_interval"], part["wer_method"])
        return f"WER {part['wer']:.1%} of {part['num_words']:,} words ({interval})"
    interval = format_interval(part["accuracy_interval"], part["interval_method"])
    return f"{part['accuracy']:.1%} of {part['num_clips']:,} clips ({interval})"


def format_decoding(decoding: Mapping[str, Any]) -> str:
    """How transcripts were found, by the `decoding` of their metrics."""
    if not decoding:
        return "greedy"
    parts = [f"a beam of {decoding['beam']}" if "beam" in decoding else "greedy"]
    if decoding.get("lm"):
        parts.append(f"the language model {decoding['lm']} (weight {decoding['lm_weight']:g})")
    if decoding.get("words"):
        parts.append(f"the words {decoding['words']}")
    if decoding.get("hot_words"):
        parts.append(f"{len(decoding['hot_words'])} hot words ({decoding['hot_word_bonus']:g} for each)")
    # (A pretrained model's beam has nothing but its width.)
    if "word_bonus" in decoding:
        parts.append(f"{decoding['word_bonus']:g} for each word")
    if "tta_speeds" in decoding:
        parts.append(f"at the speeds {', '.join(f'{speed:g}' for speed in decoding['tta_speeds'])}")
    return ", ".join(parts)


def format_interval(interval: list[float] | None, method: str | None = None) -> str:
    """An interval of a share in words, with the method that found it; or why there is none."""
    if interval is None:
        return f"no interval{f': {method}' if method else ''}"
    low, high = interval
    return f"95% interval {low:.1%} to {high:.1%}{f', {method}' if method else ''}"
