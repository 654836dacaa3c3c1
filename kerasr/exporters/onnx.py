"""An ONNX file: waveforms in, probabilities out, any number of clips of any length, with the front-end inside.

The converter knows no transform of real numbers, so the front-end's is written as a product with two matrices: the same
numbers, to the last few bits. Of loops it knows Keras's own, and not kerasr's.
"""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.errors import UserError
from kerasr.exporters.answer import answer
from kerasr.exporters.check import Check
from kerasr.exporters.files import Bounds, export_file
from kerasr.layers.recurrent import with_implementation
from kerasr.models.from_waveform import compute_logits
from kerasr.runs.run import Run

OPSET = 18
# Least share of clips in which the file gives the run's answer.
AGREEMENT = 0.999


def export_onnx(run: Run, to: str | os.PathLike[str], *, least_agreement: float | None = None) -> tuple[Path, Check]:
    """Export a run as an `.onnx` file, with its words, front-end and scores in a `.json` beside it.

    Args:
        run: a finished run, or a preset.
        to: the file, whose name ends in `.onnx`.
        least_agreement: share of the clips in which it must give the run's answer; `AGREEMENT` where None.

    Returns:
        The file, and what was measured of it.

    Raises:
        UserError: it cannot be converted, or answers otherwise than the run; nothing is left behind.
        OSError: the file cannot be written.
    """
    if Path(to).suffix != ".onnx":
        raise UserError("name-invalid", f"--to {to}: an ONNX file's name ends in .onnx")
    return export_file(run, to, "onnx", Bounds(AGREEMENT if least_agreement is None else least_agreement))


def convert(run: Run) -> bytes:
    """The run as an ONNX file's bytes."""
    import tensorflow as tf
    import tf2onnx

    network = with_implementation(run.network, "plain")
    front_ends = [Features.from_config({**layer.get_config(), "fft": False}) for layer in run.front_ends]
    waveform = keras.Input((None,), name="waveform")
    model = keras.Model(waveform, compute_logits(front_ends, network, waveform))
    signature = [tf.TensorSpec([None, None], tf.float32, "waveform")]
    function = tf.function(lambda waveform: answer(run, model(waveform, training=False)), signature, autograph=False)
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
