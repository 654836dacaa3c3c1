"""python -m kerasr.models: the zoo as a table, from the registry's plain facts (no framework is loaded)."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasr.core.cli import parse, run_command
from kerasr.core.console import make_console
from kerasr.models.registry import (
    RECOGNISER,
    REFERENCE_OUTPUTS,
    REFERENCE_SHAPE,
    SPEAKER,
    VOCODER,
    ModelFacts,
    list_models,
)

# Scores on unseen speakers, by benchmarks/zoo.py, and on speakers of the training, by accuracy.py there; of transcripts
# the word errors on unseen speakers, by transcription.py.
SCORES = {name: Path(__file__).with_name(f"scores_{name}.json") for name in ("unseen", "seen", "wer")}

# Columns of a terminal that shows the papers, too.
WIDTH_WITH_SOURCES = 110


@dataclass(frozen=True)
class Options:
    """How to list."""

    json: bool = False
    """Print the facts as JSON."""


def main(argv: list[str]) -> None:
    """List the models."""
    options = parse(Options, argv, command="models", description="List the models that --model takes.")
    if options.json:
        scores = {column: found["models"] for column, found in _scores().items()}
        rows = [
            {**dataclasses.asdict(facts), **{column: by_name.get(facts.name) for column, by_name in scores.items()}}
            for facts in _all_models()
        ]
        print(json.dumps(rows, indent=2))
    else:
        _print_table(_scores())


def _scores() -> dict[str, dict[str, Any]]:
    """For each column that was measured `models` by name, and `what` was measured by which `command`."""
    return {column: json.loads(path.read_text(encoding="utf-8")) for column, path in SCORES.items() if path.exists()}


def _print_table(scores: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    frames, bands = REFERENCE_SHAPE
    starred = ", ".join(f"{facts.name} with {options}" for facts in list_models() if (options := _to_stream(facts)))
    captions = [
        f"A clip of {frames} frames x {bands} features, {REFERENCE_OUTPUTS} outputs, default options (--json lists "
        "them and the papers' addresses).",
        *(f"{_heading(column)}: {found['what']} ({found['command']})." for column, found in scores.items()),
        "Stream: the model can carry its state from chunk to chunk, or takes windows that move on by a hop. *: "
        f"{starred}.",
    ]
    table = Table(caption="\n".join(captions))
    table.add_column("model", no_wrap=True)
    for heading in ("parameters", "MACs"):
        table.add_column(heading, justify="right", no_wrap=True)
    columns = [column for column in scores if column != "wer"]
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("stream", no_wrap=True)
    console = make_console()
    has_room = console.width >= WIDTH_WITH_SOURCES
    if has_room:
        table.add_column("source", overflow="fold")
    for facts in _all_models():
        table.add_row(
            facts.name,
            "-" if facts.parameters is None else f"{facts.parameters:,}",
            "-" if facts.macs is None else f"{facts.macs / 1e6:,.1f} M",
            *(_score(scores, column, facts) for column in columns),
            _stream(facts),
            *([facts.source.split(", https")[0]] if has_room else []),
        )
    console.print(table)


def _all_models() -> tuple[ModelFacts, ...]:
    """Those that read recordings, and then those that speak."""
    return *list_models(), *list_models(kind=SPEAKER), *list_models(kind=VOCODER)


def _stream(facts: ModelFacts) -> str:
    """How it takes a stream; a star where an option has to be given for it."""
    if facts.kind != RECOGNISER:
        return f"({facts.kind})"
    return "window" if facts.stream_options is None else "state*" if _to_stream(facts) else "state"


def _to_stream(facts: ModelFacts) -> str:
    """The options with which a model carries its state, other than its defaults, as on the command line."""
    other = {name: on for name, on in (facts.stream_options or {}).items() if facts.options[name] != on}
    return " ".join(f"--model.{'' if on else 'no-'}{name}" for name, on in other.items())


def _heading(column: str) -> str:
    return column.upper() if column == "wer" else column.capitalize()


def _score(scores: dict[str, dict[str, Any]], column: str, facts: ModelFacts) -> str:
    """The accuracy; of transcripts of unseen speakers the word error rate."""
    if column == "unseen" and (errors := scores.get("wer", {}).get("models", {}).get(facts.name)):
        return f"WER {errors['wer']:.1%}"
    score = scores[column]["models"].get(facts.name)
    if score is None:
        return "-"
    return f"{score['accuracy']:.1%}" + (f" ({score['worst']:.0%})" if "worst" in score else "")


if __name__ == "__main__":
    run_command(main)
