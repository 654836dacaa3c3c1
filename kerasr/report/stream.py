"""The picture of how well words are found in a stream."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.ticker import PercentFormatter

from kerasr.report.style import INK, MUTED, RIGHT, STYLE, WRONG, Picture


def draw_detection(result: Mapping[str, Any]) -> Picture:
    """Misses against false alarms an hour, a curve for each ratio of speech to noise; the chosen threshold is ringed.

    Args:
        result: what `kerasr.evaluation.stream.evaluate_stream` returns.
    """
    with mpl.rc_context(STYLE):
        best = result["test"][0]
        title = (
            f"{1 - best['miss_rate']:.0%} of words found at {best['false_alarms_per_hour']:.1f} false alarms an hour"
        )
        low, high = best["false_alarms_per_hour_interval"]
        note = (
            f"Threshold {result['threshold']:.2f}, ringed, chosen on validation clips. False alarms: {low:.1f} to "
            f"{high:.1f} with 95%. Down and left is better."
        )
        picture = Picture("detection", 7.0, 4.6, title, note)
        axes = picture.subplots()
        for number, curve in enumerate(result["curves"]["test"]):
            x = [row["false_alarms_per_hour"] for row in curve["rows"]]
            y = [row["miss_rate"] for row in curve["rows"]]
            colour = (RIGHT, WRONG, MUTED)[number % 3]
            axes.plot(x, y, color=colour, linestyle=("-", "--", ":")[number // 3 % 3], label=f"{curve['snr_db']:g} dB")
            chosen = result["test"][number]
            axes.plot(chosen["false_alarms_per_hour"], chosen["miss_rate"], "o", color=colour, markeredgecolor=INK)
        axes.set_xscale("symlog", linthresh=1)
        axes.set(xlabel="false alarms an hour", ylabel="words missed", ylim=(0, 1), xlim=(-0.1, None))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(axis="both")
        axes.legend(title="speech over noise", frameon=False)
        axes.tick_params(length=0, which="both")
    return picture
