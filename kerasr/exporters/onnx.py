"""An ONNX file: waveforms in, probabilities out, any number of clips of any length, with the front-end inside.

The converter knows no transform of real numbers, so the front-end's is written as products with matrices: the same
numbers, to the last few bits. Of loops it knows Keras's own, and not kerasr's.
"""

import os
from pathlib import Path

import keras

from kerasr.audio.features import Features
from kerasr.errors import UserError
from kerasr.exporters.answer import answer
from kerasr.exporters.check import Check
from kerasr.exporters.converters import to_onnx
from kerasr.exporters.files import Bounds, export_recogniser
from kerasr.exporters.voice import is_voice
from kerasr.exporters.voice_check import VoiceCheck
from kerasr.exporters.voice_files import export_voice_onnx
from kerasr.layers.recurrent import with_implementation
from kerasr.models.from_waveform import compute_logits
from kerasr.runs.run import Run

# Least share of clips in which the file gives the run's answer.
AGREEMENT = 0.999


def export_onnx(
    run: Run, to: str | os.PathLike[str], *, least_agreement: float | None = None, vocoder: Run | None = None
) -> tuple[Path, Check | VoiceCheck]:
    """Export a run as an `.onnx` file, with its words, front-end and scores in a `.json` beside it.

    Args:
        run: a finished run, or a preset.
        to: the file, whose name ends in `.onnx`.
        least_agreement: share of the clips in which it must give the run's answer; `AGREEMENT` where None. Of a voice,
            share of the tokens that must last as long.
        vocoder: of a voice, the run that makes the waveforms; Griffin-Lim where None.

    Returns:
        The file, and what was measured of it.

    Raises:
        UserError: it cannot be converted, or answers otherwise than the run; nothing is left behind.
        OSError: the file cannot be written.
    """
    if Path(to).suffix != ".onnx":
        raise UserError("name-invalid", f"--to {to}: an ONNX file's name ends in .onnx")
    least = AGREEMENT if least_agreement is None else least_agreement
    if is_voice(run, vocoder):
        return export_voice_onnx(run, to, vocoder, least_agreement=least)
    return export_recogniser(run, to, "onnx", Bounds(least))


def convert(run: Run) -> bytes:
    """The run as an ONNX file's bytes."""
    import tensorflow as tf

    network = with_implementation(run.network, "plain")
    front_ends = [Features.from_config({**layer.get_config(), "fft": False}) for layer in run.front_ends]
    waveform = keras.Input((None,), name="waveform")
    model = keras.Model(waveform, compute_logits(front_ends, network, waveform))
    signature = [tf.TensorSpec([None, None], tf.float32, "waveform")]
    return to_onnx(lambda waveform: answer(run, model(waveform, training=False)), signature)
