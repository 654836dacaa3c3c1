"""A LiteRT file for phones: waveform in, probabilities out, with the front-end inside and built-in operations only.

The file takes one clip at a time: of the run's `clip_seconds`, zeros at its end for a shorter one; or of any length, of
a run that takes any: its input is then resized to each clip. Quantised files keep the front-end in float32, for a power
spectrum in 8 bits is 30 dB off: `dynamic` stores the network's weights in 8 bits and needs no recordings; `int8`
computes in them, too, with ranges calibrated on the run's validation clips, but for recurrent layers, which stay
`dynamic`: the calibration does not see into loops. (In clips of one length it fails behind one.)
"""

import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasr.data.clips import read_clip
from kerasr.errors import UserError
from kerasr.exporters.answer import answer
from kerasr.exporters.check import Check
from kerasr.exporters.converters import Quantize, quantize_dynamic, to_litert
from kerasr.exporters.files import Bounds, export_recogniser
from kerasr.exporters.voice import is_voice
from kerasr.exporters.voice_check import VoiceCheck
from kerasr.exporters.voice_files import export_voice_litert
from kerasr.layers.recurrent import MaskedRNN, with_implementation
from kerasr.models.from_waveform import compute_logits
from kerasr.runs.run import Run
from kerasr.streaming.step_model import StreamingStep, why_not_streaming

# Least share of clips in which the file gives the run's answer.
AGREEMENT: dict[Quantize, float] = {"none": 0.999, "dynamic": 0.98, "int8": 0.98}
# By so much the word error rate of transcripts may be higher in 8 bits.
WER_LOSS = 0.005
# Clips that int8's ranges are calibrated on.
NUM_CALIBRATION = 200
# Operations, by the layers they come from, that int8 leaves in float32, as their 8 bits cost most of what it lost: the
# branches of BC-ResNet's blocks and their sums; of a transformer all but its dense layers, most of the weights.
IN_FLOAT = {
    "BCResNet": r".*(_feature_|_time_|_broadcast_|_add_|/Mean).*",
    "Conformer": r".*(norm|_half|_add|_attention|_conv_(time|silu|glu|gate|mask))(_\d+)?/.*",
    "TransformerEncoder": r".*(norm|_attended|_added|_attention)(_\d+)?/.*",
}


def export_litert(
    run: Run,
    to: str | os.PathLike[str],
    *,
    quantize: Quantize = "none",
    stream: bool = False,
    least_agreement: float | None = None,
    vocoder: Run | None = None,
) -> tuple[Path, Check | VoiceCheck]:
    """Export a run as a `.tflite` file, with its words, front-end and scores in a `.json` beside it.

    Args:
        run: a finished run, or a preset.
        to: the file, whose name ends in `.tflite`.
        quantize: `none` for float32, `dynamic`, or `int8`.
        stream: also bring the signature `stream`, which carries a state from chunk to chunk (`kerasr.streaming`).
        least_agreement: share of the clips in which it must give the run's answer; where None, `AGREEMENT`, and for
            transcripts in 8 bits `WER_LOSS` in its place. Of a voice, share of the tokens that must last as long.
        vocoder: of a voice, the run that makes the waveforms; Griffin-Lim where None.

    Returns:
        The file, and what was measured of it.

    Raises:
        UserError: it cannot be converted, or answers otherwise than the run; nothing is left behind.
        OSError: the file cannot be written.
    """
    if Path(to).suffix != ".tflite":
        raise UserError("name-invalid", f"--to {to}: a LiteRT file's name ends in .tflite")
    if is_voice(run, vocoder):
        return export_voice_litert(run, to, vocoder, quantize=quantize, stream=stream, least_agreement=least_agreement)
    if quantize == "int8" and (run.is_preset or not run.utterances("validation")):
        raise UserError(
            "export-unsupported", f"{run.path}: int8 is calibrated on validation clips, and there are none: use dynamic"
        )
    if quantize == "int8" and run.config.features.clip_seconds is not None and _loops(run):
        raise UserError(
            "export-unsupported",
            f"{run.path}: int8 cannot be calibrated past the loop of {run.config.model.name} in clips of one length: "
            "use dynamic",
        )
    if quantize == "int8" and run.config.features.is_waveform:
        raise UserError(
            "export-unsupported",
            f"{run.path}: its network reads the waveform, whose soft sounds 8 bits have no room for: use dynamic",
        )
    if stream and quantize == "int8":
        raise UserError(
            "settings-conflict",
            "--stream: what is calibrated on whole clips carries no state; use --quantize dynamic or none",
        )
    if stream and (why := why_not_streaming(run)):
        raise UserError("streaming-unsupported", f"{run.path}: {why}; leave out --stream")
    usual = Bounds(AGREEMENT[quantize], None if quantize == "none" else WER_LOSS)
    bounds = usual if least_agreement is None else Bounds(least_agreement)
    return export_recogniser(run, to, "litert", bounds, quantize, *(["stream"] if stream else []))


def convert(run: Run, quantize: Quantize, *signatures: str) -> bytes:
    """The run as a LiteRT file's bytes, with the signature `stream` where it is named."""
    import tensorflow as tf

    from kerasr.exporters.saved_model import stream_endpoint

    network = with_implementation(run.network, "blocks")
    spec = run.config.features
    size = None if spec.clip_seconds is None else spec.clip_samples
    waveform = keras.Input(batch_shape=(1, size), name="waveform")
    model = keras.Model(waveform, compute_logits(run.front_ends, network, waveform))

    def respond(waveform):
        return answer(run, model(waveform, training=False))

    endpoints = {"serving_default": (respond, [tf.TensorSpec([1, size], tf.float32, "waveform")])}
    if signatures:
        endpoints["stream"] = stream_endpoint(StreamingStep(run, network), batch=1)
    content = to_litert(endpoints)
    return content if quantize == "none" else _quantized(content, run, network.name, quantize)


def _quantized(content: bytes, run: Run, network: str, quantize: Quantize) -> bytes:
    """The same with the network in 8 bits, by AI Edge Quantizer."""
    # Operations are named by the layers they come from: the front-end's are not the network's.
    scope = f".*{re.escape(network)}.*"
    if quantize == "dynamic":
        return quantize_dynamic(content, scope)
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    made, every = quantizer.Quantizer(content), qtyping.TFLOperationName.ALL_SUPPORTED
    made.add_static_config(regex=scope, operation_name=every, activation_num_bits=8, weight_num_bits=8)
    without = algorithm_manager.AlgorithmName.NO_QUANTIZE
    if loops := _loops(run):
        inside = rf"/({'|'.join(map(re.escape, loops))})(_\d+)?/"
        made.update_quantization_recipe(f".*{inside}.*", every, algorithm_key=without)
        # (Rules of the same expression would replace each other.)
        made.add_dynamic_config(regex=inside, operation_name=qtyping.TFLOperationName.FULLY_CONNECTED, num_bits=8)
    if run.config.model.name in IN_FLOAT:
        made.update_quantization_recipe(IN_FLOAT[run.config.model.name], every, algorithm_key=without)
    ranges = _ranges(content, made.get_quantization_recipe(), _calibration_clips(run))
    return bytes(made.quantize(ranges, enable_progress_report=False).quantized_model)


def _ranges(content: bytes, recipe: Any, clips: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """The least and the largest value of each tensor over all clips.

    The quantizer's own `calibrate` averages them with weights that fade: the last twenty clips count for two thirds.
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    measure = calibrator.Calibrator(content, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    measure.calibrate({"serving_default": clips}, manager)
    return measure.get_model_qsvs()


def _loops(run: Run) -> list[str]:
    """The names of recurrent layers: a loop each."""
    return [layer.name for layer in run.network.layers if isinstance(layer, MaskedRNN)]


def _calibration_clips(run: Run) -> list[dict[str, np.ndarray]]:
    spec = run.config.features
    items = run.utterances("validation")
    clips = [read_clip(item.path, spec) for item in items[:: max(1, len(items) // NUM_CALIBRATION)]]
    size = 0 if spec.clip_seconds is None else spec.clip_samples
    return [{"waveform": np.pad(clip, (0, max(size - len(clip), 0)))[None]} for clip in clips]
