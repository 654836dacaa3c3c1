"""Search a recipe's settings: `python -m kerasr.search`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.text import Text

from kerasr.config import TrainConfig, path_of
from kerasr.config.bounds import Count, check_bounds
from kerasr.core.cli import command_line, import_quietly, run_command
from kerasr.core.console import make_console
from kerasr.core.first_help import ESSENTIAL
from kerasr.data.corpora.load import check_corpus_name
from kerasr.recipes.arguments import flags_of, parse_training

if TYPE_CHECKING:
    from kerasr.training.search import Search

DESCRIPTION = """
Search a recipe's settings: train many times, and keep the values that do best on the validation split.

  python -m kerasr.search digits --trials 20 --space "optimizer.learning_rate=1e-4..1e-2,model.width=0.5|1|2"
  python -m kerasr.search words --data my_words/ --space "model=ResNet8|TCResNet8|CRNN,seed=0..2"

The second trains three architectures with three seeds each, and ends with a table of the architectures, the one of the
highest mean over its seeds first, and the command that trains it.

A range low..high is of whole numbers where both ends and the setting are, and searched by orders of magnitude where the
ends are far apart; choices stand between |. Seeds are not chosen: a trial trains with each, and its score is the mean.
An option, as model.width, is searched of the architectures that have it. What has no more combinations than --trials
is gone through, each once. The same command goes on after a kill, and with more --trials searches further. The test
split is not used: train the best, as the last line says, and its report is as honest as any other. Where one machine
is not enough, kerasr.training.search says how Ray Tune takes over.
"""

# Trials in the table at the end.
MAX_ROWS = 20


@dataclass(frozen=True)
class SearchConfig:
    """What to search, and from where."""

    space: Annotated[str, ESSENTIAL]
    """Settings and their values: name=low..high or name=one|another, with commas between them."""
    train: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """Everything that is not searched, as for `kerasr train`."""
    trials: Annotated[Count, ESSENTIAL] = 20
    """Trials in all, those of an earlier call with the same --out included; each is one training, or one a seed."""
    config: Annotated[str | None, ESSENTIAL] = None
    """Settings from this file, as for `kerasr train`."""
    json: Annotated[bool, ESSENTIAL, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as JSON."""


def main(argv: list[str]) -> None:
    """Parse the arguments, search, and say what was found."""
    config = parse_training(partial(SearchConfig, tyro.MISSING), argv, command="search", describe=lambda _: DESCRIPTION)
    check_bounds(config)
    check_corpus_name(config.train.data.path)
    import_quietly()
    from kerasr.training.search import Search
    from kerasr.training.search_space import parse_space

    space = parse_space(config.space)
    given = config.train.is_given("logging.out")
    out = config.train.logging.out if given else f"runs/searches/{config.train.recipe}"
    search = Search(config.train, space, Path(out), config.trials)
    console = make_console(stderr=config.json, soft_wrap=True)
    run_trials(search, console)
    print_best(search, console)
    if config.json:
        print(json.dumps(result_of(search), ensure_ascii=False))


def result_of(search: "Search") -> dict[str, Any]:
    """What was found, as plain JSON types: `search.json`, the folder, and the command that trains the best."""
    result = json.loads((search.folder / "search.json").read_text("utf-8"))
    command = _command(search.config, search.best.params) if search.best else None
    return {"search": str(search.folder), "next": command, **result}


def run_trials(search: "Search", console: Console) -> None:
    """Search until nothing is left, with a line for each trial."""
    from kerasr.core.progress import ProgressBar, print_progress

    number = len(search.trials) + search.num_left
    with ProgressBar("Searching", number) as progress:
        progress.advance(len(search.trials))
        while search.num_left > 0:
            trial = search.run_next()
            progress.advance(1)
            score = {"COMPLETE": f"{trial.value or 0:.1%}", "PRUNED": "pruned"}.get(trial.state.name, "went wrong")
            best = f"best {search.best.value:.1%}" if search.best else "none yet"
            print_progress(
                console, f"trial {len(search.trials)}/{number}  {score:>10}  ({best})  {_values(trial.params)}"
            )


def print_best(search: "Search", console: Console) -> None:
    """The table of trials, where all is, and the command that trains with the best values."""
    from kerasr.core import atomic
    from kerasr.report import draw_search

    if search.best is None:
        console.print("no trial has come to a score: try other values in --space", style="yellow")
        return
    result = json.loads((search.folder / "search.json").read_text("utf-8"))
    atomic.write_bytes(search.folder / "search.png", draw_search(result["trials"], result["best"]).png())
    _print_table([row for row in result["trials"] if row["score"] is not None], console)
    console.print(f"search  {search.folder / 'search.json'}, search.png")
    console.print(f"next    {_command(search.config, search.best.params)}")


def _print_table(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """The trials with a score, the best first."""
    from rich.table import Table

    seeds = any(len(row["scores"]) > 1 for row in rows)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("validation", *(("lowest, highest", "trainings") if seeds else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("values", overflow="fold")
    ranked = sorted(rows, key=lambda row: -row["score"])
    for number, row in enumerate(ranked[:MAX_ROWS]):
        scores = row["scores"] or [row["score"]]
        spread = [f"{min(scores):.1%}, {max(scores):.1%}", f"{len(scores)}"] if seeds else []
        score = Text(f"{row['score']:.1%}", "" if number else "bold")
        table.add_row(score, *spread, _values(row["values"]))
    console.print()
    console.print(table)
    if len(ranked) > MAX_ROWS:
        console.print(f"and {len(ranked) - MAX_ROWS} more in search.json")


def _command(config: TrainConfig, best: Mapping[str, Any]) -> str:
    """`kerasr train` with what was asked for, less the search's own folder, and the best values."""
    from kerasr.training.search_space import with_values

    model = {name: value for name, value in best.items() if path_of(name) == "model.name"}
    recipe, found = with_values(config, model), with_values(config, best)
    changed = [path for path in map(path_of, best) if found.value_of(path) != recipe.value_of(path)]
    paths = dict.fromkeys([*map(path_of, model), *found.given, *changed])
    return command_line("train", config.recipe, *flags_of(found, [path for path in paths if path != "logging.out"]))


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run_command(main)
