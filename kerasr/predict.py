"""Recognise words in recordings with a run: `python -m kerasr.predict`."""

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from kerasr.config import DecodingConfig
from kerasr.core.cli import command_line, import_quietly, parse, print_error, run_command
from kerasr.core.console import is_watched, isolate, make_console
from kerasr.core.progress import console as notices
from kerasr.errors import UserError
from kerasr.inference.download import fetched, file_name, is_url
from kerasr.inference.recordings import check_some_readable
from kerasr.presets import presets_line
from kerasr.runs.find import find_run

if TYPE_CHECKING:
    from kerasr.runs.run import Run
    from kerasr.tasks import Answer

DESCRIPTION = """
Say which word is in each recording, how probable it is, and what else it might be.

  python -m kerasr.predict PRESET --sample                  a preset, named below, on a recording that it brings
  python -m kerasr.predict PRESET clip.wav https://example.org/clip.wav
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav
  python -m kerasr.predict runs/2026-11-21-digits-1 more/*.flac a_folder/
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --json
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --explain      why: a picture beside the recording
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --threshold 0      always name a word

A word model takes one clip's length: of a longer recording its middle, of one beyond a minute the middle of the first
minute, and the table says so. What is less probable than the run's threshold is none of its words. A recording that
cannot be read, or is no sound, is named, the others are answered all the same, and the exit code is 2.
"""

# What the table says of a clip that is rejected.
NONE = "none of the words"


@dataclass(frozen=True)
class PredictConfig:
    """The recordings, and the model."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """The run's folder (`kerasr runs` lists them), or a preset's name."""
    recordings: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RECORDING...")] = ()
    """One or more recordings of any format and rate, their addresses (https://...), or folders of them."""
    sample: bool = False
    """A recording to try it with: the one that comes with a preset, or a test clip of the run."""
    threshold: float | None = None
    """Least probability of a word that is answered; 0 always names one. Where not given, the run's own, chosen on its
    validation clips, and 0.5 for a detector."""
    decoding: Annotated[DecodingConfig, tyro.conf.arg(name="")] = field(default_factory=DecodingConfig)
    """Of transcripts."""
    json: bool = False
    """One JSON object a recording, a line each, for programs; the word is null where it is none of them."""
    explain: bool = False
    """Draw what in each recording spoke for the word: clip.explained.png beside it."""
    out: str | None = None
    """Write the pictures of --explain into this folder instead."""


def main(argv: list[str]) -> None:
    """Parse the arguments, run the model, and print its answers."""
    config = parse(PredictConfig, argv, command="predict", description=DESCRIPTION + presets_line())
    if not (config.recordings or config.sample):
        raise UserError(
            "setting-missing", "name at least one recording, or a folder of them; --sample is one to try it with"
        )
    if config.out and not config.explain:
        raise UserError("setting-missing", "--out is where --explain writes its pictures: add --explain")
    if config.threshold is not None and not 0 <= config.threshold <= 1:
        raise UserError(
            "setting-out-of-range", f"--threshold {config.threshold:g} is no probability: give a number from 0 to 1"
        )
    find_run(config.run)
    if config.recordings and not config.sample and (faults := check_some_readable(config.recordings)):
        for fault in faults:
            print_error(fault, as_json=config.json)
        sys.exit(2)
    import_quietly()
    from kerasr.runs.run import load_run
    from kerasr.runs.sample import find_sample

    # A name that is no valid text is printed with its bytes escaped.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    run = load_run(config.run)
    run.decode_with(config.decoding)
    sample = find_sample(run) if config.sample else None
    recordings = [*([str(sample.path)] if sample else []), *config.recordings]
    # What comes with the package is explained here, and not in the package's folder.
    folder = config.out or ("." if sample else None)
    draw = explanation_writer(run, folder) if config.explain else None
    answers, explained, failed = [], [], 0
    for answer in run.predict_each(recordings, threshold=config.threshold):
        if isinstance(answer, Exception):
            failed += 1
            print_error(answer, as_json=config.json)
            continue
        picture = draw(str(answer.path)) if draw else None
        if config.json:
            row = row_of(run, answer) | ({"explanation": picture} if picture else {})
            row |= {"sample": sample.description} if sample and answer.path == str(sample.path) else {}
            print(json.dumps(row, ensure_ascii=False), flush=True)
        else:
            # Where the package lies says nothing of its sample.
            is_sample = sample and answer.path == str(sample.path)
            answers.append(replace(answer, path=Path(str(answer.path)).name) if is_sample else answer)
            explained += [picture] if picture else []
    if answers:
        print_table(run, answers)
        if sample:
            print(f"sample  {sample.description}")
        for picture in explained:
            print(f"explained in {picture}")
        if is_watched(notices()):
            notices().print(f"next    {next_command(config, run, answers[0])}")
    if failed:
        sys.exit(2)


def next_command(config: PredictConfig, run: "Run", answer: "Answer") -> str:
    """What to type next: what asks why it is that word, and after that what makes a service of the run."""
    if config.explain or run.task.output.per_frame:
        return command_line("export", config.run, "--to", f"serving/{run.config.recipe}")
    return command_line("predict", config.run, "--sample" if config.sample else answer.path, "--explain")


def explanation_writer(run: "Run", folder: str | None) -> Callable[[str], str]:
    """A function that draws the attribution of a recording's word, and gives the picture's path."""
    from kerasr.inference.attribution import Explainer
    from kerasr.report import write_explanation

    if run.task.output.per_frame:
        raise UserError("task-unsupported", f"--explain: there is no attribution for a model to {run.task.about()}")
    explainer = Explainer(run.front_ends, run.network)
    written: set[Path] = set()

    def draw(recording: str) -> str:
        if is_url(recording):
            stem = Path(folder or ".", Path(file_name(recording)).stem)
        else:
            stem = Path(recording).with_suffix("") if folder is None else Path(folder, Path(recording).stem)
        # Recordings of one name from several folders, and of several suffixes in one, each keep a picture.
        endings = chain(("",), (f"-{number}" for number in count(2)))
        paths = (stem.with_name(f"{stem.name}{ending}.explained.png") for ending in endings)
        path = next(path for path in paths if path not in written)
        written.add(path)
        with fetched(recording) if is_url(recording) else contextlib.nullcontext(recording) as file:
            write_explanation(run, explainer, file, path)
        return str(path)

    return draw


def row_of(run: "Run", answer: "Answer") -> dict[str, Any]:
    """What is said of one recording, as plain JSON types."""
    part = {"seconds": answer.seconds, "from": answer.start, "to": answer.end}
    return {"path": answer.path, **run.task.to_json(answer), **part}


def print_table(run: "Run", answers: list["Answer"]) -> None:
    """The answers as a table."""
    from rich.table import Table
    from rich.text import Text

    console = make_console()
    rows = [run.task.cells(answer) for answer in answers]
    first, *others = rows[0]
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("recording", overflow="fold")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right" if name == "probability" else "left", overflow="fold")
    parts = [_used_part(answer) for answer in answers]
    if any(parts):
        table.add_column("part", style="yellow")
    for answer, row, part in zip(answers, rows, parts, strict=True):
        said, *rest = row.values()
        shown = Text(NONE, "yellow") if said is None else Text(isolate(said), "bold")
        table.add_row(answer.path, shown, *(Text(text or "") for text in rest), *([part] if any(parts) else []))
    console.print(table)


def _used_part(answer: "Answer") -> str:
    """`only 29.5 to 30.5 s of 3:00:00`; nothing where all of it was taken."""
    if answer.end - answer.start >= answer.seconds:
        return ""
    minutes, seconds = divmod(round(answer.seconds), 60)
    hours, minutes = divmod(minutes, 60)
    long = f"{hours}:{minutes:02}:{seconds:02}" if answer.seconds >= 60 else f"{answer.seconds:.2f} s"
    return f"only {answer.start:.2f} to {answer.end:.2f} s of {long}"


if __name__ == "__main__":
    run_command(main)
