"""The pictures of a report, drawn from `compute_metrics`' scores, the history, or clips; none computes a score."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kerasr.core.scores import ACCURACY, Monitor
from kerasr.report.clips import Clip
from kerasr.report.style import FAINT, INK, MUTED, RIGHT, STYLE, WIDTH, WRONG, Picture, file_name, shorten

MAX_GROUPS = 30
COLOUR_MAP = "magma"

# Where a frequency axis is marked.
TICKS_HZ = (250, 500, 1000, 2000, 4000)

# Louder than this below a clip's loudest band, in dB, a spectrogram shows.
DYNAMIC_RANGE = 70.0

# Evidence that more than this share of a clip's points does not reach has its full colour.
STRONGEST_QUANTILE = 0.99


def draw_confusion(metrics: Mapping[str, Any]) -> Picture:
    """What was said, row by row, and what was predicted: blue where that is the same, orange where it is not.

    Args:
        metrics: what an evaluation measured: `Evaluation.metrics`, `Run.metrics` or a `metrics.json`.
    """
    counts = np.array(metrics["confusion"])
    names = [shorten(label, 22) for label in metrics["labels"]]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = len(counts)
    cell, font = (0.42, 9) if size <= 12 else (0.27, 7.5) if size <= 40 else (0.15, 5.5)
    longest = max(_ems(name) for name in names) * font / 72
    upright = size > 12 or longest > 0.9 * cell
    # Of many rows, the end is far from the names: they stand on both sides.
    sides = 2 if size > 40 else 1
    width = size * cell + sides * (longest + 0.2) + 0.4
    height = size * cell + sides * (longest + 0.2 if upright else 0.3) + 1.1
    title = f"{metrics['num_correct']:,} of {metrics['num_clips']:,} clips right"
    with mpl.rc_context(STYLE):
        picture = Picture(
            "confusion", max(WIDTH, width), height, title, "Numbers are clips, colours their share of the row."
        )
        axes = picture.subplots()
        axes.imshow(_cell_colours(share), interpolation="none", aspect="equal")
        axes.set_xticks(range(size), names, rotation=90 if upright else 0, fontsize=font, color=INK)
        axes.set_yticks(range(size), names, fontsize=font, color=INK)
        axes.tick_params(top=True, labeltop=True, labelbottom=sides > 1, labelright=sides > 1, length=0)
        axes.set(xlabel="predicted", ylabel="said")
        axes.xaxis.set_label_position("top")
        axes.spines[:].set_visible(False)
        edges = np.arange(size + 1) - 0.5
        axes.hlines(edges, -0.5, size - 0.5, color=FAINT, linewidth=0.5)
        axes.vlines(edges, -0.5, size - 0.5, color=FAINT, linewidth=0.5)
        for row, column in np.argwhere(counts):
            # In small cells the blue says enough: numbers are for the mistakes.
            if size <= 40 or row != column:
                _write_count(axes, row, column, int(counts[row, column]), share[row, column], font)
    return picture


def draw_speakers(metrics: Mapping[str, Any]) -> Picture:
    """Accuracy, or word error rate, for each speaker with its interval, worst first; of many, the worst thirty.

    Args:
        metrics: what an evaluation measured: `Evaluation.metrics`, `Run.metrics` or a `metrics.json`.
    """
    rows = [(item["speaker"], item) for item in metrics["speakers"]]
    return _draw_groups("speakers", "speaker", rows, metrics)


def draw_groups(metrics: Mapping[str, Any], column: str) -> Picture:
    """Accuracy, or word error rate, for each value of a manifest's column with its interval, as `draw_speakers`.

    Args:
        metrics: what an evaluation measured: `Evaluation.metrics`, `Run.metrics` or a `metrics.json`.
        column: of the manifest: `accent`, or what else it has.
    """
    rows = [(item["group"], item) for item in metrics["groups"][column]]
    return _draw_groups(f"groups-{file_name(column)}", column, rows, metrics)


def _draw_groups(name: str, column: str, rows: Sequence[tuple[str, Mapping[str, Any]]], metrics: Any) -> Picture:
    shown = rows[:MAX_GROUPS]
    score, digits = ("wer", 1) if "wer" in metrics else ("accuracy", 0)
    values = [item[score] for _, item in rows]
    title = f"Worst {shorten(column, 24)} {values[0]:.{digits}%}, median {np.median(values):.{digits}%}"
    rest = f"The worst {len(shown)} of {len(rows):,}. " if len(shown) < len(rows) else ""
    return draw_rates(name, [(shorten(group, 20), item) for group, item in shown], metrics, title, rest)


def draw_rates(
    name: str, rows: Sequence[tuple[str, Mapping[str, Any]]], metrics: Mapping[str, Any], title: str, note: str = ""
) -> Picture:
    """A bar with its interval for each part of the clips: of how many it is right, or how many words are wrong.

    Args:
        name: the picture's.
        rows: the parts' names and scores, the first on top.
        metrics: those of all clips.
        title: what the picture says.
        note: what is to be known beside what the lines are.
    """
    errs = "wer" in metrics
    score, unit, digits = ("wer", "words", 1) if errs else ("accuracy", "clips", 0)
    overall, value = metrics[score], np.array([item[score] for _, item in rows])
    # Of one speaker there is none, and no line.
    intervals = np.array([item[f"{score}_interval"] or (np.nan, np.nan) for _, item in rows])
    # There may be more errors than words; and few of them would not be seen beside all.
    limit = max(1.25 * value.max(), 1.5 * overall, 0.01) if errs else 1.0
    worse = value > overall + 0.1 if errs else value < overall - 0.1
    note = f"{note}Lines: all {unit}, {overall:.{digits}%}, and 95% intervals."
    with mpl.rc_context(STYLE):
        picture = Picture(name, WIDTH, 0.9 + 0.25 * len(rows), title, note)
        axes = picture.subplots()
        position = np.arange(len(rows))
        axes.barh(position, limit, color=FAINT, height=0.64)
        axes.barh(position, value, color=np.where(worse, WRONG, RIGHT), height=0.64, alpha=0.75)
        axes.hlines(position, *np.minimum(intervals, limit).T, color=INK, linewidth=1.4)
        axes.axvline(overall, color=INK, linewidth=1)
        for number, (_, item) in enumerate(rows):
            for text, side, colour in (
                (f"{value[number]:.{digits}%}", 34, INK),
                (f"of {item[f'num_{unit}']:,}", 40, MUTED),
            ):
                axes.annotate(
                    text,
                    (limit, number),
                    (side, 0),
                    textcoords="offset points",
                    ha="right" if colour == INK else "left",
                    va="center_baseline",
                    color=colour,
                )
        axes.set_yticks(position, [name for name, _ in rows], color=INK)
        axes.set(xlim=(0, limit), ylim=(len(rows) - 0.5, -0.5), xticks=[])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return picture


def draw_calibration(metrics: Mapping[str, Any]) -> Picture:
    """Accuracy against confidence: on the diagonal, a word that is given 80% is right eight times in ten.

    Args:
        metrics: what an evaluation measured: `Evaluation.metrics`, `Run.metrics` or a `metrics.json`.
    """
    unit = "words" if "wer" in metrics else "clips"
    counts = [(item, item[f"num_{unit}"]) for item in metrics["calibration"]["bins"]]
    filled, sizes = zip(*((item, size) for item, size in counts if size), strict=True)
    confidence = [item["confidence"] for item in filled]
    accuracy = [item["accuracy"] for item in filled]
    title = f"Confidence is {100 * metrics['calibration']['ece']:.1f} points off "
    before = metrics["calibration"].get("ece_uncalibrated")
    title += "on average" if before is None else f"({100 * before:.1f} uncalibrated)"
    note = f"Dashed: right as often as it says. Numbers are {unit}."
    with mpl.rc_context(STYLE):
        picture = Picture("calibration", WIDTH, WIDTH, title, note)
        axes = picture.subplots()
        axes.grid()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 4)))
        axes.vlines(confidence, confidence, accuracy, color=WRONG, linewidth=1.4)
        areas = [30 + 500 * size / sum(sizes) for size in sizes]
        axes.scatter(confidence, accuracy, areas, color=RIGHT, linewidths=0, zorder=3, clip_on=False)
        for item, size, area in zip(filled, sizes, areas, strict=True):
            axes.annotate(
                f"{size:,}",
                (item["confidence"], item["accuracy"]),
                (math.sqrt(area) / 2 + 3, 0),
                textcoords="offset points",
                va="center_baseline",
                color=INK,
                fontsize=8,
            )
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="confidence", ylabel="accuracy")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.tick_params(length=0)
    return picture


def draw_training(
    history: Sequence[Mapping[str, float]],
    kept: int | None = None,
    monitor: Monitor = ACCURACY,
) -> Picture:
    """What is monitored, as the accuracy, and the loss after each epoch, on the training and the validation split.

    Args:
        history: a row an epoch.
        kept: the epoch whose weights are kept, from 1; None where that is not known, and not said.
        monitor: the history's column, and whether high or low is good.
    """
    epochs = [row["epoch"] for row in history]
    column, score = monitor.column, monitor.name
    best = max(history, key=monitor.rank)
    title = f"Best after epoch {best['epoch']:.0f} of {max(epochs):.0f}"
    note = f"Validation {score.replace('_', ' ')} {monitor.format(best[column])}."
    note += "" if kept is None else f" The weights of epoch {kept} are kept."
    with mpl.rc_context(STYLE):
        shown = list(dict.fromkeys((score, "loss")))
        picture = Picture("training", WIDTH, WIDTH if len(shown) > 1 else 0.6 * WIDTH, title, note)
        drawn = picture.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        upper, lower = drawn[0], drawn[-1]
        for axes, name in zip(drawn, shown, strict=True):
            ends = history[-1][f"val_{name}"], history[-1][name]
            for key, colour, end, other in (
                (f"val_{name}", RIGHT, *ends),
                (name, MUTED, *ends[::-1]),
            ):
                axes.plot(
                    epochs,
                    [row[key] for row in history],
                    color=colour,
                    marker="" if len(epochs) > 1 else "o",
                    clip_on=False,
                )
                above = end > other or (end == other and colour == RIGHT)
                axes.annotate(
                    "validation" if colour == RIGHT else "training",
                    (epochs[-1], end),
                    (6, 1 if above else -1),
                    textcoords="offset points",
                    va="bottom" if above else "top",
                    color=colour,
                    annotation_clip=False,
                )
            axes.axvline(best["epoch"], color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
            axes.set_ylabel(name.replace("_", " "))
            axes.grid(axis="y")
            axes.tick_params(length=0)
        upper.plot(best["epoch"], best[column], "o", color=RIGHT)
        if upper is not lower:
            upper.yaxis.set_major_formatter(PercentFormatter(1.0))
        lower.set_ylim(bottom=0)
        lower.set_xlabel("epoch")
        lower.set_xlim(min(epochs) - 0.2, max(epochs) + 0.2)
        lower.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    return picture


def draw_detector(metrics: Mapping[str, Any]) -> Picture:
    """How far the wanted word's probabilities lie from the others', and what each threshold would give.

    Args:
        metrics: what an evaluation measured of a detector: `Evaluation.metrics`, `Run.metrics` or a `metrics.json`.
    """
    detector = metrics["detector"]
    counts = detector["histogram"]
    scores = {key: detector[key] for key in ("precision", "recall")}
    title = ", ".join(
        f"{key.capitalize() if key == 'precision' else key} {'unknown' if value is None else format(value, '.1%')}"
        for key, value in scores.items()
    )
    note = f"At the threshold {detector['threshold']:g}, the dashed line."
    with mpl.rc_context(STYLE):
        picture = Picture("detector", WIDTH, WIDTH, title, note)
        upper, lower = picture.subplots(2, 1, sharex=True)
        edges = np.linspace(0, 1, len(counts["absent"]) + 1)
        for name, label, colour, x in zip(
            ("absent", "present"), metrics["labels"], (MUTED, RIGHT), (0.02, 0.98), strict=True
        ):
            share = np.array(counts[name]) / max(sum(counts[name]), 1)
            upper.stairs(share, edges, fill=True, color=colour, alpha=0.75)
            upper.text(x, 1.05, shorten(label, 24), color=colour, ha="left" if x < 0.5 else "right")
        upper.set(ylim=(0, 1.2), ylabel="share of its clips", yticks=(0, 0.5, 1))
        for key, colour in (("recall", RIGHT), ("precision", INK)):
            points = [(item["threshold"], item[key]) for item in detector["thresholds"] if item[key] is not None]
            if points:
                lower.plot(*zip(*points, strict=True), color=colour, label=key)
                legend = lower.legend(
                    loc="best", frameon=False, labelcolor="linecolor", handlelength=0, handletextpad=0
                )
                for handle in legend.legend_handles:
                    handle.set_visible(False)
        lower.set(xlim=(0, 1), ylim=(0, 1.05), xlabel="probability, or threshold on it", ylabel="at that threshold")
        lower.xaxis.set_major_formatter(PercentFormatter(1.0))
        # The two axes' 0% stand apart.
        lower.tick_params(axis="x", pad=7)
        for axes in (upper, lower):
            axes.axvline(detector["threshold"], color=WRONG, linewidth=1, linestyle=(0, (4, 4)))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            axes.grid(axis="y")
            axes.tick_params(length=0)
    return picture


def draw_clips(clips: Sequence[Clip]) -> Picture:
    """Spectrograms of clips, each with what was said and what was predicted.

    Args:
        clips: what `make_clip` made of recordings, at least one.
    """
    columns = min(3, len(clips))
    rows = math.ceil(len(clips) / columns)
    all_right = all(clip.correct for clip in clips)
    title = "Clips it was least sure of" if all_right else "Clips it gets wrong, most confident first"
    whose = "the run's own front-end" if clips[0].is_input else "kerasr's front-end, which the model does not use"
    usual = f"Log-mel energies, low to high, from {whose}."
    note = "The features that were given." if clips[0].is_given else usual
    with mpl.rc_context(STYLE):
        picture = Picture("clips", max(WIDTH, 3.1 * columns), 0.7 + 1.8 * rows, title, note)
        grid = picture.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(clips) :]:
            axes.set_axis_off()
        for axes, clip in zip(grid.flat, clips, strict=False):
            colours = np.swapaxes(spectrogram_colours(clip.spectrogram), 0, 1)
            axes.imshow(colours, origin="lower", aspect="auto", extent=(0, clip.seconds, 0, 1), interpolation="none")
            axes.set(yticks=[], facecolor=FAINT)
            axes.tick_params(length=2, labelsize=7)
            axes.spines[:].set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_formatter("{x:g} s")
            words = f"{shorten(clip.word, 14)}, predicted {shorten(clip.predicted, 14)} {clip.probability:.0%}"
            axes.set_title(words, pad=17)
            name = shorten(Path(clip.path).name, 34)
            axes.annotate(
                name, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=MUTED, fontsize=7.5
            )
    return picture


def draw_explanation(clip: Clip, where: np.ndarray | None, band_hz: np.ndarray | Sequence[float]) -> Picture:
    """A clip, and over it what spoke for the predicted word.

    Args:
        clip: with its evidence.
        where: Grad-CAM's answer `(time, feature)`, for a network that keeps a picture.
        band_hz: the middle of each of the spectrogram's bands.
    """
    assert clip.evidence is not None
    panels = {
        "what it was given, log-mel energies": spectrogram_colours(clip.spectrogram),
        "what spoke for it (blue) and against it (orange), integrated gradients": evidence_colours(
            clip.spectrogram, clip.evidence
        ),
    }
    if where is not None:
        panels["where in its last picture it was seen, Grad-CAM"] = evidence_colours(clip.spectrogram, where)
    ticks = [int(np.abs(np.array(band_hz) - hz).argmin()) for hz in TICKS_HZ if hz <= max(band_hz)]
    title = f"Predicted {shorten(clip.predicted, 24)}, {clip.probability:.0%}"
    own = np.isfinite(clip.spectrogram).any(-1).sum() / len(clip.spectrogram) * clip.seconds
    with mpl.rc_context(STYLE):
        picture = Picture("explanation", 1.4 * WIDTH, 0.9 + 1.9 * len(panels), title, shorten(Path(clip.path).name, 60))
        column = picture.subplots(len(panels), 1, sharex=True)
        for axes, (name, colours) in zip(column, panels.items(), strict=True):
            extent = (0, clip.seconds, -0.5, len(band_hz) - 0.5)
            axes.imshow(np.swapaxes(colours, 0, 1), origin="lower", aspect="auto", extent=extent, interpolation="none")
            axes.set_title(name, color=MUTED, fontweight="normal")
            axes.set_yticks(ticks, [f"{band_hz[band]:,.0f} Hz" for band in ticks])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
        # Padding has nothing to show.
        column[-1].set(xlim=(0, own), xlabel="seconds")
        column[-1].xaxis.set_major_locator(MaxNLocator(8))
    return picture


def spectrogram_colours(spectrogram: np.ndarray) -> np.ndarray:
    """Log-mel energies in dB `(time, feature)` as colours `(time, feature, 4)`, clear where they are NaN."""
    colours = mpl.colormaps[COLOUR_MAP](_level(spectrogram))
    colours[..., 3] = np.isfinite(spectrogram)
    return colours


def evidence_colours(spectrogram: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Evidence over greys: blue for the word, orange against it; shapes as in `spectrogram_colours`."""
    greys = 0.96 - 0.4 * _level(spectrogram)[..., None]
    evidence = _smoothed(evidence)
    # A few points are far above the rest, and would leave it pale.
    strength = np.abs(evidence) / max(np.quantile(np.abs(evidence), STRONGEST_QUANTILE), 1e-12)
    alpha = np.clip(strength, 0, 1)[..., None]
    colours = np.where(evidence[..., None] > 0, to_rgb(RIGHT), to_rgb(WRONG))
    own = np.isfinite(spectrogram)[..., None]
    return np.concatenate([alpha * colours + (1 - alpha) * greys, own], -1)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Each point with a share of its neighbours' in time and frequency: an eye sees areas, and no single points."""
    for axis in (0, 1):
        size = values.shape[axis]
        padded = np.pad(values, [(1, 1) if other == axis else (0, 0) for other in (0, 1)], mode="edge")
        before, here, after = (np.take(padded, np.arange(start, start + size), axis) for start in range(3))
        values = (before + 2 * here + after) / 4
    return values


def _level(spectrogram: np.ndarray) -> np.ndarray:
    """Energies in dB as shares of what is shown, from 0, where they are NaN too, to 1 at the loudest."""
    own = np.isfinite(spectrogram)
    loudest = spectrogram[own].max() if own.any() else 0.0
    return np.clip(1 + (np.where(own, spectrogram, -np.inf) - loudest) / DYNAMIC_RANGE, 0, 1)


def _cell_colours(share: np.ndarray) -> np.ndarray:
    """Blue on the diagonal, orange elsewhere, clear where nothing is, so that paper and dark screens show through."""
    same = np.eye(len(share), dtype=bool)
    colours = np.where(same[..., None], to_rgb(RIGHT), to_rgb(WRONG))
    # A single clip among fifty must still be seen: mistakes start from a visible tint.
    alpha = np.where(same, 0.9 * share, np.where(share > 0, 0.25 + 0.7 * share, 0))
    return np.concatenate([colours, alpha[..., None]], -1)


def _write_count(axes: Axes, row: int, column: int, count: int, share: float, font: float) -> None:
    text = axes.text(column, row, f"{count}", ha="center", va="center_baseline")
    text.set(fontsize=font if count < 1000 else 0.75 * font, color="white" if share > 0.55 else INK, in_layout=False)


def _ems(name: str) -> float:
    """About how many times its font's size a name is wide: Latin letters 0.6, Chinese 1, isolates nothing."""
    return sum(0.6 if ord(character) < 0x1100 else 1.0 for character in name if character.isprintable())
