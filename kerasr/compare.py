"""Set runs side by side: `python -m kerasr.compare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from kerasr.core.cli import command_line, import_quietly, parse, run_command
from kerasr.core.console import isolate, make_console, visible
from kerasr.presets import presets_line
from kerasr.runs.find import find_run

if TYPE_CHECKING:
    from rich.console import Console

    from kerasr.runs.run import Run

DESCRIPTION = """
Set runs side by side on the test clips that they share: score, cost, and whether they differ at all.

  python -m kerasr.compare runs/2026-11-21-digits-1 runs/2026-11-21-digits-2
  python -m kerasr.compare PRESET runs/2026-11-21-digits-2 runs/2026-11-21-digits-3     all three pairs
  python -m kerasr.compare runs/a runs/b --json

Of each pair, one is called better where a paired test and the interval of the difference both say so, and both count
speakers, not clips; of fewer than five speakers nothing is said. With more pairs each needs stronger proof, by Holm's
method. comparison.html has all that, each speaker, and the clips on which they disagree, to look at and to play; it
goes into a folder of its own, with comparison.json and two pictures. The latency is that of one clip on one thread.
"""


@dataclass(frozen=True)
class CompareConfig:
    """What to compare."""

    runs: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="RUN...")] = ()
    """Two or more runs' folders or presets' names."""
    out: str | None = None
    """Write here instead of runs/comparisons/."""
    json: bool = False
    """Print the comparison as JSON, for programs."""


def main(argv: list[str]) -> None:
    """Parse the arguments, compare, and say what came out."""
    config = parse(CompareConfig, argv, command="compare", description=DESCRIPTION + presets_line(voices=False))
    for path in config.runs:
        find_run(path)
    import_quietly()
    import json

    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    from kerasr.evaluation.comparison import compare_runs, disagreement_clips
    from kerasr.report import write_comparison
    from kerasr.runs.run import load_run

    runs = [load_run(path) for path in config.runs]
    comparison = compare_runs(runs)
    folder = Path(config.out) if config.out else default_folder(comparison["runs"])
    page = write_comparison(folder, comparison, [*disagreement_clips(runs[0], comparison)])
    if config.json:
        print(json.dumps({**comparison, "page": str(page)}, ensure_ascii=False))
    else:
        print_comparison(make_console(), comparison)
        print(visible(f"page    {page}"))
        print(visible(f"next    {next_command(config.runs, runs, comparison)}"))


def next_command(names: tuple[str, ...], runs: "list[Run]", comparison: dict[str, Any]) -> str:
    """What to type next: the export of the run with the most clips right, the first one among equals."""
    accuracy = [row["accuracy"] for row in comparison["runs"]]
    best = accuracy.index(max(accuracy))
    return command_line("export", names[best], "--to", f"serving/{runs[best].config.recipe}")


def default_folder(rows: list[dict[str, Any]]) -> Path:
    """`runs/comparisons/NAME-NAME`, in which no comparison of other runs of the same names lies."""
    import json

    from kerasr.report import own_folder

    paths = [row["path"] for row in rows]
    name = "-".join(Path(path).name for path in paths)

    def is_same(written: str) -> bool:
        return [row.get("path") for row in json.loads(written)["runs"]] == paths

    return own_folder(Path("runs", "comparisons", name), "comparison.json", is_same)


def print_comparison(console: "Console", comparison: dict[str, Any]) -> None:
    """The table, a sentence a pair, and what must be known to judge them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold")
    table.add_column("model")
    for heading in ("score", "95% of accuracy", "parameters", "M MACs", "s an epoch", "ms a clip", "size"):
        table.add_column(heading, justify="right")
    for row in comparison["runs"]:
        interval = row["accuracy_interval"]
        macs, seconds = row["macs"], row["seconds_per_epoch"]
        table.add_row(
            isolate(row["name"]),
            row["model"],
            Text(row["score"], "bold"),
            "{:.1%} to {:.1%}".format(*interval) if interval else "-",
            f"{row['parameters']:,}",
            f"{macs / 1e6:.1f}" if macs else "-",
            f"{seconds:.1f}" if seconds else "-",
            f"{row['latency_ms']:.1f}",
            f"{row['model_bytes'] / 1e3:,.0f} kB",
        )
    console.print(table)
    for pair in comparison["pairs"]:
        console.print(f"\n{pair['sentence']}", soft_wrap=True)
    for note in comparison["notes"]:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)


if __name__ == "__main__":
    run_command(main)
