"""Tensors of the gRPC protocol, as TensorFlow reads and writes them."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from kerasr.serving.status import invalid

# A few bytes can declare a tensor of any size, all of one value or of none. Nobody who sends a clip does.
MAX_DECLARED_BYTES = 64 * 2**20


def type_of(name: str, proto: tensor_pb2.TensorProto) -> tf.DType:
    """The type that a tensor declares.

    Raises:
        ServingError: it is none.
    """
    try:
        return tf.as_dtype(proto.dtype)
    except TypeError as error:
        raise invalid(f"tensor parsing error: {name}") from error


def from_proto(name: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    """A tensor of a request.

    Raises:
        ServingError: its content is not what its type and shape declare, or it is larger than may be.
    """
    dtype, shape = type_of(name, proto), proto.tensor_shape
    sizes = [dim.size for dim in shape.dim]
    try:
        if shape.unknown_rank or min(sizes, default=0) < 0 or _num_bytes(sizes, dtype) > MAX_DECLARED_BYTES:
            raise ValueError("its shape is not one that a tensor can have here")
        return np.asarray(tf.io.parse_tensor(proto.SerializeToString(), dtype), dtype.as_numpy_dtype)
    except (tf.errors.OpError, TypeError, ValueError) as error:
        raise invalid(f"tensor parsing error: {name}") from error


def _num_bytes(sizes: list[int], dtype: tf.DType) -> int:
    # A tensor without values can have any number of rows, and each is work. An empty string is a few words, too.
    return math.prod(max(size, 1) for size in sizes) * (24 if dtype == tf.string else dtype.size)


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
