"""The first screen of a long help: only the settings that a user changes before any other."""

import dataclasses
from functools import partial
from typing import Annotated, Any, get_args, get_type_hints

import tyro

# Stands in the annotation of a setting that the first help shows.
ESSENTIAL: Any = "essential"


def essential(config: Any) -> Any:
    """An instance of a subclass of the config's own class, whose help leaves out what is not marked `ESSENTIAL`."""
    kind, changed = type(config), {}
    annotations: dict[str, Any] = {}
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint, value = hints[field.name], getattr(config, field.name)
        extras = getattr(hint, "__metadata__", ())
        if dataclasses.is_dataclass(value):
            changed[field.name] = essential(value)
            # In one panel with the others.
            annotations[field.name] = Annotated[type(changed[field.name]), tyro.conf.arg(name="")]
        elif ESSENTIAL not in extras:
            annotations[field.name] = Annotated[(get_args(hint)[0] if extras else hint, tyro.conf.Suppress)]
    values = {field.name: changed.get(field.name, getattr(config, field.name)) for field in dataclasses.fields(kind)}
    defaults = {name: dataclasses.field(default_factory=partial(values.get, name)) for name in annotations}
    namespace = {"__annotations__": annotations, "__doc__": kind.__doc__, **defaults}
    return dataclasses.dataclass(frozen=True)(type(kind.__name__, (kind,), namespace))(**values)
