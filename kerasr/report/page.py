"""A report's files: the scores, the pictures, and one page that needs nothing beside itself."""

import contextlib
import io
import itertools
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from kerasr.core import atomic
from kerasr.core.scores import ACCURACY, Monitor
from kerasr.core.tables import table_writer
from kerasr.report.clips import Clip
from kerasr.report.comparison import draw_cost, draw_differences, letter
from kerasr.report.figures import (
    draw_calibration,
    draw_clips,
    draw_confusion,
    draw_detector,
    draw_groups,
    draw_speakers,
    draw_training,
)
from kerasr.report.render import write_page
from kerasr.report.style import WIDTH, Picture, file_name
from kerasr.report.transcripts import draw_alignment, draw_decoding, draw_lengths
from kerasr.runs.facts import METRICS

PAGE, PICTURES = "report.html", "pictures"
RANKING, COMPARISON = "ranking.html", "comparison.html"

# The pictures that a task may ask for, by name; each is drawn from the task's scores alone.
FIGURES = {
    "confusion": draw_confusion,
    "calibration": draw_calibration,
    "detector": draw_detector,
    "lengths": draw_lengths,
    "decoding": draw_decoding,
}

# What the pictures of a report are called: others in their folder are the user's.
_DRAWN = re.compile("|".join([*FIGURES, "speakers", "clips", "training", "groups-.*", r"alignment-\d+"]))

# Rows of a ranking that are told at once.
NUM_FIRST = 10

# The most frequent mistakes, listed beside the matrix.
MAX_MISTAKES = 8

# Transcripts of which is drawn where their words are.
MAX_ALIGNMENTS = 3

# A file system takes folders' names of 255 bytes.
MAX_NAME_BYTES = 200


def write_report(
    folder: str | os.PathLike[str],
    *,
    title: str,
    subtitle: str,
    metrics: Mapping[str, Any],
    tiles: Mapping[str, str],
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
    figures: Sequence[str] = (),
    history: Sequence[Mapping[str, float]] = (),
    kept: int | None = None,
    monitor: Monitor = ACCURACY,
    clips: Sequence[Clip] = (),
) -> Path:
    """Write `metrics.json`, `pictures/*.png` and `report.html`, each whole or not at all, the page last.

    Args:
        folder: made where it is missing; files of an earlier report in it are replaced.
        title: the page's heading.
        subtitle: what was measured on what, in a line.
        metrics: what the task's `evaluate` returned; `metrics.json` holds this, `notes` and `facts`.
        tiles: name and value of the few numbers that stand beside the accuracy.
        facts: name and value of all that is worth knowing about the run, in order.
        notes: what a reader must know to judge the scores.
        figures: names of the `FIGURES` to draw.
        history: one row an epoch; none for no training curves.
        kept: the epoch whose weights are kept, from 1; None where that is not known.
        monitor: the history's column that tells which is the best, and whether high or low is good.
        clips: those that were predicted wrongly, most confident first; where there are none, the least certain.

    Returns:
        The path of the page.

    Raises:
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    atomic.without_links(folder, PICTURES).mkdir(parents=True, exist_ok=True)
    aligned = [clip for clip in clips if clip.alignment][:MAX_ALIGNMENTS]
    alignments = [draw_alignment(clip, number) for number, clip in enumerate(aligned, 1)]
    pictures = [FIGURES[name](metrics) for name in figures] + _draw_usual(metrics, clips) + alignments
    if history:
        pictures.append(draw_training(history, kept, monitor))
    drawn = write_pictures(folder / PICTURES, pictures)
    for old in (folder / PICTURES).glob("*.png"):
        if old.stem not in drawn["svgs"] and _DRAWN.fullmatch(old.stem):
            old.unlink()
    write_metrics(folder, metrics, notes, facts)
    write_page(
        folder / PAGE,
        PAGE,
        title=title,
        subtitle=subtitle,
        metrics=metrics,
        tiles=tiles,
        facts=facts,
        notes=notes,
        mistakes=_mistakes(metrics) if "confusion" in metrics or "confusions" in metrics else None,
        alignments={picture.name: clip.predicted for picture, clip in zip(alignments, aligned, strict=True)},
        words=sorted(
            metrics.get("words", ()),
            key=lambda word: (not word["num_clips"], word["recall"], word["precision"] or 0),
        ),
        groups={column: f"groups-{file_name(column)}" for column in metrics["groups"]},
        clips=clips,
        explained=sum(clip.evidence is not None for clip in clips),
        all_right=all(clip.correct for clip in clips),
        **drawn,
    )
    return folder / PAGE


@dataclass(frozen=True)
class Ranking:
    """Where a ranking of clips was written.

    Attributes:
        csv: every clip, the first first.
        page: the first of them, to look at and to play.
        num_clips: how many were ranked.
        num_found: how many of them the ranking asks the user to look at.
        first: the first rows of the table.
    """

    csv: Path
    page: Path
    num_clips: int
    num_found: int
    first: Sequence[Mapping[str, Any]] = ()


def write_ranking(
    folder: str | os.PathLike[str],
    name: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str,
    subtitle: str,
    notes: Sequence[str],
    clips: Sequence[Clip],
    labelled: bool,
    num_found: int,
    beside: Sequence[Mapping[str, Any]] = (),
) -> Ranking:
    """Write `NAME.csv`, a table of recordings in order, and `NAME.html`, a page of the first; whole or not at all.

    Args:
        folder: made where it is missing.
        name: of both files.
        rows: columns and values, one row a recording.
        title: the page's heading.
        subtitle: what was ranked, in a line.
        notes: how to read it.
        clips: the first of the rows, each with its `other` word.
        labelled: whether `other` is the clip's label; if not, it is the second guess.
        num_found: how many of them the user is asked to look at.
        beside: further rows of the table, of recordings that are not ranked.

    Raises:
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    writer = table_writer(table, list(dict.fromkeys(itertools.chain(*rows, *beside))))
    writer.writeheader()
    writer.writerows([*rows, *beside])
    ranking = Ranking(folder / f"{name}.csv", folder / f"{name}.html", len(rows), num_found, rows[:NUM_FIRST])
    atomic.write_bytes(ranking.csv, table.getvalue().encode("utf-8", "surrogateescape"))
    write_page(ranking.page, RANKING, title=title, subtitle=subtitle, notes=notes, clips=clips, labelled=labelled)
    return ranking


def write_comparison(folder: str | os.PathLike[str], comparison: Mapping[str, Any], clips: Sequence[Clip]) -> Path:
    """Write `comparison.json`, `differences.png`, `cost.png` and `comparison.html`, each whole, the page last.

    Args:
        folder: made where it is missing.
        comparison: what `kerasr.evaluation.comparison.compare_runs` has returned.
        clips: its disagreements, as `disagreement_clips` makes them.

    Returns:
        The path of the page.

    Raises:
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(comparison, indent=2, ensure_ascii=False)
    atomic.write_bytes(folder / "comparison.json", f"{text}\n".encode("utf-8", "backslashreplace"))
    runs = [{**row, "letter": letter(number)} for number, row in enumerate(comparison["runs"])]
    letters = {row["name"]: row["letter"] for row in runs}
    pairs = [{**pair, "other": letters[pair["name"]], "one": letters[pair["against"]]} for pair in comparison["pairs"]]
    speakers, answers = comparison["speakers"], [item["answers"] for item in comparison["disagreements"]]
    about = f"{comparison['num_clips']:,} shared test clips{f', {len(speakers):,} speakers' if speakers else ''}"
    pictures = [draw_differences(comparison), draw_cost(comparison["runs"], width=WIDTH)]
    values = {
        **comparison,
        "title": f"{len(runs)} runs compared",
        "subtitle": about,
        "runs": runs,
        "pairs": pairs,
        "methods": list(dict.fromkeys(pair["interval_method"] for pair in pairs)),
        "clips": list(zip(clips, answers, strict=True)),
        **write_pictures(folder, pictures),
    }
    write_page(folder / COMPARISON, COMPARISON, **values)
    return folder / COMPARISON


def own_folder(folder: Path, file: str, is_same: Callable[[str], bool]) -> Path:
    """`folder`, or `folder-2`, `folder-3`...: the first that holds nothing of another subject with the same name.

    Args:
        folder: where to write; its name need not be one that file systems take.
        file: what is written there, which says what it is about.
        is_same: whether the text of that file, as it stands there, is about what is to be written now.
    """
    name = file_name(folder.name).encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    for place in (folder.with_name(name if number == 1 else f"{name}-{number}") for number in count(1)):
        if place.is_symlink():  # What it leads to is not ours.
            continue
        with contextlib.suppress(ValueError):  # What is damaged is about nothing.
            if not (place / file).exists() or is_same((place / file).read_text("utf-8", "surrogateescape")):
                return place
    raise AssertionError("there is always another number")


def write_metrics(folder: Path, metrics: Mapping[str, Any], notes: Sequence[str], facts: Mapping[str, str]) -> None:
    """Write `metrics.json`: the scores, what must be known to judge them, and what is worth knowing about the run."""
    text = json.dumps({**metrics, "notes": list(notes), "facts": dict(facts)}, indent=2, ensure_ascii=False)
    atomic.write_bytes(folder / METRICS, f"{text}\n".encode("utf-8", "backslashreplace"))


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Write PNG files; what a page needs of the pictures: `svgs` and `widths` by name, and `unwritable` texts."""
    svgs, unwritable = {}, {}
    for picture in pictures:
        # In this order: for the PNG, texts that no font can write are replaced.
        svgs[picture.name] = picture.svg()
        atomic.write_bytes(folder / f"{picture.name}.png", picture.png(unwritable))
    return {
        "svgs": svgs,
        "widths": {picture.name: picture.pixels for picture in pictures},
        "unwritable": {number: text for text, number in unwritable.items()},
    }


def _draw_usual(metrics: Mapping[str, Any], clips: Sequence[Clip]) -> list[Picture]:
    """The pictures of what every task has: speakers and other groups, where they are known, and clips."""
    pictures = [draw_speakers(metrics)] if metrics["speakers"] else []
    pictures += [draw_groups(metrics, column) for column in metrics["groups"]]
    return [*pictures, draw_clips(clips)] if clips else pictures


def _mistakes(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The most frequent mistakes: what was said, what was predicted, how often, of how many."""
    if "confusions" in metrics:
        return [{**row, "predicted": row["found"]} for row in metrics["confusions"][:MAX_MISTAKES]]
    counts = np.array(metrics["confusion"])
    said = counts.sum(1)
    np.fill_diagonal(counts, 0)
    labels = metrics["labels"]
    order = np.argsort(-counts, axis=None, kind="stable")[:MAX_MISTAKES]
    found = [
        (row, column, int(counts[row, column]))
        for row, column in zip(*np.unravel_index(order, counts.shape), strict=True)
    ]
    return [
        {"said": labels[row], "predicted": labels[column], "count": count, "of": int(said[row])}
        for row, column, count in found
        if count
    ]
