"""Tensors of the gRPC protocol, as TensorFlow reads and writes them."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from kerasr.serving.status import invalid

# Of a recorded request.
_MAX_BYTES = 64 * 2**20


def type_of(name: str, proto: tensor_pb2.TensorProto) -> tf.DType:
    """The type that a tensor declares.

    Raises:
        ServingError: it is none.
    """
    try:
        return tf.as_dtype(proto.dtype)
    except TypeError as error:
        raise invalid(f"tensor parsing error: {name}") from error


def declared_bytes(name: str, proto: tensor_pb2.TensorProto, max_bytes: int = _MAX_BYTES) -> int:
    """The memory that a tensor takes by what it declares.

    A few bytes can declare any size, all of one value or of none.

    Raises:
        ServingError: its type or shape is none, or it is larger than `max_bytes`.
    """
    dtype, shape = type_of(name, proto), proto.tensor_shape
    sizes = [dim.size for dim in shape.dim]
    # A tensor without values can have any number of rows, and each is work. An empty string is a few words, too.
    num_bytes = math.prod(max(size, 1) for size in sizes) * (24 if dtype == tf.string else dtype.size)
    if shape.unknown_rank or min(sizes, default=0) < 0 or num_bytes > max_bytes:
        raise invalid(f"tensor parsing error: {name}")
    return num_bytes


def from_proto(name: str, proto: tensor_pb2.TensorProto, max_bytes: int = _MAX_BYTES) -> np.ndarray:
    """A tensor of a request.

    Raises:
        ServingError: its content is not what its type and shape declare, or it is larger than `max_bytes`.
    """
    declared_bytes(name, proto, max_bytes)
    dtype = type_of(name, proto)
    try:
        return np.asarray(tf.io.parse_tensor(proto.SerializeToString(), dtype), dtype.as_numpy_dtype)
    except (tf.errors.OpError, TypeError, ValueError) as error:
        raise invalid(f"tensor parsing error: {name}") from error


def to_proto(value: np.ndarray) -> tensor_pb2.TensorProto:
    """A tensor of an answer, value by value as TensorFlow Serving sends it: some clients read `float_val`."""
    dtype = tf.as_dtype(value.dtype)
    field = _FIELDS.get(dtype)
    if field is None:
        return tf.make_tensor_proto(value)
    shape = tf.TensorShape(value.shape).as_proto()
    return tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=shape, **{field: value.ravel().tolist()})


_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int8: "int_val",
    tf.int16: "int_val",
    tf.int32: "int_val",
    tf.uint8: "int_val",
    tf.uint16: "int_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}
