"""Make a run into something that others can call: `python -m kerasr.export`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from kerasr.cli import import_quietly, parse, run_command
from kerasr.presets import presets_line

if TYPE_CHECKING:
    from kerasr.exporters import Check
    from kerasr.run_directory import Run

DESCRIPTION = """
Export a run for TensorFlow Serving, and check the export before anyone sees it.

  python -m kerasr.export runs/2026-11-21-digits-1 --to serving/digits      serving/digits/1/, then 2/, ...
  python -m kerasr.export PRESET --to serving/digits
  docker run -p 8501:8501 -v "$PWD/serving:/models" tensorflow/serving --model_config_file=/models/models.config

The front-end and the words are inside: clients send waveforms, WAV files or features, and get logits, probabilities and
words. The run's test clips go through the export in a fresh process that knows no Keras; where its logits are not the
run's, there is no new version. docs/serving.md has clients and clusters.
"""


@dataclass(frozen=True)
class ExportConfig:
    """What to export, and where to."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """The run's folder (`python -m kerasr.runs` lists them), or a preset's name."""
    to: str
    """The model's folder under the one that the server watches; its name is the model's name. A new version each
    time."""
    json: bool = False
    """Print what was measured as JSON, for programs."""


def main(argv: list[str]) -> None:
    """Parse the arguments, export, and say what was measured."""
    config = parse(ExportConfig, argv, command="export", description=DESCRIPTION + presets_line())
    import_quietly()
    from kerasr.exporters import export_serving
    from kerasr.run_directory import load_run

    run = load_run(config.run)
    path, check = export_serving(run, config.to)
    if config.json:
        print(check.to_json(), end="")
    else:
        print_check(run, check)
        print(path)


def print_check(run: "Run", check: "Check") -> None:
    """What was measured of the export, before and after."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "run", "export"):
        table.add_column(heading, justify="right" if heading else "left")
    if check.accuracy_before is not None and check.accuracy_after is not None:
        table.add_row(f"right of {check.num_clips} test clips", *_shares(check.accuracy_before, check.accuracy_after))
    table.add_row("same word", "", f"{check.agreement:.1%}")
    table.add_row("largest difference of a logit", "", f"{check.difference:.1g}")
    table.add_row("one clip on one thread", "", f"{check.milliseconds:.1f} ms")
    table.add_row("size", "", f"{check.size / 1e3:,.0f} kB")
    console = Console(highlight=False)
    console.print(table)
    if not check.real:
        console.print(
            f"note: {run.path.name}'s test recordings are not on this machine: {check.num_clips} bursts of noise were "
            "compared instead",
            style="yellow",
        )


def _shares(*shares: float) -> list[str]:
    return [f"{share:.1%}" for share in shares]


if __name__ == "__main__":
    run_command(main)
