"""Functions of TensorFlow to LiteRT's and ONNX's files, and the former into 8 bits."""

import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np

Quantize = Literal["none", "dynamic", "int8"]
OPSET = 18


def to_litert(endpoints: Mapping[str, tuple[Callable[..., Any], list[Any]]]) -> bytes:
    """Functions as the signatures of a LiteRT file, by each one's name with its inputs; built-in operations only."""
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    # Nothing is in them for AutoGraph to translate, which takes seconds.
    as_it_is = tf.autograph.experimental.do_not_convert
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, as_it_is(function), input_signature=signature)
    # Not `from_keras_model`, which refuses an input whose length is open.
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
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
