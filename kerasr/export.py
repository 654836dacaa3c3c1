"""Make a run into something that others can call: `python -m kerasr.export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from kerasr.core.cli import command_line, import_quietly, parse, run_command
from kerasr.core.console import isolate, make_console, visible
from kerasr.core.progress import console as notices
from kerasr.errors import UserError
from kerasr.presets import presets_line
from kerasr.runs.find import find_run

if TYPE_CHECKING:
    from rich.table import Table

    from kerasr.exporters import Check, VoiceCheck
    from kerasr.runs.run import Run

DESCRIPTION = """
Export a run, and check the export before anyone sees it.

  python -m kerasr.export runs/2026-11-21-digits-1 --to serving/digits      TensorFlow Serving: serving/digits/1/, ...
  python -m kerasr.export runs/2026-11-21-digits-1 --to digits.tflite --format litert      a phone (extra litert)
  python -m kerasr.export runs/2026-11-21-digits-1 --to digits.tflite --format litert --quantize int8
  python -m kerasr.export runs/2026-11-21-digits-1 --to digits.onnx --format onnx          ONNX Runtime (extra onnx)
  python -m kerasr.export PRESET --to serving/digits
  docker run -p 8501:8501 -v "$PWD/serving:/models" tensorflow/serving --model_config_file=/models/models.config

A run of sentences becomes any of these, too (docs/sentences.md says how a file is called), and so does a voice, with
its vocoder inside: docs/voice.md.

The front-end and the words are inside, or beside the file. The run's test clips go through the export in a process
of its own that knows no Keras; where its answers are not the run's, nothing is written. docs/serving.md has clients
and clusters.
"""


@dataclass(frozen=True)
class ExportConfig:
    """What to export, and where to."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """The run's folder (`kerasr runs` lists them), or a preset's name."""
    to: str
    """For a server, the model's folder under the one that it watches; its name is the model's name, and each export a
    new version. Else a file that ends in .tflite or .onnx."""
    format: Literal["serving", "litert", "onnx"] = "serving"
    """serving is a SavedModel that takes waveforms, WAV files or features; litert a file that takes one waveform, onnx
    one that takes any number of any length."""
    quantize: Literal["none", "dynamic", "int8"] = "none"
    """litert only. dynamic stores the network in 8 bits; int8 computes in them, too, calibrated on validation clips."""
    stream: bool = False
    """litert only. Also bring the step that carries a state from chunk to chunk, for kerasr.listen --carry-state; a
    SavedModel always has it, where the model can (`kerasr models`)."""
    least_agreement: float | None = None
    """litert and onnx. Least share of the test clips in which the file must give the run's answer, a word or a
    transcript; 0.999 where not given, and 0.98 in 8 bits, where transcripts may have 0.5 points of word errors more
    instead. Of a voice, of the characters that must last as long; in 8 bits 0.95, to a frame."""
    vocoder: str | None = None
    """Of a voice, a run of the recipe vocoder with the same front-end; Griffin-Lim where not given."""
    json: bool = False
    """Print what was measured as JSON, for programs."""


def main(argv: list[str]) -> None:
    """Parse the arguments, export, and say what was measured."""
    config = parse(ExportConfig, argv, command="export", description=DESCRIPTION + presets_line())
    if config.format != "litert" and config.quantize != "none":
        raise UserError("setting-missing", "--quantize is for --format litert: add it")
    if config.format != "litert" and config.stream:
        raise UserError(
            "settings-conflict", "--stream is for --format litert: a SavedModel has it already, where the model can"
        )
    if config.format == "serving" and config.to.endswith((".tflite", ".onnx")):
        kind = "litert" if config.to.endswith(".tflite") else "onnx"
        raise UserError(
            "settings-conflict",
            f"--to {config.to} names a file: add --format {kind}, or name a folder for a SavedModel",
        )
    if config.least_agreement is not None and not 0 <= config.least_agreement <= 1:
        raise UserError(
            "setting-out-of-range", f"--least-agreement {config.least_agreement:g}: give a share from 0 to 1, as 0.999"
        )
    if config.format == "serving" and config.least_agreement is not None:
        raise UserError(
            "settings-conflict",
            "--least-agreement is for --format litert or onnx: what is served is the run to the last decimals",
        )
    for name in filter(None, (config.run, config.vocoder)):
        find_run(name)
    import_quietly()
    from kerasr.exporters import export_litert, export_onnx, export_serving
    from kerasr.runs.run import load_run

    run, vocoder = load_run(config.run), None if config.vocoder is None else load_run(config.vocoder)
    if config.format == "litert":
        path, check = export_litert(
            run,
            config.to,
            quantize=config.quantize,
            stream=config.stream,
            least_agreement=config.least_agreement,
            vocoder=vocoder,
        )
    elif config.format == "onnx":
        path, check = export_onnx(run, config.to, least_agreement=config.least_agreement, vocoder=vocoder)
    else:
        path, check = export_serving(run, config.to, vocoder=vocoder)
    if config.json:
        print(check.to_json(), end="")
    else:
        print_check(run, check)
        print(visible(str(path)))
        notices().print(f"next    {next_command(config, run)}")


def next_command(config: ExportConfig, run: "Run") -> str:
    """What to type next: a server for the folder; the microphone for a file, or in Python what runs it."""
    from kerasr.models.registry import SPEAKER
    from kerasr.tasks.words import WordTask

    if config.format == "serving":
        return command_line("serve", Path(config.to).parent)
    if run.task.kind == SPEAKER:
        return "docs/voice.md has a program that says texts with this file"
    if config.format == "onnx":
        return f'onnxruntime.InferenceSession({config.to!r}).run(["probs"], {{"waveform": waveform}})'
    if isinstance(run.task, WordTask):
        return command_line("listen", config.to)
    return f"ai_edge_litert.interpreter.Interpreter({config.to!r}).get_signature_runner()(waveform=waveform)"


def print_check(run: "Run", check: "Check | VoiceCheck") -> None:
    """What was measured of the export, before and after."""
    from rich.table import Table

    from kerasr.exporters import VoiceCheck

    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "run", "export"):
        table.add_column(heading, justify="right" if heading else "left")
    if isinstance(check, VoiceCheck):
        add_voice_rows(table, check)
        make_console().print(table)
        return
    if check.accuracy_before is not None and check.accuracy_after is not None:
        table.add_row(f"right of {check.num_clips} test clips", *_shares(check.accuracy_before, check.accuracy_after))
    if check.wer_before is not None and check.wer_after is not None:
        table.add_row("word errors", f"{check.wer_before:.2%}", f"{check.wer_after:.2%}")
    table.add_row("same answer", "", f"{check.agreement:.1%}")
    table.add_row("largest difference of a logit", "", f"{check.difference:.1g}")
    table.add_row("one clip on one thread", "", f"{check.milliseconds:.1f} ms")
    table.add_row("size", "", f"{check.size / 1e3:,.0f} kB")
    console = make_console()
    console.print(table)
    if not check.real:
        console.print(
            f"note: {isolate(run.path.name)}'s test recordings are not on this machine: {check.num_clips} bursts of "
            "noise were compared instead",
            style="yellow",
        )


def add_voice_rows(table: "Table", check: "VoiceCheck") -> None:
    """What was measured of a voice."""
    of = "test texts" if check.real else "texts that were made up"
    table.add_row(f"characters that last as long, of {check.num_texts} {of}", "", f"{check.agreement:.1%}")
    table.add_row("largest difference of an energy", "", f"{check.difference:.1g} dB")
    table.add_row("largest difference of a sample", "", f"{check.waveform_difference:.1g} of full scale")
    table.add_row("real-time factor of one thread", "", f"{check.real_time_factor:.3f}")
    table.add_row("size", "", f"{check.size / 1e3:,.0f} kB")


def _shares(*shares: float) -> list[str]:
    return [f"{share:.1%}" for share in shares]


if __name__ == "__main__":
    run_command(main)
