"""Settings of a training, in groups, and their names on a command line."""

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Annotated, Any, get_type_hints

import tyro

from kerasr.config.augmentation import Augmentation
from kerasr.config.bounds import check_bounds
from kerasr.config.data import DataConfig
from kerasr.config.features import FeatureSpec
from kerasr.config.fit import FitConfig
from kerasr.config.logging import LoggingConfig
from kerasr.config.model import ModelConfig
from kerasr.config.optimizer import OptimizerConfig
from kerasr.config.runtime import RuntimeConfig
from kerasr.config.task import TaskConfig
from kerasr.config.transfer import TransferConfig
from kerasr.core.cli import command_line
from kerasr.core.signatures import plain_signature
from kerasr.errors import UserError

# A group whose settings have its name on a command line, `--augment.noise`; those of the others have none.
PREFIXED = ("features", "augment", "optimizer")

# Settings with another name than their field's.
_NAMES = {
    "data.path": "data",
    "task.name": "task",
    "model.name": "model",
    "model.options": "model_options",
    "runtime.imports": "import",
}


@plain_signature
@dataclass(frozen=True)
class TrainConfig:
    """One training, in full: with the recordings, enough to repeat the run.

    `config.replace(epochs=3, leave_out="anna")` changes settings by their names on the command line, in whatever group
    they stand, and notes in `given` that they were asked for.
    """

    recipe: Annotated[str, tyro.conf.Suppress] = "words"
    """The recipe these settings started from."""
    data: Annotated[DataConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=DataConfig)
    """Which recordings, and how they are divided."""
    task: Annotated[TaskConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=TaskConfig)
    """What the network is trained for."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The architecture."""
    features: FeatureSpec = field(default_factory=FeatureSpec)
    """The front-end."""
    augment: Augmentation = field(default_factory=Augmentation)
    """Changes made to training clips."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """How weights move."""
    fit: Annotated[FitConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=FitConfig)
    """How long, and what is minimised."""
    transfer: Annotated[TransferConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=TransferConfig)
    """What is taken from earlier runs."""
    runtime: Annotated[RuntimeConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=RuntimeConfig)
    """How it is computed."""
    logging: Annotated[LoggingConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=LoggingConfig)
    """Where the run goes."""
    given: Annotated[tuple[str, ...], tyro.conf.Suppress] = field(default=(), compare=False)
    """The settings that were asked for, and did not come with the recipe: `data.leave_out`."""

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def most_joined(self) -> int:
        """Most recordings that a clip to train on is made of, drawn anew in each pass; 0 where none are joined."""
        return self.data.connected or self.augment.concatenate

    def replace(self, **values: Any) -> "TrainConfig":
        """The config with settings changed, as a user asks for it: they are noted as given.

        Args:
            **values: settings by their names on the command line (`leave_out`, `epochs`, `data`, `model`; in a mapping
                also `optimizer.ema` and the architecture's own, `model.width`), by their place (`data.leave_out`), or
                whole groups (`features=FeatureSpec(...)`).

        Raises:
            UserError: there is no such setting, or it cannot have this value.
        """
        given = {*self.given}
        for name, value in values.items():
            whole = _is_group(name, value)
            given |= {path for path in _paths() if path.startswith(f"{name}.")} if whole else {path_of(name)}
        return dataclasses.replace(self.derive(**values), given=tuple(sorted(given)))

    def derive(self, **values: Any) -> "TrainConfig":
        """The config with settings changed that follow from others, or that a recipe has: not noted as given.

        Args:
            **values: as `replace` takes them.

        Raises:
            UserError: there is no such setting, or it cannot have this value.
        """
        groups = {name: value for name, value in values.items() if _is_group(name, value)}
        changed: dict[str, dict[str, Any]] = {}
        for name in values.keys() - groups.keys():
            group, setting = path_of(name).split(".", 1)
            changed.setdefault(group, {})[setting] = values[name]
        for group, settings in changed.items():
            groups[group] = _replace_in(groups.get(group, getattr(self, group)), settings)
        return dataclasses.replace(self, **groups)

    def value_of(self, name: str) -> Any:
        """A setting's value, by its name on the command line or its place.

        Args:
            name: `leave_out`, `data.leave_out`, `model.width`.

        Raises:
            UserError: there is no such setting.
        """
        group, setting = path_of(name).split(".", 1)
        if setting.startswith("options."):
            return self.model.options.get(setting.partition(".")[2])
        return getattr(getattr(self, group), setting)

    def is_given(self, *names: str) -> bool:
        """Whether any of these settings or groups was asked for, and did not come with the recipe.

        Args:
            *names: places: `data.leave_out`, or of a group, `data`.
        """
        return any(path == name or path.startswith(f"{name}.") for path in self.given for name in names)


def path_of(name: str) -> str:
    """Where a setting stands: `data.leave_out` of `leave_out`, `model.options.width` of `model.width`.

    Raises:
        UserError: there is no such setting.
    """
    name = name.replace("-", "_")
    path = _by_name().get(name, name)
    if path in _paths() or path.startswith("model.options."):
        return path
    if path.startswith("model."):
        return f"model.options.{path.partition('.')[2]}"
    raise UserError(
        "setting-not-found", f"{name}: there is no such setting; {command_line('train', '--help-all')} lists them"
    )


def name_of(path: str) -> str:
    """The name of a setting on the command line, and in `replace`: `leave_out` of `data.leave_out`."""
    if path.startswith("model.options."):
        return path.replace("options.", "")
    group, _, setting = path.partition(".")
    return _NAMES.get(path, path if group in PREFIXED else setting)


def _is_group(name: str, value: Any) -> bool:
    return name == "recipe" or dataclasses.is_dataclass(value)


@functools.cache
def _paths() -> tuple[str, ...]:
    """The places of all settings."""
    groups = {name: kind for name, kind in get_type_hints(TrainConfig).items() if dataclasses.is_dataclass(kind)}
    return tuple(f"{name}.{setting.name}" for name, kind in groups.items() for setting in dataclasses.fields(kind))


@functools.cache
def _by_name() -> dict[str, str]:
    return {name_of(path): path for path in _paths()}


def _replace_in(group: Any, settings: dict[str, Any]) -> Any:
    """A group with settings changed, the architecture's own options one by one."""
    prefix = "options."
    options = {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}
    settings = {name: value for name, value in settings.items() if not name.startswith(prefix)}
    if options:
        settings["options"] = {**settings.get("options", group.options), **options}
    return dataclasses.replace(group, **settings)
