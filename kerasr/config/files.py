"""Settings in a file of their own: YAML, or the `config.json` of a run."""

import os
from typing import Any, get_type_hints

from kerasr.config.serialization import restore, shorten, to_json
from kerasr.config.train import TrainConfig, path_of
from kerasr.errors import UserError


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The settings that a file gives, by their place: `data.leave_out`; the recipe as `recipe`.

    Args:
        path: of a YAML or JSON file, whose settings stand in groups (as `train --print-config` writes them), or by
            their names on the command line: `leave_out: anna`, `optimizer.ema: 0.99`.

    Raises:
        UserError: it is damaged, or has a setting that there is not, or a name that is none.
        OSError: it cannot be read.
    """
    import yaml

    with open(path, encoding="utf-8") as file:
        try:
            values = yaml.safe_load(file)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UserError("file-damaged", f"{os.fspath(path)}: is no YAML ({shorten(error)})") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError("file-damaged", f"{os.fspath(path)}: holds no settings by name, as `epochs: 20`")
    groups, settings = get_type_hints(TrainConfig), {}
    for name, value in values.items():
        if name in groups and isinstance(value, dict):
            settings |= {path_of(f"{name}.{setting}"): inner for setting, inner in value.items()}
        elif name == "recipe":
            settings[name] = value
        elif name != "given":
            settings[path_of(name)] = value
    for name in ("recipe", "model.name"):
        if not isinstance(settings.get(name, ""), str):
            raise UserError("setting-out-of-range", f"{os.fspath(path)}: {name} {shorten(settings[name])}: give a name")
    return {name: _restore(name, value) for name, value in settings.items()}


def write_settings(config: TrainConfig) -> str:
    """All settings as YAML, in their groups; `read_settings` reads them."""
    import yaml

    values = to_json(config)
    del values["given"]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _restore(path: str, value: Any) -> Any:
    """A value as its setting's type: YAML has no tuples, and takes 1e-3 for a text."""
    group, _, setting = path.partition(".")
    kind = get_type_hints(get_type_hints(TrainConfig)[group]).get(setting) if setting else None
    if kind is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return restore(kind, value)
