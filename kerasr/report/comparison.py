"""Pictures of several recognisers side by side: what they score against what they cost, and how they differ."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from matplotlib.transforms import Bbox

from kerasr.report.style import FAINT, INK, MUTED, RIGHT, STYLE, WIDTH, WRONG, Picture, shorten

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


def letter(number: int) -> str:
    """What stands for the run of this number, from 0, where its name has no room: A, B, ... Z, AA, BB, ..."""
    return ascii_uppercase[number % 26] * (1 + number // 26)


def draw_cost(
    rows: Sequence[Mapping[str, Any]],
    *,
    note: str = "Up and left is better.",
    name: str = "cost",
    width: float = 8.0,
) -> Picture:
    """Accuracy with its 95% interval against multiply-accumulates, or parameters where a row has none.

    Args:
        rows: each with `name`, `accuracy`, `accuracy_interval` (None for no line), `macs`, `parameters`; and `score`,
            what the title says of the best where that is not its accuracy.
        note: the line under the title.
        name: of the picture's file, without suffix.
        width: in inches.
    """
    by_macs = all(row["macs"] for row in rows)
    best = max(rows, key=lambda row: row["accuracy"])
    narrow = width <= WIDTH
    # A detector's score in words has no room beside the name of its run in a narrow picture.
    score = f"{best['accuracy']:.1%}" if narrow else best.get("score", f"{best['accuracy']:.1%}")
    title = f"Best: {shorten(best['name'], 26 if narrow else 40)}, {score}"
    with mpl.rc_context(STYLE):
        picture = Picture(name, width, 0.7 * width, title, note)
        axes = picture.subplots()
        x = np.array([row["macs" if by_macs else "parameters"] for row in rows], float)
        y = np.array([row["accuracy"] for row in rows])
        low, high = np.array([row["accuracy_interval"] or (np.nan, np.nan) for row in rows]).T
        axes.grid(axis="y")
        axes.vlines(x, low, high, color=RIGHT, linewidth=1, alpha=0.35)
        axes.scatter(x, y, 42, color=RIGHT, linewidths=0, zorder=3)
        axes.set_xscale("log")
        axes.set(xlim=(x.min() / 2.5, x.max() * 2.5), ylabel="accuracy")
        axes.set_xlabel("multiply-accumulates of one clip" if by_macs else "parameters")
        # Within a decade there may be no power of ten to write.
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if x.max() >= 10 * x.min() else (1, 2, 5)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.tick_params(length=0, which="both")
        names = [shorten(row["name"], 22 if narrow else 28) for row in rows]
        _name_points(picture, axes, x, y, names, 9 if narrow else 8)
    return picture


def draw_differences(comparison: Mapping[str, Any]) -> Picture:
    """Each run's accuracy, and how far the runs of each pair are apart, with 95% intervals.

    Blue and orange: the later run of a pair is better, worse; grey: not shown to differ.

    Args:
        comparison: what `kerasr.compare_runs` has returned.
    """
    runs, pairs = comparison["runs"], comparison["pairs"]
    letters = {row["name"]: letter(number) for number, row in enumerate(runs)}
    apart = sum(pair["differs"] for pair in pairs)
    title = f"{apart} of {len(pairs)} pair{'s' * (len(pairs) > 1)} shown to differ"
    note = f"On {comparison['num_clips']:,} shared test clips. Lines: 95% intervals."
    with mpl.rc_context(STYLE):
        picture = Picture("differences", WIDTH, 2.0 + 0.27 * (len(runs) + len(pairs)), title, note)
        upper, lower = picture.subplots(2, 1, height_ratios=(len(runs) + 0.4, len(pairs) + 0.4))
        for position, row in enumerate(runs):
            _draw_interval(upper, position, row["accuracy"], row["accuracy_interval"], RIGHT)
        for position, pair in enumerate(pairs):
            colour = MUTED if not pair["differs"] else RIGHT if pair["difference"] > 0 else WRONG
            _draw_interval(lower, position, pair["difference"], pair["interval"], colour)
        lower.axvline(0, color=INK, linewidth=1)
        names = [f"{letters[row['name']]}  {shorten(row['name'], 24)}" for row in runs]
        differences = [f"{letters[pair['name']]} \N{MINUS SIGN} {letters[pair['against']]}" for pair in pairs]
        for axes, labels, what in ((upper, names, "accuracy"), (lower, differences, "points of accuracy")):
            axes.set_yticks(range(len(labels)), labels, color=INK)
            axes.set(ylim=(len(labels) - 0.5, -0.5), xlabel=what)
            axes.margins(x=0.1)
            low, high = axes.get_xlim()
            high = min(high, 100)
            axes.set_xticks([tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high])
            axes.xaxis.set_major_formatter("{x:g}%" if axes is upper else lambda x, _: f"{x:+g}" if x else "0")
            axes.grid(axis="x", color=FAINT)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
    return picture


def _draw_interval(axes: Axes, position: int, value: float, interval: Sequence[float] | None, colour: str) -> None:
    """A share in percent as a point, on the line of its interval."""
    if interval:
        axes.plot([100 * end for end in interval], [position, position], color=colour)
    axes.plot(100 * value, position, "o", color=colour)


def draw_search(trials: Sequence[Mapping[str, Any]], best: Mapping[str, Any]) -> Picture:
    """The trials of a search: the score against each value that was searched, the best one in orange.

    Args:
        trials: each with `values` and `score`, None where it was pruned.
        best: the `values` and the `score` of the best.
    """
    scored = [trial for trial in trials if trial["score"] is not None]
    # An architecture's own options are not in every trial.
    names = list(dict.fromkeys(name for trial in trials for name in trial["values"]))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    rest = len(trials) - len(scored)
    note = f"{len(trials)} trials{f', {rest} of them pruned' if rest else ''}. The best is orange."
    with mpl.rc_context(STYLE):
        title = f"Best: {best['score']:.1%} of the validation clips right"
        picture = Picture("search", max(4.8, 3.4 * columns), 0.7 + 2.8 * rows, title, note)
        grid = picture.subplots(rows, columns, sharey=True, squeeze=False)
        for axes in grid.flat[len(names) :]:
            axes.set_axis_off()
        for axes, name in zip(grid.flat, names, strict=False):
            own = [trial for trial in scored if name in trial["values"]]
            values = [trial["values"][name] for trial in own]
            numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
            shown = values if numbers else [str(value) for value in values]
            axes.scatter(shown, [trial["score"] for trial in own], 30, color=RIGHT, alpha=0.6, linewidths=0)
            if name in best["values"]:
                value = best["values"][name]
                place = value if numbers else str(value)
                axes.scatter([place], [best["score"]], 60, color=WRONG, linewidths=0, zorder=3)
            if not numbers:
                axes.tick_params(axis="x", rotation=90 if len({*shown}) > 3 else 0)
            if values and numbers and min(values) > 0 and max(values) / min(values) >= 10:
                axes.set_xscale("log")
            axes.set_title(shorten(name, 34))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            axes.grid(axis="y")
            axes.tick_params(length=0)
    return picture


def _name_points(
    picture: Picture, axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str], fontsize: float
) -> None:
    """Write each point's name where it covers no other name and no point, as far as there is such a place."""
    picture.draw_without_rendering()  # Places are known once the axes are laid out.
    frame = axes.get_window_extent()
    taken = [Bbox.from_extents(a - 5, b - 5, a + 5, b + 5) for a, b in axes.transData.transform(np.stack([x, y], -1))]
    for index in np.argsort(-y):
        best = None
        for dx, dy, horizontal, vertical in _PLACES:
            text = axes.annotate(
                names[int(index)],
                (x[index], y[index]),
                (dx, dy),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=fontsize,
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
        assert best is not None  # There are places.
        taken.append(best[2])


def _inside(box: Bbox, frame: Bbox) -> bool:
    return frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
