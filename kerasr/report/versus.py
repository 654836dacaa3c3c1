"""Pictures of several recognisers side by side: what they score against what they cost, and how they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, PercentFormatter
from matplotlib.transforms import Bbox

from kerasr.report.style import FAINT, INK, MUTED, RIGHT, STYLE, WRONG, Picture, shorten

# Where a name may stand beside its point: offset in points, and which of its sides is at the point.
_PLACES = (
    (7, 0, "left", "center"),
    (-7, 0, "right", "center"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (6, 9, "left", "bottom"),
    (6, -9, "left", "top"),
    (-6, 9, "right", "bottom"),
    (-6, -9, "right", "top"),
    (8, 22, "left", "bottom"),
    (8, -22, "left", "top"),
    (-8, 22, "right", "bottom"),
    (-8, -22, "right", "top"),
)


def draw_cost(
    rows: Sequence[Mapping[str, Any]], *, note: str = "Up and left is better.", name: str = "cost"
) -> Picture:
    """Accuracy with its 95% interval against multiply-accumulates, or parameters where a row has none.

    Args:
        rows: each with `name`, `accuracy`, `accuracy_interval`, `macs`, `parameters`.
        note: the line under the title.
        name: of the picture's file, without suffix.
    """
    by_macs = all(row["macs"] for row in rows)
    best = max(rows, key=lambda row: row["accuracy"])
    title = f"Best: {shorten(best['name'], 40)}, {best['accuracy']:.1%}"
    with mpl.rc_context(STYLE):
        picture = Picture(name, 8.0, 5.6, title, note)
        axes = picture.subplots()
        x = np.array([row["macs" if by_macs else "parameters"] for row in rows], float)
        y = np.array([row["accuracy"] for row in rows])
        low, high = np.array([row["accuracy_interval"] for row in rows]).T
        axes.grid(axis="y")
        axes.vlines(x, low, high, color=RIGHT, linewidth=1, alpha=0.35)
        axes.scatter(x, y, 42, color=RIGHT, linewidths=0, zorder=3)
        axes.set_xscale("log")
        axes.set(xlim=(x.min() / 2.5, x.max() * 2.5), ylabel="accuracy")
        axes.set_xlabel("multiply-accumulates of one clip" if by_macs else "parameters")
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.tick_params(length=0, which="both")
        _name_points(picture, axes, x, y, [shorten(row["name"], 28) for row in rows])
    return picture


def draw_differences(comparison: Mapping[str, Any]) -> Picture:
    """How far each run is from the first, with the 95% interval: blue is better, orange worse, grey not shown."""
    pairs = comparison["pairs"]
    against = shorten(pairs[0]["against"], 40)
    with mpl.rc_context(STYLE):
        title, note = f"Against {against}", f"Points of accuracy on {comparison['num_clips']:,} shared test clips."
        picture = Picture("differences", 8.0, 1.5 + 0.42 * len(pairs), title, note)
        axes = picture.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for position, pair in enumerate(pairs):
            low, high = pair["interval"]
            colour = MUTED if not pair["differs"] else RIGHT if pair["difference"] > 0 else WRONG
            axes.plot([100 * low, 100 * high], [position, position], color=colour)
            axes.plot(100 * pair["difference"], position, "o", color=colour)
        axes.set_yticks(range(len(pairs)), [shorten(pair["name"], 34) for pair in pairs], color=INK)
        axes.set(ylim=(len(pairs) - 0.5, -0.5))
        axes.margins(x=0.1)
        axes.xaxis.set_major_formatter("{x:+g}")
        axes.grid(axis="x", color=FAINT)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return picture


def _name_points(picture: Picture, axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Write each point's name where it covers no other name and no point, as far as there is such a place."""
    picture.draw_without_rendering()  # Places are known once the axes are laid out.
    frame = axes.get_window_extent()
    taken = [Bbox.from_extents(a - 5, b - 5, a + 5, b + 5) for a, b in axes.transData.transform(np.stack([x, y], -1))]
    for index in np.argsort(-y):
        best = None
        for dx, dy, horizontal, vertical in _PLACES:
            text = axes.annotate(
                names[index],
                (x[index], y[index]),
                (dx, dy),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=8,
                color=INK,
            )
            box = text.get_window_extent()
            covered = sum(box.overlaps(other) for other in taken) + 10 * (not _inside(box, frame))
            if best is None or covered < best[0]:
                if best:
                    best[1].remove()
                best = (covered, text, box)
            else:
                text.remove()
            if not best[0]:
                break
        taken.append(best[2])


def _inside(box: Bbox, frame: Bbox) -> bool:
    return frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
