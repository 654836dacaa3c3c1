"""Signatures as `help` and the reference show them: types and defaults, and nothing of how they are checked."""

import dataclasses
import inspect
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T", bound=type[Any])


class _Call:
    """A default that is made anew for each instance, as it stands in a call."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self) -> str:
        return self._text


def plain_signature(kind: T) -> T:
    """Decorator of a dataclass: its signature without what stands beside the types, and with what factories make.

    `sample_rate: Annotated[int, Bounds(...)] = 16000` reads `sample_rate: int = 16000`, and a default `<factory>` reads
    `FeatureSpec()` or `{}`.
    """
    hints = get_type_hints(kind)
    parameters = []
    for each in inspect.signature(kind).parameters.values():
        factory = kind.__dataclass_fields__[each.name].default_factory
        if factory is not dataclasses.MISSING:
            empty = factory in (dict, list, tuple, set)
            each = each.replace(default=_Call(repr(factory()) if empty else f"{factory.__name__}()"))
        parameters.append(each.replace(annotation=hints[each.name]))
    kind.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    return kind
