"""What a notebook shows of a run: the short form of its report, from the files that the evaluation has written."""

import base64
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from kerasr.config import TrainConfig
from kerasr.data.manifest import SPLITS, Utterance, read_manifest
from kerasr.runs.facts import MANIFEST, MODEL
from kerasr.tasks import Task
from kerasr.tasks.base import list_words

# Of the pictures that an evaluation writes: beside the task's first one, each speaker's score.
_SPEAKERS = "speakers"
# They are drawn with as many dots to an inch, and shown with as many as a browser's inch has.
_DRAWN_DPI, _SHOWN_DPI = 160, 96
_MAX_WORDS = 20


def show_scores(path: Path, config: TrainConfig, task: Task, metrics: Mapping[str, Any], report: str) -> str:
    """An evaluated run: its score with the interval, what to know of it, which words it confuses, and each speaker.

    Args:
        path: the run's folder.
        config: its settings.
        task: its task.
        metrics: what the evaluation measured.
        report: where its whole report is.
    """
    names = [*task.pictures(metrics)[:1], _SPEAKERS]
    pictures = [place for name in names if (place := path / "pictures" / f"{name}.png").exists()]
    return _render(
        name=path.name,
        model=config.model.name,
        about=task.about(),
        lines=task.summary(metrics),
        notes=metrics.get("notes", ()),
        pictures=[_picture(place) for place in pictures],
        next="The whole report:" if report else "",
        code=report,
    )


def show_facts(path: Path, config: TrainConfig, task: Task, facts: Mapping[str, Any]) -> str:
    """A run without scores: what it is of, and what comes next.

    Args:
        path: the run's folder.
        config: its settings.
        task: its task.
        facts: what its `run.json` holds.
    """
    utterances = read_manifest(path / MANIFEST).utterances
    parameters = f", {facts['parameters']:,} parameters" if "parameters" in facts else ""
    trained = (path / MODEL).exists() and facts["status"] == "done"
    return _render(
        name=path.name,
        model=config.model.name,
        about=task.about(),
        lines=(),
        facts={
            "model": f"{config.model.name}{parameters}",
            "labels": list_words(task.labels, _MAX_WORDS),
            "recordings": f"{facts['corpus']['name']}: {', '.join(_split(utterances, name) for name in SPLITS)}",
            "split": facts["split_rule"],
        },
        next="Not measured yet; to do so, and to write its report:" if trained else "Its training has not ended:",
        code="kerasr.evaluate_run(run)" if trained else f"kerasr.resume_run({str(path)!r})",
    )


def _split(utterances: Sequence[Utterance], split: str) -> str:
    """How many recordings a split has, and of how many speakers."""
    own = [item for item in utterances if item.split == split]
    speakers = len(Counter(item.speaker for item in own if item.speaker))
    return f"{split} {len(own):,}" + (f" ({speakers:,} speaker{'s' * (speakers != 1)})" if speakers else "")


def _picture(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    # A PNG file's header has the width in four bytes, from the sixteenth on.
    (width,) = struct.unpack_from(">I", content, 16)
    shown = round(width * _SHOWN_DPI / _DRAWN_DPI)
    return {"name": path.stem, "width": shown, "content": base64.b64encode(content).decode()}


def _render(**values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerasr.runs"), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("run.html").render(**values)
