"""Settings as JSON, which is how a run directory remembers them, and JSON from strangers.

`read_json`, `parse_json`, `fault_of_json` and `fault_of_type` let nothing through that no version of kerasr has
written.
"""

import dataclasses
import json
import os
from typing import Any, TypeVar, get_args, get_origin, get_type_hints, is_typeddict

from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from kerasr.core.regular import open_regular
from kerasr.errors import UserError

T = TypeVar("T")


def to_json(config: Any) -> dict[str, Any]:
    """The config as plain JSON types, nested configs as nested objects."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_json(kind: type[T], values: Any) -> T:
    """The config of class `kind` from what `to_json` made; absent fields take their defaults.

    Raises:
        UserError: a field that this version does not know, or a value that a field cannot have.
    """
    if not isinstance(values, dict):
        raise UserError("setting-invalid", f"{kind.__name__} is {shorten(values)}: settings by name are expected")
    types = get_type_hints(kind)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise UserError(
            "setting-not-found",
            f"unknown setting {unknown[0]!r} for {kind.__name__}: it comes from another version of kerasr",
        )
    return kind(**{name: restore(types[name], value) for name, value in values.items()})


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object in a file, whoever wrote it.

    Raises:
        UserError: it is damaged, or holds no object.
        OSError: it cannot be read.
    """
    try:
        with open_regular(path, encoding="utf-8") as file:
            values = parse_json(file.read())
    except ValueError as error:
        raise UserError(
            "file-damaged", f"{os.fspath(path)}: is damaged ({shorten(error)}); restore it, or train again"
        ) from error
    if not isinstance(values, dict):
        raise UserError(
            "file-damaged", f"{os.fspath(path)}: is damaged (it holds no JSON object); restore it, or train again"
        )
    return values


def parse_json(text: str) -> Any:
    """The value that a JSON text, whoever wrote it, stands for.

    Raises:
        ValueError: it is not JSON, or such as no file of kerasr holds: whole numbers of more than 64 bits, texts that
            are no Unicode, lists in lists in lists without end.
    """
    try:
        value = json.loads(text, parse_int=_parse_whole)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # Half of a surrogate pair is no text that can be written.
    return value


def fault_of_json(values: Any, kind: Any) -> str | None:
    """What is missing, or of another type than the typed dictionary `kind` says; None where all is well.

    Keys that it does not know may be there: a newer version may have written more.
    """
    if not isinstance(values, dict):
        return f"{shorten(values)} is no JSON object"
    for name, annotation in get_type_hints(kind).items():
        if name not in values:
            fault = "is missing" if name in kind.__required_keys__ else None
        elif is_typeddict(annotation):
            fault = fault_of_json(values[name], annotation)
        else:
            fault = fault_of_type(values[name], annotation)
        if fault is not None:
            return f"{name}: {fault}"
    return None


def fault_of_type(value: Any, annotation: Any) -> str | None:
    """Why a value is not of the type that an annotation says, to its last item; None where it is."""
    try:
        check_type(value, annotation, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError as error:
        return str(error)
    return None


def shorten(value: Any) -> str:
    """A value or an error in at most 160 characters of one line, for a message."""
    lines = str(value).strip().splitlines() or [type(value).__name__]
    return lines[0][:160]


def _parse_whole(digits: str) -> int:
    # (Python itself refuses to read a few thousand digits.)
    if len(digits) > len(str(-(2**63))) or abs(int(digits)) >= 2**63:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def restore(annotation: Any, value: Any) -> Any:
    """`value` as the type that JSON could not keep: a nested config or a tuple."""
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return from_json(annotation, value)
    if get_origin(annotation) is tuple and isinstance(value, list):
        return tuple(restore(get_args(annotation)[0], item) for item in value)
    return value
