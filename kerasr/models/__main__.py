"""python -m kerasr.models: the zoo as a table, from the registry's plain facts (no framework is loaded)."""

import dataclasses
import json
from dataclasses import dataclass

from kerasr.cli import parse, run_command
from kerasr.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE, list_models


@dataclass(frozen=True)
class Options:
    """How to list."""

    json: bool = False
    """Print the facts as JSON."""


def main(argv: list[str]) -> None:
    """List the models."""
    options = parse(Options, argv, command="models", description="List the models that --model takes.")
    if options.json:
        print(json.dumps([dataclasses.asdict(facts) for facts in list_models()], indent=2))
    else:
        _print_table()


def _print_table() -> None:
    from rich.console import Console
    from rich.table import Table

    frames, bands = REFERENCE_SHAPE
    table = Table(
        caption=f"A clip of {frames} frames x {bands} features, {REFERENCE_OUTPUTS} outputs, default options "
        "(--json lists them)."
    )
    table.add_column("model", no_wrap=True)
    for heading in ("parameters", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("tasks", no_wrap=True)
    table.add_column("source", overflow="fold")
    for facts in list_models():
        table.add_row(
            facts.name,
            f"{facts.parameters:,}",
            f"{facts.macs / 1e6:,.1f} M",
            ", ".join(facts.tasks),
            facts.source,
        )
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
