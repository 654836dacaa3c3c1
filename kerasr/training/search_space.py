"""The space of a search: settings and their values as `--space` writes them, and what they make of a recipe."""

import dataclasses
import math
import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from kerasr.config import TrainConfig, path_of
from kerasr.config.bounds import check_option
from kerasr.errors import UserError
from kerasr.models.registry import model_facts
from kerasr.recipes import get_recipe

# A range whose ends are further apart than this factor is searched by orders of magnitude.
LOG_RATIO = 10

# The places of the architecture and the seed, and what stands before an architecture's own options in theirs.
MODEL, SEED, OPTIONS = "model.name", "runtime.seed", "model.options."

# Settings that no search changes, and why.
UNSEARCHED = {
    "model.options": "name one of them, as model.width",
    "logging.out": "a search has a folder for each trial",
}

_RANGE = re.compile(r"(?P<low>[-+.\w]+?)\.\.(?P<high>[-+.\w]+)")


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`, both included; whole ones where both ends are, and the setting takes no others."""

    low: float
    high: float

    @property
    def log(self) -> bool:
        """Whether it is searched by orders of magnitude."""
        return self.low > 0 and self.high / self.low >= LOG_RATIO


Choices = dict[str, Span | tuple[Any, ...]]


def parse_space(text: str) -> Choices:
    """The fields to search and where: `optimizer.learning_rate=1e-4..1e-2,model.width=0.5|1|2`.

    Raises:
        UserError: a part is not like that.
    """
    space: Choices = {}
    for part in text.split(","):
        name, equals, values = (piece.strip() for piece in part.partition("="))
        if not (name and equals and values):
            raise UserError(
                "search-space-invalid",
                f"--space {part!r}: give name=low..high or name=one|another, with commas between them",
            )
        if name in space:
            raise UserError("search-space-invalid", f"--space: {name} stands there twice")
        if match := _RANGE.fullmatch(values):
            low, high = (_value(match[end]) for end in ("low", "high"))
            numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
            if not numbers or low >= high:
                raise UserError("search-space-invalid", f"--space {part!r}: a range goes from a number to a larger one")
            space[name] = Span(low, high)
        else:
            space[name] = tuple(_value(value.strip()) for value in values.split("|"))
    return space


def _value(text: str) -> Any:
    """A number, True, False or None where the text is one, else the text."""
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def with_values(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The config with fields named as on the command line, `optimizer.learning_rate` or `model.width`, changed.

    Another architecture, `model`, brings the recipe's settings for it; what was asked for stays.

    Raises:
        UserError: there is no such field, or it cannot have this value.
    """
    for name in sorted(values, key=lambda name: _path(name) != MODEL):
        config = _with_value(config, name, values[name])
    return config


def _with_value(config: TrainConfig, name: str, value: Any) -> TrainConfig:
    path = _path(name)
    if path == MODEL:
        return _with_model(config, value)
    if path.startswith(OPTIONS):
        option, options = path.removeprefix(OPTIONS), model_facts(config.model.name).options
        if option not in options:
            known = ", ".join(options) or "none"
            raise UserError(
                "search-space-invalid", f"--space {name}: {config.model.name} has no such option; it has {known}"
            )
        check_option(option, value, options[option])
    elif isinstance(config.value_of(path), tuple):
        raise UserError(
            "search-space-invalid", f"--space {name}: is a group of values, and one value is searched at a time"
        )
    return config.derive(**{path: value})


def _with_model(config: TrainConfig, model: str) -> TrainConfig:
    """The recipe for another architecture, with what was asked for as far as it has that."""
    if model == config.model.name:
        return config
    # What a file gives as `model.options` is for its own architecture.
    asked = [path for path in config.given if path not in (MODEL, "model.options") and _has(model, path)]
    return get_recipe(config.recipe, model).replace(**{path: config.value_of(path) for path in asked})


def _path(name: str) -> str:
    """The place of a setting that a search may change."""
    try:
        path = path_of(name)
    except UserError as error:
        raise UserError("search-space-invalid", f"--space {error}") from None
    if path in UNSEARCHED:
        raise UserError("search-space-invalid", f"--space {name}: {UNSEARCHED[path]}")
    return path


def _has(model: str, path: str) -> bool:
    """Whether an architecture has a setting; all have those that are no options."""
    return not path.startswith(OPTIONS) or path.removeprefix(OPTIONS) in model_facts(model).options


class SearchSpace:
    """What is searched, of one recipe.

    An option, as `model.width`, is searched of the architectures that have it.

    Args:
        config: the recipe with its changes.
        choices: settings by name, and their values.

    Attributes:
        models: the architectures; the config's own where none is searched.
        seeds: those that every trial trains with; None where the seed is not searched.
        choices: the rest; a range of a share or a rate is not of whole numbers, however it was written.

    Raises:
        UserError: there is no such setting, or it cannot have one of these values.
    """

    def __init__(self, config: TrainConfig, choices: Choices):
        self._asked = choices
        places = {_path(name): name for name in choices}
        self._model, seed = places.get(MODEL), places.get(SEED)
        self.models: tuple[str, ...] = self._listed(self._model) if self._model else (config.model.name,)
        self.seeds: tuple[int, ...] | None = self._listed(seed) if seed else None
        self._configs = {model: _with_model(config, model) for model in self.models}
        self.choices: Choices = {name: self._as_setting(name) for name in choices if name not in (self._model, seed)}
        for value in self.seeds or ():
            with_values(config, {str(seed): value})

    def suggest(self, trial: Any) -> dict[str, Any]:
        """The values of an `optuna.Trial`, the architecture's first and then those that it has."""
        model, values = self.models[0], {}
        if self._model:
            model = values[self._model] = trial.suggest_categorical(self._model, self.models)
        return values | {name: _suggest(trial, name, self.choices[name]) for name in self._names(model)}

    def combinations(self, most: int) -> list[dict[str, Any]] | None:
        """All values that there are together; None where they are more than `most`, or without end."""
        found: list[dict[str, Any]] = []
        for model in self.models:
            names = self._names(model)
            values = [_values(self.choices[name]) for name in names]
            finite = [each for each in values if each is not None]
            if len(finite) < len(values) or len(found) + math.prod(map(len, finite)) > most:
                return None
            own = {self._model: model} if self._model else {}
            found += [own | dict(zip(names, each, strict=True)) for each in product(*finite)]
        return found

    def to_json(self) -> dict[str, Any]:
        """What was asked for, in plain JSON types."""
        return {
            name: [*dataclasses.astuple(item)] if isinstance(item, Span) else [*item]
            for name, item in self._asked.items()
        }

    def _names(self, model: str) -> list[str]:
        """The settings that an architecture has."""
        return [name for name in self.choices if _has(model, _path(name))]

    def _listed(self, name: str) -> tuple[Any, ...]:
        """The values of a setting that has an end of them."""
        if (values := _values(self._asked[name])) is None:
            raise UserError(
                "search-space-invalid", f"--space {name}: give whole numbers, or values with | between them"
            )
        return tuple(values)

    def _as_setting(self, name: str) -> Span | tuple[Any, ...]:
        """The choices, of which each architecture that has the setting can have every one."""
        path, choices = _path(name), self._asked[name]
        # Where none has the option, each says so.
        configs = [config for model, config in self._configs.items() if _has(model, path)] or [*self._configs.values()]
        for config in configs:
            for value in (choices.low, choices.high) if isinstance(choices, Span) else choices:
                with_values(config, {name: value})
        if isinstance(choices, Span) and any(isinstance(_before(config, path), float) for config in configs):
            return Span(float(choices.low), float(choices.high))
        return choices


def _before(config: TrainConfig, path: str) -> Any:
    """What a setting is before it is searched."""
    options = model_facts(config.model.name).options
    return options[path.removeprefix(OPTIONS)] if path.startswith(OPTIONS) else config.value_of(path)


def _values(choices: Span | tuple[Any, ...]) -> Sequence[Any] | None:
    """All values; None where there is no end of them."""
    if not isinstance(choices, Span):
        return choices
    low, high = choices.low, choices.high
    return range(low, high + 1) if isinstance(low, int) and isinstance(high, int) else None


def _suggest(trial: Any, name: str, choices: Span | tuple[Any, ...]) -> Any:
    if not isinstance(choices, Span):
        return trial.suggest_categorical(name, choices)
    if isinstance(choices.low, int) and isinstance(choices.high, int):
        return trial.suggest_int(name, choices.low, choices.high, log=choices.log)
    return trial.suggest_float(name, choices.low, choices.high, log=choices.log)
