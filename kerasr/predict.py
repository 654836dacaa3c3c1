"""Hear recordings with a run: `python -m kerasr.predict`."""

import glob
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from kerasr.cli import describe, import_quietly, parse, run_command
from kerasr.console import isolate, make_console
from kerasr.errors import UserError
from kerasr.presets import presets_line

if TYPE_CHECKING:
    import numpy as np

    from kerasr.run_directory import Run

DESCRIPTION = """
Say which word is in each recording, how probable it is, and what else it might be.

  python -m kerasr.predict PRESET clip.wav                  a preset, named below: no training
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav
  python -m kerasr.predict runs/2026-11-21-digits-1 more/*.flac a_folder/
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --json
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --explain      why: a picture beside the recording
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --threshold 0      always name a word

A word model hears one clip's length: of a longer recording its middle, of one beyond a minute the middle of the first
minute, and the table says so. What is less probable than the run's threshold is none of its words. A recording that
cannot be read, or is no sound, is named, the others are heard all the same, and the exit code is 2.
"""

NUM_TOP = 3

# What the table says of a clip that is rejected.
NONE = "[yellow]none of the words[/yellow]"

# Where the output is no terminal, a table is this wide, so that names are not folded.
WIDTH = 160


@dataclass(frozen=True)
class PredictConfig:
    """What to hear, and with what."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """The run's folder (`python -m kerasr.runs` lists them), or a preset's name."""
    recordings: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RECORDING...")] = ()
    """One or more recordings of any format and rate, or folders of them."""
    threshold: float | None = None
    """Least probability of a word that is believed; 0 always names one. Where not given, the run's own, chosen on its
    validation clips, and 0.5 for a detector."""
    json: bool = False
    """One JSON object a recording, a line each, for programs; the word is null where it is none of them."""
    explain: bool = False
    """Draw what in each recording spoke for the word: clip.explained.png beside it."""
    out: str | None = None
    """Write the pictures of --explain into this folder instead."""


def main(argv: list[str]) -> None:
    """Parse the arguments, hear the recordings, and print what was heard."""
    config = parse(PredictConfig, argv, command="predict", description=DESCRIPTION + presets_line())
    if not config.recordings:
        raise UserError("name at least one recording, or a folder of them")
    if config.out and not config.explain:
        raise UserError("--out is where --explain writes its pictures: add --explain")
    if config.threshold is not None and not 0 <= config.threshold <= 1:
        raise UserError(f"--threshold {config.threshold:g} is no probability: give a number from 0 to 1")
    import_quietly()
    from kerasr.run_directory import load_run

    # A name that is no valid text is printed with its bytes escaped.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    run = load_run(config.run)
    draw = explanation_writer(run, config.out) if config.explain else None
    rows, failed = [], 0
    for found in hear_recordings(run, config.recordings, config.threshold):
        if isinstance(found, Exception):
            failed += 1
            print(f"error: {describe(found)}", file=sys.stderr)
            continue
        if draw:
            found["explanation"] = draw(found["path"])
        if config.json:
            print(json.dumps(found, ensure_ascii=False), flush=True)
        else:
            rows.append(found)
    if rows:
        print_table(rows)
        for row in rows if draw else ():
            print(f"explained in {row['explanation']}")
    if failed:
        sys.exit(2)


def explanation_writer(run: "Run", folder: str | None) -> Callable[[str], str]:
    """A function that draws why a recording is heard as it is, and gives the picture's path."""
    from kerasr.explain import Explainer
    from kerasr.report import write_explanation

    explainer = Explainer(run)
    written: set[Path] = set()

    def draw(recording: str) -> str:
        stem = Path(recording).with_suffix("") if folder is None else Path(folder, Path(recording).stem)
        # Recordings of one name from several folders, and of several suffixes in one, each keep a picture.
        endings = chain(("",), (f"-{number}" for number in count(2)))
        paths = (stem.with_name(f"{stem.name}{ending}.explained.png") for ending in endings)
        path = next(path for path in paths if path not in written)
        written.add(path)
        write_explanation(run, explainer, recording, path)
        return str(path)

    return draw


def hear_recordings(
    run: "Run", names: Sequence[str], threshold: float | None = None
) -> Iterator[dict[str, Any] | Exception]:
    """What is heard in each recording, in order, or why it cannot be; the threshold is the run's own where None."""
    from kerasr.data.clips import BATCH_SIZE, read_clip
    from kerasr.data.progress import map_threaded
    from kerasr.rejection import least_probability

    if threshold is None:
        threshold = least_probability(run)
    run.model  # noqa: B018 (a damaged model is told before the recordings are read)
    spec = run.config.features

    def read(path: str | Exception) -> tuple[str, "np.ndarray"] | Exception:
        if isinstance(path, Exception):
            return path
        try:
            return path, read_clip(path, spec)
        except (UserError, OSError) as error:
            return error

    waiting: list[tuple[str, np.ndarray] | Exception] = []
    paths = list(_find(names))
    for number, found in enumerate(map_threaded(read, paths, "Hearing"), start=1):
        waiting.append(found)
        if len(waiting) == BATCH_SIZE or number == len(paths):
            yield from _hear(run, waiting, threshold)
            waiting = []


def _hear(
    run: "Run", found: list["tuple[str, np.ndarray] | Exception"], threshold: float
) -> Iterator[dict[str, Any] | Exception]:
    """Rows of a few recordings, heard together."""
    clips = [item[1] for item in found if not isinstance(item, Exception)]
    probs = iter(run.probs(clips) if clips else ())
    for item in found:
        yield item if isinstance(item, Exception) else _row(run, item[0], next(probs), threshold)


def _row(run: "Run", path: str, probs: "np.ndarray", threshold: float) -> dict[str, Any]:
    """What was heard in one recording, as plain JSON types."""
    if run.config.wanted is not None:
        probability = float(probs[1])
        heard = {"wanted": run.config.wanted, "present": probability >= threshold, "probability": probability}
    else:
        order = (-probs).argsort(kind="stable")[:NUM_TOP]
        top = [{"word": run.labels[index], "probability": float(probs[index])} for index in order]
        rejected = top[0]["probability"] < threshold
        heard = {**top[0], **({"word": None} if rejected else {}), "rejected": rejected, "top": top}
    return {"path": path, **heard, "threshold": threshold, **_part(path, run.config.features.clip_seconds)}


def _part(path: str, clip_seconds: float | None) -> dict[str, float]:
    """How long the recording is, and from when to when it was heard, in seconds."""
    from kerasr import audio
    from kerasr.data.clips import MAX_CLIP_SECONDS

    seconds = audio.facts(path).duration
    if clip_seconds is None or seconds <= clip_seconds:
        return {"seconds": seconds, "from": 0.0, "to": seconds}
    # The middle of what is decoded: of a recording of hours, that is its beginning.
    start = (min(seconds, max(MAX_CLIP_SECONDS, clip_seconds)) - clip_seconds) / 2
    return {"seconds": seconds, "from": start, "to": start + clip_seconds}


def _find(names: Sequence[str]) -> Iterator[str | Exception]:
    """Recordings among files and folders, and the patterns that a shell has left as they are."""
    from kerasr import audio
    from kerasr.data.corpora.folder import walk_recordings

    for name in names:
        if os.path.isdir(name):
            try:
                inside = list(walk_recordings(name))
            except UserError as error:
                yield error
                continue
            yield from inside or [UserError(f"{name}: holds no recording ({', '.join(audio.SUFFIXES)})")]
        elif not os.path.exists(name) and glob.has_magic(name):
            yield from sorted(glob.glob(name)) or [UserError(f"{name}: no file is called so")]
        else:
            yield name


def print_table(rows: list[dict[str, Any]]) -> None:
    """The rows as a table."""
    from rich.table import Table
    from rich.text import Text

    console = make_console()
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("recording", overflow="fold")
    detector = "wanted" in rows[0]
    table.add_column(f"{isolate(rows[0]['wanted'])}?" if detector else "word", overflow="fold")
    table.add_column("probability", justify="right")
    if not detector:
        table.add_column("or else", style="dim", overflow="fold")
    parts = any(row["to"] - row["from"] < row["seconds"] for row in rows)
    if parts:
        table.add_column("heard", style="yellow")
    for row in rows:
        word = ("yes" if row["present"] else "no") if detector else row["word"]
        shown = NONE if word is None else Text(isolate(word), "bold")
        cells = [row["path"], shown, f"{row['probability']:.1%}"]
        if not detector:
            others = row["top"][word is not None :]
            cells.append(", ".join(f"{isolate(item['word'])} {item['probability']:.1%}" for item in others))
        if parts:
            cells.append(_heard_part(row))
        table.add_row(*cells)
    console.print(table)


def _heard_part(row: dict[str, Any]) -> str:
    """`only 29.5 to 30.5 s of 3:00:00`; nothing where all of it was heard."""
    if row["to"] - row["from"] >= row["seconds"]:
        return ""
    minutes, seconds = divmod(round(row["seconds"]), 60)
    hours, minutes = divmod(minutes, 60)
    long = f"{hours}:{minutes:02}:{seconds:02}" if row["seconds"] >= 60 else f"{row['seconds']:.2f} s"
    return f"only {row['from']:.2f} to {row['to']:.2f} s of {long}"


if __name__ == "__main__":
    run_command(main)
