"""A training's settings from a command line: a recipe, a file of settings, flags, each over the one before."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from kerasr.config import TrainConfig, name_of, path_of, read_settings
from kerasr.core.cli import parse, read_flags
from kerasr.core.first_help import essential
from kerasr.core.imports import check_imported, import_asked
from kerasr.errors import UserError
from kerasr.recipes import get_recipe


class Arguments(Protocol):
    """A command's dataclass with a training's settings among its own."""

    @property
    def train(self) -> TrainConfig:
        """The training."""
        ...


T = TypeVar("T", bound=Arguments)


def parse_training(
    make: Callable[[TrainConfig], T], argv: Sequence[str], *, command: str, describe: Callable[[str], str]
) -> T:
    """The arguments of a command that trains; `--help`, `--help-all` and mistakes end the process.

    Args:
        make: the command's dataclass, from the settings that hold where no flag says otherwise.
        argv: the arguments; a recipe may stand first.
        command: its name.
        describe: from the recipe's name, what stands above the help.

    Raises:
        UserError: there is no such recipe or architecture, what `--import` names cannot be imported or the file
            of settings is damaged or needs another import.
    """
    argv, imports = import_asked(argv)
    flags = read_flags(argv)
    values = read_settings(flags["config"]) if flags.get("config") else {}
    _check_imports(values, flags.get("config", ""))
    recipe = argv.pop(0) if argv and not argv[0].startswith("-") else _usual_recipe(flags, values)
    arguments = make(_defaults(recipe, flags.get("model"), values))
    if "help_all" in flags:
        argv = ["--help"]
    elif "help" in flags or "-h" in argv:
        arguments = essential(arguments)
    parsed = parse(type(arguments), argv, command=command, description=describe(recipe), default=arguments)
    given = sorted({*parsed.train.given, *_given(flags)})
    training = dataclasses.replace(parsed.train, given=tuple(given))
    if imports:
        training = training.replace(**{"import": tuple(dict.fromkeys([*training.runtime.imports, *imports]))})
    return dataclasses.replace(parsed, train=training)  # type: ignore[type-var]


def flags_of(config: TrainConfig, paths: Sequence[str]) -> list[str]:
    """The words of a command line that give these settings, by their place, the values that they have.

    `command_line` repeats what was imported.
    """
    words = []
    for path in paths:
        group, dot, setting = name_of(path).replace("_", "-").rpartition(".")
        value = config.value_of(path)
        if isinstance(value, bool):
            words.append(f"--{group}{dot}{'' if value else 'no-'}{setting}")
        elif path not in ("model.options", "runtime.imports"):
            words += [f"--{group}{dot}{setting}", *map(str, value if isinstance(value, tuple) else (value,))]
    return words


def _check_imports(values: dict[str, Any], file: str) -> None:
    """Raise where a file of settings needs what nobody has imported; what is no list of names is told later."""
    names = values.get("runtime.imports")
    if isinstance(names, tuple):
        check_imported(filter(lambda name: isinstance(name, str), names), file)


def _usual_recipe(flags: dict[str, str], values: dict[str, Any]) -> str:
    """The file's recipe, or else that for sentences, speech, recordings, words nobody has recorded, or digits."""
    if "recipe" in values:
        return values["recipe"]
    by_task = {"transcribe": "sentences", "synthesize": "speech"}
    if (task := flags.get("task", values.get("task.name"))) in by_task:
        return by_task[task]
    given = {*map(name_of, values), *flags}
    return "words" if "data" in given else "voices" if "words" in given else "digits"


def _defaults(recipe: str, model: str | None, values: dict[str, Any]) -> TrainConfig:
    """The recipe's settings for an architecture, with those of a file."""
    values = {path: value for path, value in values.items() if path != "recipe"}
    if model is not None and model != values.get("model.name"):
        # The file's options are another architecture's.
        values.pop("model.options", None)
    return get_recipe(recipe, model or values.get("model.name")).replace(**values)


def _given(flags: dict[str, str]) -> set[str]:
    """The places of the settings among the flags."""
    found = set()
    for name in flags:
        for spelling in (name, name.removeprefix("no_"), name.replace(".no_", ".")):
            try:
                found.add(path_of(spelling))
                break
            except UserError:
                continue
    return found
