"""Tensors of the REST protocol: JSON in rows or columns, with TensorFlow Serving's rules and messages.

They are those of tensorflow_serving/util/json_tensor.cc, FillPredictRequestFromJson and MakeJsonFromTensors.
"""

import base64
import binascii
import gc
import json
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from kerasr.serving.servable import Signature, Tensor
from kerasr.serving.status import Code, ServingError, invalid

# Clients name outputs so that hold bytes, which JSON has no letters for.
_BYTES_SUFFIX = "_bytes"
# Axes of a tensor; NumPy counts no further than 64.
_MAX_RANK = 32
# The first whole number that a type has no room for (json_tensor.cc, IsLosslessDecimal).
_WHOLE = {tf.float32: 2**24, tf.float64: 2**53}


# Values in messages, cut short: a client may have sent a book.
_show = reprlib.Repr().repr


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; NaN and Infinity are numbers here.

    Raises:
        ServingError: it is none.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        with _without_collections():
            document = _loads(body)
    except RecursionError:
        raise invalid("JSON Parse error: nested too deep") from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_show(document)} Is not object")
    return document


@contextmanager
def _without_collections() -> Iterator[None]:
    """No garbage is looked for among values that all are new: for millions of lists that takes most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _loads(body: bytes) -> Any:
    try:
        # Ten times as fast, and stricter: Infinity and the like are left to Python's own.
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        document = json.loads(body.decode())
    if rb"\u" in body:
        # As RapidJSON and orjson do, and Python's own does not: a lone surrogate is no letter, and a ValueError.
        json.dumps(document, ensure_ascii=False).encode()
    return document


def signature_name(document: dict[str, Any]) -> str:
    """The signature that a request asks for; empty for the default one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_show(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def read_inputs(document: dict[str, Any], signature: Signature, max_rows: int) -> tuple[dict[str, np.ndarray], bool]:
    """The tensors of a request.

    Args:
        document: the request.
        signature: what it asks.
        max_rows: most rows that it may have.

    Returns:
        The tensors by name, and whether they came as rows.

    Raises:
        ServingError: the request is not in one of the two formats, or not what the signature takes.
    """
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {_show(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "instances" in document:
        return _read_rows(document, signature, max_rows), True
    if "inputs" in document:
        return _read_columns(document["inputs"], signature, max_rows), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _read_rows(document: dict[str, Any], signature: Signature, max_rows: int) -> dict[str, np.ndarray]:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {_show(document)} Excepting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {_show(document)} No values in 'instances' array")
    signature.check_rows(len(rows), max_rows)
    if not _is_named(rows[0]) and len(signature.inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if not _is_named(rows[0]):
        ((name, tensor),) = signature.inputs.items()
        return {name: _stack(tensor, _unnamed(rows))}
    return {name: _stack(tensor, _named(rows, signature, name)) for name, tensor in signature.inputs.items()}


def _unnamed(rows: list[Any]) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if _is_named(row):
            raise invalid(f"Expecting value/list but got object at item {number} of input list")
        yield row


def _named(rows: list[Any], signature: Signature, name: str) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if not _is_named(row):
            raise invalid(f"Expecting object but got list at item {number} of input list")
        if row.keys() != signature.inputs.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {_show(row)} must only have "
                f"keys: {','.join(sorted(signature.inputs))}"
            )
        yield row[name]


def _stack(tensor: Tensor, values: Iterator[Any]) -> np.ndarray:
    """The rows of one input, which must have one shape, as a tensor."""
    arrays: list[np.ndarray] = []
    for number, value in enumerate(values):
        try:
            array = _to_array(value, tensor, tensor.rank - 1)
        except ServingError as error:
            raise invalid(
                f"Failed to process element: {number} key: {tensor.name} of 'instances' list. Error: {error.message}"
            ) from error
        if arrays and array.shape != arrays[0].shape:
            wanted, given = (",".join(map(str, shape)) for shape in (arrays[0].shape, array.shape))
            raise invalid(
                f"Failed to process element: {number} key: {tensor.name} of 'instances' list. Error: "
                f"Expecting shape [{wanted}] but got: [{given}]"
            )
        arrays.append(array)
    return np.stack(arrays) if arrays[0].ndim else np.array([array[()] for array in arrays], arrays[0].dtype)


def _read_columns(value: Any, signature: Signature, max_rows: int) -> dict[str, np.ndarray]:
    if _is_named(value):
        for name in signature.inputs:
            if name not in value:
                raise invalid(f"Missing named input: {name} in 'inputs' object.")
        columns = {name: value[name] for name in signature.inputs}
    elif len(signature.inputs) > 1:
        raise invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map"
        )
    else:
        columns = dict.fromkeys(signature.inputs, value)
    for column in columns.values():
        signature.check_rows(len(column) if isinstance(column, list) else 1, max_rows)
    return {name: _to_array(columns[name], tensor, tensor.rank) for name, tensor in signature.inputs.items()}


def _is_named(value: Any) -> bool:
    """Whether a JSON object is one of named tensors, and not a string in base64."""
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("b64"), str)


def _to_array(value: Any, tensor: Tensor, most: int) -> np.ndarray:
    """A JSON value, list or list of lists as a tensor of an input's type.

    Args:
        value: the value.
        tensor: the input.
        most: axes that it may have; deeper lists, which can be millions, are not looked at.
    """
    leaves, shape, most = [value], [], min(most, _MAX_RANK)
    while leaves and isinstance(leaves[0], list):
        if len(shape) >= most:
            raise invalid(f"Encountered list at unexpected level: {most} expected < {most}")
        size = len(leaves[0])
        leaves = _flatten(leaves, len(shape))
        shape.append(size)
    return _convert(leaves, tensor.dtype, len(shape)).reshape(shape)


def _flatten(lists: list[Any], level: int) -> list[Any]:
    """The elements of lists, which must be equally long."""
    size = len(lists[0])
    for values in lists:
        if not isinstance(values, list):
            raise invalid(
                f"JSON Value: {_show(values)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {level + 2}"
            )
        if len(values) != size:
            raise invalid(f"Encountered list at unexpected size: {len(values)} at level: {level} expected size: {size}")
    return [value for values in lists for value in values]


def _convert(leaves: list[Any], dtype: tf.DType, level: int) -> np.ndarray:
    """Values of JSON as those of a type; a text is no number, nor is a truth value."""
    kinds = set(map(type, leaves))
    if list in kinds:
        raise invalid(f"Encountered list at unexpected level: {level} expected < {level}")
    if dtype == tf.string:
        # An array of objects keeps the zeros at a string's end.
        return np.array([_to_bytes(leaf) for leaf in leaves], object)
    allowed = {int, float} if dtype in _WHOLE else {int} if dtype.is_integer else {bool}
    if allowed == {bool} and dtype != tf.bool:
        raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: {_show(leaves)} to type: {dtype.name}")
    for leaf in leaves if not kinds <= allowed else ():
        if type(leaf) not in allowed:
            raise _type_error(leaf, dtype)
    if dtype.is_floating:
        _check_floats(leaves, int in kinds, dtype)
    for leaf in leaves if dtype.is_integer else ():
        if not dtype.min <= leaf <= dtype.max:
            raise _type_error(leaf, dtype)
    return np.array(leaves, dtype.as_numpy_dtype)


def _check_floats(leaves: list[Any], has_whole: bool, dtype: tf.DType) -> None:
    """Raise ServingError where a number has no room in a floating type."""
    wrong = [leaf for leaf in leaves if type(leaf) is int and abs(leaf) >= _WHOLE[dtype]] if has_whole else []
    if not wrong:
        values = np.array(leaves, np.float64)
        wrong = values[np.isfinite(values) & (np.abs(values) > dtype.max)].tolist()
    if wrong:
        raise invalid(f"Cannot convert JSON value: {_show(wrong[0])} to {dtype.name} without loss of precision.")


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict):
        raise _type_error(value, tf.string)
    if not _is_base64(value):
        raise invalid(f"JSON Value: {_show(value)} not formatted correctly for base64 data")
    try:
        # As absl::Base64Unescape does: blanks are passed over, and the padding may be missing.
        content = "".join(value["b64"].split())
        return base64.b64decode(content + "=" * (-len(content) % 4) * (not content.endswith("=")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def _type_error(value: Any, dtype: tf.DType) -> ServingError:
    kinds = {dict: "Object", list: "Array", str: "String", bool: str(value), type(None): "Null"}
    return invalid(
        f"JSON Value: {_show(value)} Type: {kinds.get(type(value), 'Number')} is not of expected type: {dtype.name}"
    )


def write_outputs(outputs: dict[str, np.ndarray], as_rows: bool) -> bytes:
    """The JSON of an answer, in the format of the request.

    Raises:
        ServingError: as rows, where the outputs do not have equally many.
    """
    if as_rows:
        _check_rows(outputs)
    values = {name: _to_values(name, value) for name, value in outputs.items()}
    if len(values) == 1:
        ((answer),) = values.values()
    elif as_rows:
        answer = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    else:
        answer = values
    return json.dumps({"predictions" if as_rows else "outputs": answer}, ensure_ascii=False).encode()


def _check_rows(outputs: dict[str, np.ndarray]) -> None:
    sizes = set()
    for name, value in outputs.items():
        if not value.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if not len(value):
            raise invalid(f"Tensor name: {name} has invalid batch size: 0")
        sizes.add(len(value))
        if len(sizes) > 1:
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(value)} expecting: {min(sizes)}")


def _to_values(name: str, value: np.ndarray) -> Any:
    """A tensor as lists of JSON's values."""
    if value.dtype == object:
        write = _to_base64 if name.endswith(_BYTES_SUFFIX) else lambda text: text.decode(errors="replace")
        if not value.ndim:
            return write(value.item())
        return np.frompyfunc(write, 1, 1)(value).tolist()  # pyright: ignore[reportAttributeAccessIssue]
    if value.dtype == np.float32:
        # The shortest decimal that is this number again, rather than the many digits of its double.
        return value.astype(str).astype(np.float64).tolist()
    return value.tolist()


def _to_base64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}
