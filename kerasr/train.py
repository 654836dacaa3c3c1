"""Train a recogniser: `python -m kerasr.train`."""

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.text import Text

from kerasr.config import TrainConfig, write_settings
from kerasr.config.transfer import is_hub
from kerasr.core.cli import command_line, import_quietly, parse, read_flags, run_command
from kerasr.core.console import make_console
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.interruption import Stopped
from kerasr.data.corpora.load import check_corpus_name
from kerasr.models.hub import check_hub
from kerasr.recipes import list_recipes, recipe_notes
from kerasr.recipes.arguments import parse_training
from kerasr.recipes.voices import expect_of_people
from kerasr.runs.find import find_run

if TYPE_CHECKING:
    from kerasr.runs.run import Run

DESCRIPTION = """
Train a recogniser, or a voice: recordings in, a folder with weights and a report out.
  python -m kerasr.train                                  spoken digits, in a few minutes
  python -m kerasr.train --data my_words/                 your own words, a sub-folder each
  python -m kerasr.train digits --model CRNN --seed 1     a recipe, with changes
  python -m kerasr.train wakeword --data my_words/ --wanted hello    a detector of one word
  python -m kerasr.train --resume runs/2026-11-21-digits-1    go on after a kill
"""

MORE = """
  python -m kerasr.train --words "lights on,stop" --flite-clips 300    words that nobody has recorded
  python -m kerasr.train wakeword --data my_words/ --wanted hello --negatives talk/ --hard-negatives runs/RUN
  python -m kerasr.train --data my_words/ --init-from commands   few recordings: begin with what a preset or run knows
  python -m kerasr.train --data an4 --task transcribe --model hub:moonshine_tiny_en
                                                          a pretrained encoder of keras-hub goes on learning
  python -m kerasr.train --teacher runs/2026-11-21-digits-1 --model Conv1DLSTM
                                                          a small network learns from a larger one's run
  python -m kerasr.train --print-config > mine.yaml       all settings, to change and to give to --config
  python -m kerasr.train --config mine.yaml               settings from a file, or from a run's config.json
"""


@dataclass(frozen=True)
class Resume:
    """What can be said of a run that goes on: all its settings stand in its folder."""

    resume: str
    """The run's folder."""
    json: bool = False
    """Print the result as JSON."""


@dataclass(frozen=True)
class TrainArguments:
    """A training's settings, and where they come from."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """The settings."""
    config: Annotated[str | None, ESSENTIAL] = None
    """Settings from this file, YAML or a run's config.json; flags go before it."""
    print_config: Annotated[bool, ESSENTIAL, tyro.conf.FlagCreatePairsOff] = False
    """Only print all settings as YAML."""
    json: Annotated[bool, ESSENTIAL, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as JSON."""


def main(argv: list[str]) -> None:
    """Parse the arguments, train, and say what came out."""
    if "resume" in read_flags(argv):
        resume = parse(Resume, argv, command="train", description="Go on with a run where its checkpoint stands.")
        path, config, as_json = resume.resume, None, resume.json
        find_run(path)
    else:
        arguments = parse_arguments(argv)
        path, config, as_json = "", arguments.train, arguments.json
        if arguments.print_config:
            print(write_settings(config), end="")
            return
        check_names(config)
    import_quietly()
    from kerasr.evaluation.evaluator import evaluate_run
    from kerasr.training.trainer import resume_run, train_recipe

    console = make_console(stderr=as_json)
    run = train_recipe(config, console=console) if config else resume_run(path, console=console)
    try:
        evaluate_run(run)
    except KeyboardInterrupt:
        raise Stopped("the run is trained, and not yet measured", command_line("evaluate", run.path)) from None
    if as_json:
        print(json.dumps(result_of(run), ensure_ascii=False))
    else:
        print_result(console, run)


def check_names(config: TrainConfig) -> None:
    """Look for the recordings and the runs that are named, before a framework is waited for."""
    check_corpus_name(config.data.path)
    for name in (config.model.name, config.transfer.init_from):
        if name and is_hub(name):
            check_hub(name)
    for name in (*config.transfer.runs, config.task.hard_negatives):
        if name:
            find_run(name)


def result_of(run: "Run") -> dict[str, Any]:
    """What came out of the training, as plain JSON types; `metrics` is what `kerasr.evaluate --json` prints."""
    facts = {name: run.facts[name] for name in ("best_epoch", "epochs_run", "train_seconds")}
    return {"run": str(run.path), "report": str(run.path / "report.html"), **facts, "metrics": run.metrics}


def parse_arguments(argv: list[str]) -> TrainArguments:
    """The settings: a recipe's, with what a file and the command line say instead."""
    return parse_training(TrainArguments, argv, command="train", describe=partial(describe, more="--help-all" in argv))


def describe(recipe: str, *, more: bool) -> str:
    """What stands above the help: examples, the recipes, and what the one that is chosen says of itself."""
    lines = list_recipes()
    width = max(map(len, lines))
    recipes = "\n".join(f"  {name:{width}} {line}" for name, line in lines.items())
    text = f"{DESCRIPTION.lstrip()}{MORE if more else ''}\nRecipes:\n{recipes}\n\n"
    if not more:
        return f"{text}The defaults below are those of {recipe}. The other settings: --help-all"
    return f"{text}The defaults below are those of the recipe {recipe}: {recipe_notes(recipe)}"


def print_result(console: Console, run: "Run") -> None:
    """The score, where the run is, and what to type next."""
    from kerasr.data.corpora.synthetic import NAME

    metrics = run.metrics or {}
    first, *others = run.task.summary(metrics)
    first += (
        f"; {run.config.fit.keep} epoch {run.facts['best_epoch']} of {run.facts['epochs_run']}, "
        f"{run.facts['train_seconds']:.0f} s of training"
    )
    console.print()
    console.print(Text.assemble((metrics["headline"], "bold"), first.removeprefix(metrics["headline"])))
    for line in others:
        console.print(Text(line))
    for judgement in metrics["judgements"]:
        console.print(Text(f"note    {judgement['text']}", "yellow"), soft_wrap=True)
    if run.facts["corpus"]["name"] == NAME:
        console.print(expect_of_people(run.config), style="yellow")
    for line in (f"run     {run.path}", f"report  {run.path / 'report.html'}", f"next    {next_command(run)}"):
        console.print(Text(line), soft_wrap=True)


def next_command(run: "Run") -> str:
    """What to type next: the run at work on something of its test."""
    from kerasr.data.spoken_text import said_in
    from kerasr.models.registry import RECOGNISER, SPEAKER

    first = run.utterances("test")[0]
    if run.task.kind == SPEAKER:
        return command_line("synthesize", run.path, said_in(first), "--to", "out.wav")
    if run.task.kind != RECOGNISER:
        return command_line("synthesize", "A_VOICE", "A TEXT", "--vocoder", run.path, "--to", "out.wav")
    if run.config.features.is_given:
        return command_line("evaluate", run.path, "--data", "KALDI_DIRECTORY")
    return command_line("predict", run.path, first.path)


if __name__ == "__main__":
    run_command(main)
