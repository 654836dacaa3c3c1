"""A report's files: the scores, the pictures, and one page that needs nothing beside itself."""

import base64
import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib import image

from kerasr.core import atomic
from kerasr.core.console import isolate
from kerasr.core.scores import ACCURACY, Monitor, format_interval, format_missed, format_score
from kerasr.report.clips import Clip
from kerasr.report.figures import (
    draw_calibration,
    draw_clips,
    draw_confusion,
    draw_detector,
    draw_groups,
    draw_speakers,
    draw_training,
    evidence_colours,
    spectrogram_colours,
)
from kerasr.report.style import SHOWN_DPI, Picture, file_name
from kerasr.runs.facts import METRICS

PAGE, PICTURES = "report.html", "pictures"
RANKING = "ranking.html"

# The pictures that a task may ask for, by name; each is drawn from the task's scores alone.
FIGURES = {"confusion": draw_confusion, "calibration": draw_calibration, "detector": draw_detector}

# The most frequent mistakes, listed beside the matrix.
MAX_MISTAKES = 8

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
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    pictures = [FIGURES[name](metrics) for name in figures] + _draw_usual(metrics, clips)
    if history:
        pictures.append(draw_training(history, kept, monitor))
    svgs, unwritable = {}, {}
    for picture in pictures:
        # In this order: for the PNG, texts that no font can write are replaced.
        svgs[picture.name] = picture.svg()
        atomic.write_bytes(folder / PICTURES / f"{picture.name}.png", picture.png(unwritable))
    for old in (folder / PICTURES).glob("*.png"):
        if old.stem not in svgs:
            old.unlink()
    text = json.dumps({**metrics, "notes": list(notes), "facts": dict(facts)}, indent=2, ensure_ascii=False)
    atomic.write_bytes(folder / METRICS, f"{text}\n".encode("utf-8", "backslashreplace"))
    page = (
        _environment()
        .get_template(PAGE)
        .render(
            title=title,
            subtitle=subtitle,
            metrics=metrics,
            tiles=tiles,
            facts=facts,
            notes=notes,
            svgs=svgs,
            widths={picture.name: round(SHOWN_DPI * picture.get_figwidth()) for picture in pictures},
            unwritable={number: text for text, number in unwritable.items()},
            mistakes=_mistakes(metrics) if "confusion" in metrics else None,
            words=sorted(
                metrics.get("words", ()),
                key=lambda word: (not word["num_clips"], word["recall"], word["precision"] or 0),
            ),
            groups={column: f"groups-{file_name(column)}" for column in metrics["groups"]},
            clips=clips,
            explained=sum(clip.evidence is not None for clip in clips),
            all_right=all(clip.correct for clip in clips),
        )
    )
    atomic.write_bytes(folder / PAGE, page.encode("utf-8", "replace"))
    return folder / PAGE


@dataclass(frozen=True)
class Ranking:
    """Where a ranking of clips was written.

    Attributes:
        csv: every clip, the first first.
        page: the first of them, to look at and to play.
        num_clips: how many were ranked.
        num_found: how many of them the ranking asks the user to look at.
    """

    csv: Path
    page: Path
    num_clips: int
    num_found: int


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

    Raises:
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    page = (
        _environment()
        .get_template(RANKING)
        .render(title=title, subtitle=subtitle, notes=notes, clips=clips, labelled=labelled)
    )
    ranking = Ranking(folder / f"{name}.csv", folder / f"{name}.html", len(rows), num_found)
    atomic.write_bytes(ranking.csv, table.getvalue().encode("utf-8", "surrogateescape"))
    atomic.write_bytes(ranking.page, page.encode("utf-8", "replace"))
    return ranking


def own_folder(folder: Path, file: str, is_same: Callable[[str], bool]) -> Path:
    """`folder`, or `folder-2`, `folder-3`...: the first that holds nothing of another subject with the same name.

    Args:
        folder: where to write; its name need not be one that file systems take.
        file: what is written there, which says what it is about.
        is_same: whether the text of that file, as it stands there, is about what is to be written now.
    """
    name = file_name(folder.name).encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    for place in (folder.with_name(name if number == 1 else f"{name}-{number}") for number in count(1)):
        with contextlib.suppress(ValueError):  # What is damaged is about nothing.
            if not (place / file).exists() or is_same((place / file).read_text("utf-8", "surrogateescape")):
                return place
    raise AssertionError("there is always another number")


def _draw_usual(metrics: Mapping[str, Any], clips: Sequence[Clip]) -> list[Picture]:
    """The pictures of what every task has: speakers and other groups, where they are known, and clips."""
    pictures = [draw_speakers(metrics)] if metrics["speakers"] else []
    pictures += [draw_groups(metrics, column) for column in metrics["groups"]]
    return [*pictures, draw_clips(clips)] if clips else pictures


def _mistakes(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The most frequent mistakes: what was said, what was predicted, how often, of how many."""
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


def _spectrogram(clip: Clip) -> str:
    """The address of a clip's spectrogram."""
    return _data_uri(_png(spectrogram_colours(clip.spectrogram)), "image/png")


def _evidence(clip: Clip) -> str:
    """The address of a picture of what spoke for the predicted word, of a clip with evidence."""
    assert clip.evidence is not None
    return _data_uri(_png(evidence_colours(clip.spectrogram, clip.evidence)), "image/png")


def _png(colours: np.ndarray) -> bytes:
    """Colours `(time, feature, 4)` as a PNG file, time to the right and low features at the bottom."""
    memory = io.BytesIO()
    image.imsave(memory, np.ascontiguousarray(np.swapaxes(colours, 0, 1)[::-1]), format="png")
    return memory.getvalue()


def _data_uri(content: bytes, kind: str) -> str:
    """The content as an address, so that the page needs no file beside it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerasr.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = lambda value, digits=1: "-" if value is None else f"{value:.{digits}%}"
    environment.filters["interval"] = format_interval
    environment.filters["missed"] = format_missed
    environment.filters["score"] = format_score
    environment.filters["thousands"] = lambda value: f"{value:,}"
    environment.filters["isolate"] = isolate
    environment.filters["spectrogram"] = _spectrogram
    environment.filters["evidence"] = _evidence
    environment.filters["sound"] = lambda clip: _data_uri(clip.sound, "audio/wav")
    return environment
