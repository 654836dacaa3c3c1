"""Recognise words or transcribe sentences in recordings with a run: `python -m kerasr.predict`."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from kerasr.config import DecodingConfig
from kerasr.config.transfer import is_hub
from kerasr.core import atomic
from kerasr.core.cli import command_line, import_quietly, parse, print_error, run_command
from kerasr.core.console import is_watched, isolate, make_console, visible
from kerasr.core.progress import console as notices
from kerasr.errors import UserError
from kerasr.inference.download import fetched, file_name, is_url
from kerasr.inference.recordings import check_some_readable
from kerasr.models.hub import check_hub
from kerasr.presets import presets_line
from kerasr.runs.find import find_run

if TYPE_CHECKING:
    from kerasr.runs.run import Run
    from kerasr.tasks import Answer

DESCRIPTION = """
Recognise the word in each recording and what else it might be, or transcribe its sentences; and how probable that is.

  python -m kerasr.predict PRESET --sample                  a preset, named below, on a recording that it brings
  python -m kerasr.predict PRESET clip.wav https://example.org/clip.wav
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav
  python -m kerasr.predict runs/2026-11-21-digits-1 more/*.flac a_folder/
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --json
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --explain      why: a picture beside the recording
  python -m kerasr.predict runs/2026-11-21-digits-1 clip.wav --threshold 0      always name a word
  python -m kerasr.predict runs/2026-11-21-an4-1 talk.wav --timestamps          of a transcript: each word's times
  python -m kerasr.predict runs/2026-11-21-an4-1 talk.wav --subtitles srt       talk.srt beside the recording
  python -m kerasr.predict hub:whisper_tiny_en talk.wav      a pretrained model of keras-hub, by name or by its folder

A word model takes one clip's length: of a longer recording its middle, of one beyond a minute the middle of the first
minute, and the table says so. What is less probable than the run's threshold is none of its words. A recording that
cannot be read, or is no sound, is named, the others are answered all the same, and the exit code is 2.
"""


@dataclass(frozen=True)
class PredictConfig:
    """The recordings, and the model."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """The run's folder (`kerasr runs` lists them), a preset's name, or `hub:` and a pretrained model of keras-hub."""
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
    timestamps: bool = False
    """Of transcripts: a row for each word, with its start, its end and its confidence; --json has them always."""
    subtitles: Literal["srt", "vtt"] | None = None
    """Of transcripts: write subtitles, clip.srt or clip.vtt beside the recording."""
    explain: bool = False
    """Draw what in each recording spoke for the word: clip.explained.png beside it."""
    manifest: str | None = None
    """Of transcripts: write a manifest (.csv, .jsonl) of the recordings with these texts, pseudo-labels to train on;
    with --threshold, of those at least so confident."""
    out: str | None = None
    """Write the pictures of --explain, or the subtitles, into this folder instead."""


def main(argv: list[str]) -> None:
    """Parse the arguments, run the model, and print its answers."""
    config = parse(PredictConfig, argv, command="predict", description=DESCRIPTION + presets_line(voices=False))
    if not (config.recordings or config.sample):
        raise UserError(
            "setting-missing", "name at least one recording, or a folder of them; --sample is one to try it with"
        )
    if config.out and not (config.explain or config.subtitles):
        raise UserError("setting-missing", "--out is where --explain and --subtitles write to: add one of them")
    if config.threshold is not None and not 0 <= config.threshold <= 1:
        raise UserError(
            "setting-out-of-range", f"--threshold {config.threshold:g} is no probability: give a number from 0 to 1"
        )
    if is_hub(config.run):
        check_hub(config.run)
        if config.sample:
            raise UserError("task-unsupported", f"--sample: {config.run} comes without one: name a recording")
    else:
        find_run(config.run)
    if config.recordings and not config.sample and (faults := check_some_readable(config.recordings)):
        for fault in faults:
            print_error(fault, as_json=config.json)
        sys.exit(2)
    import_quietly()
    from kerasr.runs.sample import find_sample

    # A name that is no valid text is printed with its bytes escaped.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    run = _open_model(config.run)
    run.decode_with(config.decoding)
    sample = find_sample(run) if config.sample else None
    recordings = [*([str(sample.path)] if sample else []), *config.recordings]
    # Of what comes with the package nothing is written into the package's folder, but here.
    writers = _writers(run, config, config.out or ("." if sample else None))
    found, answers, written, failed = [], [], [], 0
    for answer in run.predict_each(recordings, threshold=config.threshold):
        if isinstance(answer, Exception):
            failed += 1
            print_error(answer, as_json=config.json)
            continue
        found.append(answer)
        made = {}
        for name, write in writers.items():
            try:
                made[name] = write(answer)
            except UserError as error:
                failed += 1
                print_error(error, as_json=config.json)
        if config.json:
            row = row_of(run, answer) | made
            row |= {"sample": sample.description} if sample and answer.path == str(sample.path) else {}
            print(json.dumps(row, ensure_ascii=False), flush=True)
        else:
            # Where the package lies says nothing of its sample.
            is_sample = sample and answer.path == str(sample.path)
            answers.append(replace(answer, path=Path(str(answer.path)).name) if is_sample else answer)
            written += [f"{'explained' if name == 'explanation' else name} in {path}" for name, path in made.items()]
    if config.manifest:
        write_pseudo_labels(config.manifest, found, config.threshold or 0.0)
        written.append(f"pseudo-labels in {config.manifest}")
    if answers:
        print_table(run, answers, timestamps=config.timestamps)
        if sample:
            print(f"sample  {sample.description}")
        for line in written:
            print(visible(line))
        if is_watched(notices()):
            notices().print(f"next    {next_command(config, run, answers[0])}")
    if failed:
        sys.exit(2)


def _open_model(name: str) -> Any:
    """The run, or the pretrained model that has the part of a run which predicts."""
    if is_hub(name):
        from kerasr.pretrained.transcriber import load_transcriber

        return load_transcriber(name)
    from kerasr.runs.run import load_run

    return load_run(name)


def next_command(config: PredictConfig, run: "Run", answer: "Answer") -> str:
    """What to type next: what asks why it is that word, and after that what makes a service of the run."""
    if is_hub(config.run):
        return command_line("predict", config.run, "FOLDER", "--manifest", "labels.csv")
    if config.explain or run.task.per_frame:
        return command_line("export", config.run, "--to", f"serving/{run.config.recipe}")
    return command_line("predict", config.run, "--sample" if config.sample else answer.path, "--explain")


def _writers(run: "Run", config: PredictConfig, folder: str | None) -> dict[str, Callable[["Answer"], str]]:
    """What is written of each recording: functions from its answer to the file's path, by the file's name in JSON."""
    if config.manifest and not run.task.keeps_order:
        raise UserError("task-unsupported", f"--manifest: there is no text from a model to {run.task.about()}")
    for flag in ("timestamps", "subtitles"):
        if getattr(config, flag) and not run.recognition.has_words:
            raise UserError(
                "task-unsupported", f"--{flag}: there are no times of words from a model to {run.task.about()}"
            )
    writers: dict[str, Callable[[Answer], str]] = {}
    if config.explain:
        writers["explanation"] = explanation_writer(run, folder)
    if config.subtitles:
        writers["subtitles"] = subtitles_writer(config.subtitles, folder)
    return writers


def explanation_writer(run: "Run", folder: str | None) -> Callable[["Answer"], str]:
    """A function that draws the attribution of a recording's word, and gives the picture's path."""
    from kerasr.inference.attribution import Explainer
    from kerasr.report import write_explanation

    if run.task.per_frame:
        raise UserError("task-unsupported", f"--explain: there is no attribution for a model to {run.task.about()}")
    explainer = Explainer(run.front_ends, run.network)
    written: set[Path] = set()

    def draw(answer: "Answer") -> str:
        recording = str(answer.path)
        path = _path_beside(recording, folder, ".explained.png", written)
        with fetched(recording) if is_url(recording) else contextlib.nullcontext(recording) as file:
            write_explanation(run, explainer, file, path)
        return str(path)

    return draw


def subtitles_writer(kind: Literal["srt", "vtt"], folder: str | None) -> Callable[[Any], str]:
    """A function that writes the subtitles of a transcript, and gives the file's path.

    Subtitles that are there already are somebody's, who may have corrected them: they are not replaced (`file-taken`).
    """
    from kerasr.decoding.subtitles import format_subtitles

    written: set[Path] = set()

    def write(answer: Any) -> str:
        path = _path_beside(answer.path, folder, f".{kind}", written)
        if path.exists():
            raise UserError("file-taken", f"{path}: is there already: remove it, or name a folder with --out")
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, format_subtitles(answer.words, kind).encode())
        return str(path)

    return write


def write_pseudo_labels(path: str, answers: Sequence[Any], threshold: float) -> None:
    """Write a manifest of transcripts that say something, and are at least so confident, marked as pseudo-labels."""
    from kerasr.data.manifest import Utterance, write_manifest
    from kerasr.training.transfer import PSEUDO, SOURCE

    write_manifest(
        path,
        [
            Utterance(
                os.path.abspath(answer.path),
                text=answer.text,
                extra={SOURCE: PSEUDO, "confidence": f"{answer.confidence:.3f}"},
            )
            for answer in answers
            if answer.text and answer.confidence >= threshold
        ],
    )


def _path_beside(recording: str, folder: str | None, suffix: str, written: set[Path]) -> Path:
    """A file named as a recording, beside it or in a folder: none of those written before, to which it is added.

    Recordings of one name from several folders, and of several suffixes in one, thus each keep one.
    """
    if is_url(recording):
        stem = Path(folder or ".", Path(file_name(recording)).stem)
    else:
        stem = Path(recording).with_suffix("") if folder is None else Path(folder, Path(recording).stem)
    endings = chain(("",), (f"-{number}" for number in count(2)))
    paths = (stem.with_name(f"{stem.name}{ending}{suffix}") for ending in endings)
    path = next(path for path in paths if path not in written)
    written.add(path)
    return path


def row_of(run: "Run", answer: "Answer") -> dict[str, Any]:
    """What is said of one recording, as plain JSON types."""
    part = {"seconds": answer.seconds, "from": answer.start, "to": answer.end}
    return {"path": answer.path, **run.recognition.to_json(answer), **part}


def print_table(run: "Run", answers: Sequence[Any], *, timestamps: bool = False) -> None:
    """The answers as a table: a row each, or one for each of their words."""
    from rich.table import Table
    from rich.text import Text

    console = make_console()
    rows = [_word_rows(answer) if timestamps else [run.recognition.cells(answer)] for answer in answers]
    first, *others = rows[0][0]
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("recording", overflow="fold")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right" if name in ("probability", "start", "end") else "left", overflow="fold")
    parts = [_used_part(answer) for answer in answers]
    if any(parts):
        table.add_column("part", style="yellow")
    for answer, own, part in zip(answers, rows, parts, strict=True):
        for number, row in enumerate(own):
            said, *rest = row.values()
            shown = Text(run.recognition.none, "yellow") if said is None else Text(isolate(said), "bold")
            name, used = ("", "") if number else (answer.path, part)
            table.add_row(name, shown, *(Text(text or "") for text in rest), *([used] if any(parts) else []))
    console.print(table)


def _word_rows(answer: Any) -> list[dict[str, str | None]]:
    """The words of a transcript as rows of a table; one where there is none."""
    rows: list[dict[str, str | None]] = [
        {
            "word": word.text,
            "start": f"{word.start:.2f} s",
            "end": f"{word.end:.2f} s",
            "confidence": f"{word.confidence:.1%}",
        }
        for word in answer.words
    ]
    return rows or [{"word": None, "start": "", "end": "", "confidence": f"{answer.confidence:.1%}"}]


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
