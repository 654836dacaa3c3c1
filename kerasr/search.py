"""Search a recipe's settings: `python -m kerasr.search`."""

import json
from collections.abc import Mapping
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
from kerasr.recipes.arguments import flags_of, parse_training

if TYPE_CHECKING:
    from kerasr.training.search import Search

DESCRIPTION = """
Search a recipe's settings: train many times, and keep the values that do best on the validation split.

  python -m kerasr.search digits --trials 20 --space "optimizer.learning_rate=1e-4..1e-2,model.width=0.5|1|2"
  python -m kerasr.search words --data my_words/ --epochs 20 --space "augment.noise=0..1,batch_size=16|32|64"

A range low..high is of whole numbers where both ends and the setting are, and searched by orders of magnitude where the
ends are far apart; choices stand between |. The same command goes on after a kill, and with more --trials searches
further. The test split is not used: train the best, as the last line says, and its report is as honest as any other.
Where one machine is not enough, kerasr.training.search says how Ray Tune takes over.
"""


@dataclass(frozen=True)
class SearchConfig:
    """What to search, and from where."""

    space: Annotated[str, ESSENTIAL]
    """Settings and their values: name=low..high or name=one|another, with commas between them."""
    train: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """Everything that is not searched, as for `python -m kerasr.train`."""
    trials: Annotated[Count, ESSENTIAL] = 20
    """Trainings in all, those of an earlier call with the same --out included."""
    config: Annotated[str | None, ESSENTIAL] = None
    """Settings from this file, as for `python -m kerasr.train`."""
    json: Annotated[bool, ESSENTIAL, tyro.conf.FlagCreatePairsOff] = False
    """Print the result as JSON."""


def main(argv: list[str]) -> None:
    """Parse the arguments, search, and say what was found."""
    config = parse_training(partial(SearchConfig, tyro.MISSING), argv, command="search", describe=lambda _: DESCRIPTION)
    check_bounds(config)
    import_quietly()
    from kerasr.training.search import Search, parse_space

    space = parse_space(config.space)
    given = config.train.is_given("logging.out")
    out = config.train.logging.out if given else f"runs/searches/{config.train.recipe}"
    search = Search(config.train, space, Path(out))
    console = make_console(stderr=config.json, soft_wrap=True)
    run_trials(search, config.trials, console)
    print_best(search, console)
    if config.json:
        print(json.dumps(result_of(search), ensure_ascii=False))


def result_of(search: "Search") -> dict[str, Any]:
    """What was found, as plain JSON types: `search.json`, the folder, and the command that trains the best."""
    result = json.loads((search.folder / "search.json").read_text("utf-8"))
    command = _command(search.config, search.best.params) if search.best else None
    return {"search": str(search.folder), "next": command, **result}


def run_trials(search: "Search", number: int, console: Console) -> None:
    """Search until there are so many trials, with a line for each and a picture of all."""
    from kerasr.core.progress import ProgressBar, print_progress

    with ProgressBar("Searching", number) as progress:
        progress.advance(len(search.trials))
        while len(search.trials) < number:
            trial = search.run_next()
            progress.advance(1)
            values = ", ".join(f"{name} {_shown(value)}" for name, value in trial.params.items())
            score = {"COMPLETE": f"{trial.value or 0:.1%}", "PRUNED": "pruned"}.get(trial.state.name, "went wrong")
            best = f"best {search.best.value:.1%}" if search.best else "none yet"
            print_progress(console, f"trial {len(search.trials)}/{number}  {score:>10}  ({best})  {values}")


def print_best(search: "Search", console: Console) -> None:
    """The best values, where all is, and the command that trains with them."""
    from kerasr.core import atomic
    from kerasr.report import draw_search

    if search.best is None:
        console.print("no trial has come to a score: try other values in --space", style="yellow")
        return
    result = json.loads((search.folder / "search.json").read_text("utf-8"))
    atomic.write_bytes(search.folder / "search.png", draw_search(result["trials"], result["best"]).png())
    console.print()
    console.print(Text.assemble((f"{search.best.value:.1%}", "bold"), " of the validation clips right"))
    for name, value in search.best.params.items():
        console.print(f"  {name} {_shown(value)}")
    console.print(f"search  {search.folder / 'search.json'}, search.png")
    console.print(f"next    {_command(search.config, search.best.params)}")


def _command(config: TrainConfig, best: Mapping[str, Any]) -> str:
    """`python -m kerasr.train` with what was asked for, less the search's own folder, and the best values."""
    from kerasr.training.search import with_values

    changed = {path_of(name): name for name in best}
    same = {path for path, name in changed.items() if with_values(config, {name: best[name]}) == config}
    paths = [path for path in config.given if path not in changed and path != "logging.out"]
    flags = flags_of(with_values(config, best), [*paths, *(path for path in changed if path not in same)])
    return command_line("train", config.recipe, *flags)


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run_command(main)
