"""Functions of TensorFlow to SavedModels, LiteRT's and ONNX's files, and LiteRT's into 8 bits."""

import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np

from kerasr.errors import UserError

Quantize = Literal["none", "dynamic", "int8"]
OPSET = 18


# Signatures by their names, each a function and its inputs.
Endpoints = Mapping[str, tuple[Callable[..., Any], list[Any]]]


def write_signatures(endpoints: Endpoints, folder: str) -> None:
    """Write functions as the signatures of a SavedModel."""
    import tensorflow as tf

    # Without `track`, for what a signature uses is tracked anyway, and what both know is stored and loaded twice
    # (Keras 3.15, https://github.com/keras-team/keras/issues/23553).
    archive = keras.export.ExportArchive()
    # Nothing is in them for AutoGraph to translate, which takes seconds.
    as_it_is = tf.autograph.experimental.do_not_convert
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, as_it_is(function), input_signature=signature)
    archive.write_out(folder, verbose=False)


def traced_once(function: Callable[..., Any], signature: list[Any]) -> Callable[..., Any]:
    """A function that several signatures call, with its inputs: a graph of its own in place of a copy in each."""
    import tensorflow as tf

    return tf.function(function, input_signature=signature, autograph=False)


def require_tensorflow() -> None:
    """Raise UserError where Keras runs on another backend, which writes no SavedModel."""
    if (backend := keras.backend.backend()) != "tensorflow":
        raise UserError(
            "backend-unsupported",
            f"a SavedModel is written by TensorFlow, and KERAS_BACKEND is {backend}: "
            "run this command with KERAS_BACKEND=tensorflow (a run trained on any backend can be exported)",
        )


def to_litert(endpoints: Endpoints) -> bytes:
    """Functions as the signatures of a LiteRT file; built-in operations only."""
    import tensorflow as tf

    # Not `from_keras_model`, which refuses an input whose length is open.
    with tempfile.TemporaryDirectory() as folder:
        write_signatures(endpoints, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[*endpoints])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return converter.convert()


def quantize_dynamic(content: bytes, scope: str) -> bytes:
    """A LiteRT file with the weights of the operations in 8 bits whose names an expression finds."""
    from ai_edge_quantizer import qtyping, quantizer

    made = quantizer.Quantizer(content)
    made.add_dynamic_config(regex=scope, operation_name=qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=8)
    return bytes(made.quantize(None, enable_progress_report=False).quantized_model)


def to_onnx(function: Callable[..., Any], signature: list[Any]) -> bytes:
    """A function of such inputs as an ONNX file's bytes."""
    import tensorflow as tf
    import tf2onnx

    function = tf.function(function, signature, autograph=False)
    handlers = {"Erfc": (_convert_erfc, [])}
    model, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET, custom_op_handlers=handlers)
    return model.SerializeToString()


def _convert_erfc(context: Any, node: Any, name: str, _: Any) -> None:
    """1 - erf(x), which ONNX has: it knows no complement, which the GELU of transformers is made of."""
    given, output = node.input[0], node.output[0]
    shape, dtype = context.get_shape(output), context.get_dtype(output)
    context.remove_node(node.name)
    one = context.make_const(f"{name}/one", np.ones((), np.float32))
    erf = context.make_node("Erf", [given])
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=[output], name=name, shapes=[shape], dtypes=[dtype]
    )
