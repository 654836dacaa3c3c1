"""A voice as one file: for a phone (LiteRT), or for ONNX Runtime.

Fourier transforms are written as products with matrices (`kerasr.audio.dft`), which both converters know.

A LiteRT file takes one text, in two signatures: what runs it cannot make a tensor whose size is only known once the
durations are there. Between them stands `np.repeat`:

encode    `token_ids` int32 (1, tokens), `voice` int32 (1,), `speed` float32 (1,), to `encoded` (1, tokens, channels)
          and `durations` int32 (1, tokens), in frames
decode    `encoded`, and `token_of_frame` int32 (1, time), each token's place as many times as it has frames, to
          `waveform` (1, samples) and `log_mel` (1, time, n_mels)

An ONNX file takes any number of texts as `token_ids`, `voice` and `speed`, and gives what the SavedModel's signature
`tokens` gives (`kerasr.exporters.voice`).
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasr.errors import UserError
from kerasr.exporters.converters import Quantize, quantize_dynamic, to_litert, to_onnx
from kerasr.exporters.files import export_file
from kerasr.exporters.voice import VoiceGraph, token_inputs
from kerasr.exporters.voice_check import VoiceCheck, check_voice, describe_voice
from kerasr.runs.run import Run, load_run

# Names of the operations whose weights 8 bits hold: the networks', and not the matrices of Fourier's transform.
_NETWORKS = r".*(encoder|decoder|vocos).*"


@dataclass(frozen=True)
class _Bounds:
    """How far a file may be from its run.

    Attributes:
        agreement: share of the tokens that last as long.
        slack: frames more or less that are as long.
        decibels: the energies' largest difference.
    """

    agreement: float
    slack: int
    decibels: float


# (In 8 bits a length in the middle between two frames is rounded to either.)
_BOUNDS: dict[Quantize, _Bounds] = {"none": _Bounds(0.999, 0, 0.1), "dynamic": _Bounds(0.95, 1, 20.0)}


def export_voice_litert(
    run: Run,
    to: str | os.PathLike[str],
    vocoder: Run | None,
    *,
    quantize: Quantize,
    stream: bool,
    least_agreement: float | None,
) -> tuple[Path, VoiceCheck]:
    """A voice as a `.tflite` file; arguments and errors as of `kerasr.export_litert`."""
    if stream or quantize == "int8":
        why = "--stream: a voice takes no sound" if stream else "--quantize int8: it is not calibrated: use dynamic"
        raise UserError("export-unsupported", f"{run.path}: {why}")
    bounds = _BOUNDS[quantize]
    if least_agreement is not None:
        bounds = replace(bounds, agreement=least_agreement)
    return _export(run, to, vocoder, "litert", bounds, quantize)


def export_voice_onnx(
    run: Run, to: str | os.PathLike[str], vocoder: Run | None, *, least_agreement: float
) -> tuple[Path, VoiceCheck]:
    """A voice as an `.onnx` file; arguments and errors as of `kerasr.export_onnx`."""
    return _export(run, to, vocoder, "onnx", replace(_BOUNDS["none"], agreement=least_agreement))


def _export(
    run: Run, to: str | os.PathLike[str], vocoder: Run | None, kind: str, bounds: _Bounds, *options: str
) -> tuple[Path, VoiceCheck]:
    graph = VoiceGraph(run, vocoder)

    def examine(file: str) -> tuple[VoiceCheck, dict[str, Any]]:
        check = check_voice(graph, kind, file, slack=bounds.slack)
        if check.agreement < bounds.agreement or check.difference > bounds.decibels:
            raise UserError(
                "export-differs",
                f"{check.agreement:.1%} of the tokens last as long as in the run, {bounds.agreement:.1%} is the least "
                f"(--least-agreement), and energies are up to {check.difference:.2g} dB off, {bounds.decibels:g} is "
                "the most: nothing was written",
            )
        return check, {**describe_voice(graph, check), "format": [kind, *options]}

    path = [str(vocoder.path)] if vocoder else []
    return export_file(run, to, kind, f"{__name__}:convert_{kind}", examine, *options, *path)


def convert_litert(run: Run, quantize: Quantize, vocoder: str = "") -> bytes:
    """A voice as a LiteRT file's bytes, with the vocoder in a run's folder or Griffin-Lim."""
    import tensorflow as tf

    graph = VoiceGraph(run, load_run(vocoder) if vocoder else None, fft=False)
    encoded = tf.TensorSpec([1, None, run.network.get_layer("encoder").output[0].shape[-1]], tf.float32, "encoded")
    token_of_frame = tf.TensorSpec([1, None], tf.int32, "token_of_frame")
    encode, decode = (graph.encode, token_inputs(1)), (graph.decode, [encoded, token_of_frame])
    content = to_litert({"encode": encode, "decode": decode})
    return content if quantize == "none" else quantize_dynamic(content, _NETWORKS)


def convert_onnx(run: Run, vocoder: str = "") -> bytes:
    """A voice as an ONNX file's bytes."""
    graph = VoiceGraph(run, load_run(vocoder) if vocoder else None, fft=False)
    return to_onnx(graph.speak, token_inputs())
