"""The pictures of transcripts: errors by length, the decoder's weights, and where in a recording the text stands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.ticker import PercentFormatter

from kerasr.decoding.alignment import Alignment
from kerasr.report.clips import Clip
from kerasr.report.figures import draw_rates, spectrogram_colours
from kerasr.report.style import FAINT, INK, MUTED, RIGHT, STYLE, WIDTH, WRONG, Picture, shorten
from kerasr.text.vocabulary import SPACE

# Inches that a second of a recording takes: its characters stand beside each other.
_INCHES_A_SECOND = 1.7
# A token that is not in the text is drawn where it is more probable.
_LEAST_SHOWN = 0.1


def draw_lengths(metrics: Mapping[str, Any]) -> Picture:
    """Word error rate of transcripts of few and of many words, with its interval.

    Args:
        metrics: what an evaluation measured: `Evaluation.metrics`, `Run.metrics` or a `metrics.json`.
    """
    rows = metrics["lengths"]
    names = [f"{row['least']}" if row["least"] == row["most"] else f"{row['least']} to {row['most']}" for row in rows]
    named = [(f"{name} word{'s' * (name != '1')}", row) for name, row in zip(names, rows, strict=True)]
    title = f"WER {rows[0]['wer']:.1%} of the shortest, {rows[-1]['wer']:.1%} of the longest"
    return draw_rates("lengths", named, metrics, title)


def draw_decoding(metrics: Mapping[str, Any]) -> Picture:
    """Word error rate of the validation split by the decoder's weights, as a contour; the ring is the pair in use.

    Args:
        metrics: of an evaluation whose decoder was tuned by `kerasr.evaluation.decoder_tuning`.
    """
    decoding = metrics["decoding"]
    grid = decoding["grid"]
    lm_weights, bonuses = (sorted({row[name] for row in grid}) for name in ("lm_weight", "word_bonus"))
    wer = {(row["lm_weight"], row["word_bonus"]): row["wer"] for row in grid}
    best = min(wer.values())
    values = np.array([[wer[one, other] for one in lm_weights] for other in bonuses])
    # Blue where there are few errors, clear where there are many: paper and dark screens show through.
    colours = LinearSegmentedColormap.from_list("few", [to_rgba(RIGHT, 0.75), to_rgba(RIGHT, 0.0)])
    with mpl.rc_context(STYLE):
        title = f"Least WER of the validation split: {best:.1%}"
        picture = Picture("decoding", WIDTH, 0.8 * WIDTH, title, "Numbers are % of words; ring: weights in use.")
        axes = picture.subplots()
        # By their rank, so that they are evenly far from each other, and on to the edges, under all numbers.
        if min(values.shape) > 1 and np.ptp(values):
            y, x = (np.array([-0.5, *range(size), size - 0.5]) for size in values.shape)
            axes.contourf(x, y, np.pad(values, 1, mode="edge"), levels=8, cmap=colours)
            axes.contour(x, y, np.pad(values, 1, mode="edge"), levels=8, colors=MUTED, linewidths=0.6)
        for row, column in np.ndindex(*values.shape):
            weight = "bold" if values[row, column] == best else "normal"
            axes.text(column, row, f"{100 * values[row, column]:.1f}", ha="center", va="center", fontweight=weight)
        if decoding["lm_weight"] in lm_weights and decoding["word_bonus"] in bonuses:
            place = lm_weights.index(decoding["lm_weight"]), bonuses.index(decoding["word_bonus"])
            axes.plot(*place, "o", markersize=28, markerfacecolor="none", markeredgecolor=WRONG, clip_on=False)
        axes.set_xticks(range(len(lm_weights)), [f"{one:g}" for one in lm_weights])
        axes.set_yticks(range(len(bonuses)), [f"{one:g}" for one in bonuses])
        axes.set(xlabel="weight of the language model", ylabel="added for each word")
        axes.set(xlim=(-0.5, len(lm_weights) - 0.5), ylim=(-0.5, len(bonuses) - 0.5))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return picture


def draw_alignment(clip: Clip, number: int = 1) -> Picture:
    """A recording with its words over the log-mel energies, and each token's probability over time.

    Args:
        clip: of a transcript, with its alignment.
        number: tells its file from those of others.
    """
    alignment = clip.alignment
    assert alignment is not None
    width = max(WIDTH, 0.9 + _INCHES_A_SECOND * clip.seconds)
    note = "Blue: tokens of the text; orange: others; grey: the blank. "
    note += shorten(Path(clip.path).name, round(15 * width) - len(note))
    with mpl.rc_context(STYLE):
        picture = Picture(f"alignment-{number}", width, 3.4, shorten(clip.predicted, round(11 * width)) or "-", note)
        upper, lower = picture.subplots(2, 1, height_ratios=(1, 1.1))
        colours = np.swapaxes(spectrogram_colours(clip.spectrogram), 0, 1)
        # A frame stands about the middle of its window, as the outputs do.
        start = alignment.times.first - clip.seconds / len(clip.spectrogram) / 2
        extent = (start, start + clip.seconds, 0, 1)
        upper.imshow(colours, origin="lower", aspect="auto", extent=extent, interpolation="none")
        _write_words(upper, alignment, start + clip.seconds)
        _draw_probs(lower, alignment, start + clip.seconds)
        upper.set(
            xlim=(0, start + clip.seconds), xticks=[], yticks=[], ylabel="features" if clip.is_given else "log-mel"
        )
        lower.set(xlim=(0, start + clip.seconds), ylim=(0, 1.02), xlabel="seconds", ylabel="probability")
        lower.set_yticks([0, 0.5, 1])
        lower.yaxis.set_major_formatter(PercentFormatter(1.0))
        lower.set_xticks(np.arange(0, start + clip.seconds, 0.5))
        lower.xaxis.set_major_formatter("{x:g}")
        for axes in (upper, lower):
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
    return picture


def _write_words(axes: Axes, alignment: Alignment, end: float) -> None:
    """Words above the axes, with a line from start to end of each."""
    for number, word in enumerate(alignment.words):
        if word.end > end:
            return
        # Two lines, so that short ones do not touch.
        height = 1.06 + 0.13 * (number % 2)
        axes.plot([word.start, word.end], [1.02, 1.02], color=INK, linewidth=2.4, solid_capstyle="butt", clip_on=False)
        axes.axvline(word.start, color="white", linewidth=0.6, alpha=0.6)
        axes.axvline(word.end, color="white", linewidth=0.6, alpha=0.6)
        middle = (word.start + word.end) / 2
        axes.text(middle, height, shorten(word.text, 24), ha="center", va="bottom", fontsize=8, clip_on=False)


def _draw_probs(axes: Axes, alignment: Alignment, end: float) -> None:
    """Each token's probability over time, and the text's characters where they are said."""
    times = alignment.times.first + alignment.times.step * np.arange(len(alignment.probs))
    shown = times <= end
    times, probs = times[shown], alignment.probs[shown]
    axes.fill_between(times, probs[:, 0], color=FAINT, linewidth=0)
    others = [token for token in range(1, probs.shape[1]) if token not in alignment.token_ids]
    for token in {*alignment.token_ids}:
        axes.plot(times, probs[:, token], color=RIGHT, linewidth=1.2)
    for token in others:
        before, own, after = (np.pad(probs[:, token], 1)[side : side + len(probs)] for side in range(3))
        peaks = np.flatnonzero((own > before) & (own >= after) & (own >= _LEAST_SHOWN))
        if len(peaks):
            axes.plot(times, probs[:, token], color=WRONG, linewidth=1.2)
        for frame in peaks:
            place, height = times[frame], probs[frame, token]
            axes.text(place, height, _visible(alignment, token), color=WRONG, ha="center", va="bottom", fontsize=8)
    for number, token in enumerate(alignment.token_ids):
        start, stop = alignment.span(number, number)
        if stop <= end + alignment.times.step:
            place = min((start + stop) / 2, end)
            axes.text(place, 1.05, _visible(alignment, token), color=RIGHT, ha="center", va="bottom", fontsize=8)


def _visible(alignment: Alignment, token: int) -> str:
    """A token's characters; a mark in the place of a space alone."""
    characters = alignment.vocabulary.tokens[token - 1]
    return "␣" if characters == SPACE else shorten(characters.strip(), 4)
