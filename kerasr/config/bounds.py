"""What a setting may be, written as its type: `Literal`, `Share`, `Count`; `check_bounds` holds a config to it."""

import dataclasses
import functools
import numbers
import re
import reprlib
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from kerasr.errors import UserError


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Which values of its type a setting takes.

    Attributes:
        words: what to give, for the message to someone who gave another.
        allows: whether a value may be.
    """

    words: str
    allows: Callable[[Any], bool]


# Larger counts are typing errors, or files that want to do harm: no one has memory or time for them.
_MOST, _MOST_SAMPLES, _MOST_BANDS, _MOST_HZ, _MOST_SECONDS = 2**31 - 1, 65_536, 1_024, 1_000_000, 3_600
_MOST_TOKENS = 65_536


def _whole(least: int, most: int) -> Bounds:
    return Bounds(f"a whole number of at least {least} and at most {most:,}", lambda value: least <= value <= most)


NotNegative = Annotated[float, Bounds("a number of at least 0", lambda value: value >= 0)]
Positive = Annotated[float, Bounds("a number above 0", lambda value: value > 0)]
Share = Annotated[float, Bounds("a share from 0 to 1", lambda value: 0 <= value <= 1)]
ShareAboveZero = Annotated[float, Bounds("a number above 0 and of at most 1", lambda value: 0 < value <= 1)]
ShareBelowOne = Annotated[float, Bounds("a number from 0 to below 1", lambda value: 0 <= value < 1)]
ClipSeconds = Annotated[
    float, Bounds(f"a number above 0 and of at most {_MOST_SECONDS:,}", lambda value: 0 < value <= _MOST_SECONDS)
]
Number = Annotated[int, _whole(0, _MOST)]
NumberOrRun = Annotated[
    int | str,
    Bounds(
        f"a whole number of at least 0 and at most {_MOST:,}, or the folder of a run",
        lambda value: bool(value) if isinstance(value, str) else _fault(Number, value) is None,
    ),
]
Seed = Annotated[int, Bounds("a whole number from 0 to 4,294,967,295", lambda value: 0 <= value < 2**32)]
Count = Annotated[int, _whole(1, _MOST)]
VocabularySize = Annotated[int, _whole(1, _MOST_TOKENS)]
Samples = Annotated[int, _whole(1, _MOST_SAMPLES)]
Bands = Annotated[int, _whole(1, _MOST_BANDS)]
SampleRate = Annotated[int, _whole(1, _MOST_HZ)]
Range = Annotated[tuple[float, float], Bounds("two numbers, the lower one first", lambda ends: ends[0] <= ends[1])]
Factors = Annotated[
    tuple[float, float], Bounds("two numbers above 0, the lower one first", lambda ends: 0 < ends[0] <= ends[1])
]
Speeds = Annotated[
    tuple[float, ...],
    Bounds(
        "one or more speeds from 0.5 to 2, each once",
        lambda speeds: 0 < len(speeds) == len({*speeds}) and all(0.5 <= speed <= 2 for speed in speeds),
    ),
]

# Modules, as Python imports them.
Modules = Annotated[
    tuple[str, ...],
    Bounds(
        "names of modules, as my_package.models",
        lambda names: all(part.isidentifier() for name in names for part in name.split(".")),
    ),
]
_CHANGE = re.compile(r"[^\W\d]\w*(=[-+.\w]+)?")
Changes = Annotated[
    tuple[str, ...],
    Bounds(
        "names of augmentations, each once, some with an amount: my_change=0.5",
        lambda names: (
            all(_CHANGE.fullmatch(name) for name in names) and len({name.split("=")[0] for name in names}) == len(names)
        ),
    ),
]


def _fits(value: numbers.Real) -> bool:
    """Whether a number is finite, and no whole number beyond what floats reach."""
    return -sys.float_info.max <= value <= sys.float_info.max  # type: ignore[operator]


_KINDS = {
    bool: ("True or False", lambda value: isinstance(value, bool)),
    int: ("a whole number", lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool)),
    float: ("a number", lambda value: isinstance(value, numbers.Real) and not isinstance(value, bool) and _fits(value)),
    str: ("a text", lambda value: isinstance(value, str)),
}


def check_bounds(config: Any, group: str = "", names: Mapping[str, str] | None = None) -> None:
    """Refuse what a dataclass's types do not allow.

    Args:
        config: the dataclass.
        group: what stands before its fields' names on a command line, as `augment.`.
        names: of fields with another name there.

    Raises:
        UserError: a value is of another kind, or beyond its bounds.
    """
    for name, annotation in _types(type(config)).items():
        value = getattr(config, name)
        if (words := _fault(annotation, value)) is not None:
            flag = (names or {}).get(name, name)
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
            if not isinstance(shown, str | float | None):
                shown = reprlib.repr(shown)  # An object that belongs elsewhere may be of any length.
            raise UserError("setting-out-of-range", f"--{group}{flag.replace('_', '-')} {shown}: give {words}")


def check_option(name: str, value: Any, default: Any) -> None:
    """Refuse a model's option that is not of its default's kind: sizes and factors are above 0, a dropout below 1.

    Raises:
        UserError: it is not.
    """
    # (Where none is the default, none may be asked for.)
    whole = Count if default else Number
    kind = ShareBelowOne if name == "dropout" else {int: whole, float: Positive}.get(type(default), type(default))
    if (words := _fault(kind, value)) is not None:
        raise UserError("setting-out-of-range", f"--model.{name.replace('_', '-')} {value}: give {words}")


@functools.cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _fault(annotation: Any, value: Any) -> str | None:
    """What to give instead, where the value is not of a type; None where it is."""
    if type(None) in (options := get_args(annotation)) and get_origin(annotation) is not tuple:
        return None if value is None else _fault(options[0], value)
    if get_origin(annotation) is Annotated:
        inner, *extras = options
        bounds = [extra for extra in extras if isinstance(extra, Bounds)]
        fault = _fault(inner, value)
        return bounds[0].words if bounds and (fault or not bounds[0].allows(value)) else fault
    if get_origin(annotation) is Literal:
        return None if value in options else f"one of {', '.join(map(str, options))}"
    if get_origin(annotation) is tuple:
        size = None if options[-1] is ... else len(options)
        fits = isinstance(value, tuple) and size in (None, len(value))
        return None if fits and all(_fault(options[0], one) is None for one in value) else "numbers"
    if get_origin(annotation) is dict:
        return None if isinstance(value, dict) else "settings by name"
    if annotation not in _KINDS:
        return None
    words, holds = _KINDS[annotation]
    return None if holds(value) else words
