"""python -m kerasr.models: the zoo as a table, from the registry's plain facts (no framework is loaded)."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasr.cli import parse, run_command
from kerasr.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE, ModelFacts, list_models

# Written by benchmarks/zoo.py.
SCORES = Path(__file__).with_name("scores.json")


@dataclass(frozen=True)
class Options:
    """How to list."""

    json: bool = False
    """Print the facts as JSON."""


def main(argv: list[str]) -> None:
    """List the models."""
    options = parse(Options, argv, command="models", description="List the models that --model takes.")
    if options.json:
        scores = _scores()["models"]
        rows = [{**dataclasses.asdict(facts), "score": scores.get(facts.name)} for facts in list_models()]
        print(json.dumps(rows, indent=2))
    else:
        _print_table(_scores())


def _scores() -> dict[str, Any]:
    """What `benchmarks/zoo.py` has measured: `models` by name, and `what` was measured by which `command`."""
    return json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {"models": {}}


def _print_table(scores: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    frames, bands = REFERENCE_SHAPE
    starred = ", ".join(f"{facts.name} with {options}" for facts in list_models() if (options := _to_stream(facts)))
    captions = [
        f"A clip of {frames} frames x {bands} features, {REFERENCE_OUTPUTS} outputs, default options (--json lists "
        "them and the papers' addresses).",
        *([f"Score: {scores['what']} ({scores['command']})."] if scores["models"] else []),
        "Stream: the model carries its state from chunk to chunk, or hears windows that move on by a hop. *: "
        f"{starred}.",
    ]
    table = Table(caption="\n".join(captions))
    table.add_column("model", no_wrap=True)
    for heading in ("parameters", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    if scores["models"]:
        table.add_column("score", justify="right", no_wrap=True)
    table.add_column("stream", no_wrap=True)
    table.add_column("source", overflow="fold")
    for facts in list_models():
        table.add_row(
            facts.name,
            f"{facts.parameters:,}",
            f"{facts.macs / 1e6:,.1f} M",
            *([_score(scores["models"].get(facts.name))] if scores["models"] else []),
            _stream(facts),
            facts.source.split(", https")[0],
        )
    Console().print(table)


def _stream(facts: ModelFacts) -> str:
    """How a stream is heard; a star where an option has to be given for it."""
    return "window" if facts.stream_options is None else "state*" if _to_stream(facts) else "state"


def _to_stream(facts: ModelFacts) -> str:
    """The options with which a model carries its state, other than its defaults, as on the command line."""
    options = (facts.stream_options or {}).items()
    return " ".join(f"--model.{name} {value}" for name, value in options if facts.options[name] != value)


def _score(score: dict[str, Any] | None) -> str:
    return f"{score['accuracy']:.1%} ({score['worst']:.0%})" if score else "-"


if __name__ == "__main__":
    run_command(main)
