"""A folder that TensorFlow Serving watches: `NAME/VERSION/`, warm-up requests, and the server's own settings.

serving/
    models.config       the models there are: tensorflow_model_server --model_config_file
    batching.config     --batching_parameters_file
    digits/
        1/              a SavedModel, whole from the moment it appears
            assets.extra/tf_serving_warmup_requests     played by the server before it answers
            assets.extra/kerasr.json                    words, front-end, scores, licence of the training data
"""

import contextlib
import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from kerasr.core import atomic
from kerasr.data.clips import read_clip
from kerasr.errors import UserError
from kerasr.exporters.check import Check, check_export
from kerasr.exporters.describe import describe
from kerasr.exporters.saved_model import write_saved_model
from kerasr.exporters.voice import VoiceGraph, is_voice, write_voice_model
from kerasr.exporters.voice import requests as voice_requests
from kerasr.exporters.voice_check import VoiceCheck, check_voice, describe_voice
from kerasr.runs.run import Run
from kerasr.serving.folders import EXTRA, WARM_UP, versions_of
from kerasr.streaming.client import Stream, StreamFacts

# Largest difference between a logit of the run and of the exported graph, which sums in another order.
TOLERANCE = 1e-4
# And of an energy of a voice, in dB.
VOICE_TOLERANCE = 1e-2
# Signatures, each with inputs.
Requests = Iterator[tuple[str, dict[str, Any]]]
# The first line of a list of models that the next export may replace.
OURS = "# Written by kerasr.export at each export; without this line it stays as you change it.\n"

FACTS = "kerasr.json"

# TensorFlow Serving pads clips of different lengths with the first sample of each when it is asked to
# (`pad_variable_length_inputs`), which is not silence: clients send clips of one length, or `wav`.
BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 }
pad_variable_length_inputs: false
"""


def export_serving(
    run: Run, to: str | os.PathLike[str], *, vocoder: Run | None = None
) -> tuple[Path, Check | VoiceCheck]:
    """Export a run as the next version of a model that TensorFlow Serving serves.

    Args:
        run: a finished run, or a preset.
        to: the model's folder, whose name is the model's: `serving/digits`.
        vocoder: of a voice, the run that makes the waveforms; Griffin-Lim where None.

    Returns:
        The version's folder, and what was measured of it.

    Raises:
        UserError: the name cannot be a model's, or the graph's logits are another's; nothing is left behind.
        OSError: the folder cannot be written.
    """
    if is_voice(run, vocoder):
        write = partial(_write_voice, VoiceGraph(run, vocoder))
    else:
        run.check_front_end("an export")
        write = partial(_write, run)
    model = Path(os.path.abspath(to))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", model.name):
        raise UserError(
            "name-invalid", f"--to {to}: {model.name!r} becomes the model's name, part of URLs: use letters and -_."
        )
    if model.name.isdecimal():
        raise UserError(
            "name-invalid",
            f"--to {to}: {model.name!r} becomes the model's name, and a server takes a number for a version: name the "
            "model's folder, as in --to serving/digits, and its versions are numbered by themselves",
        )
    if held := sorted(path.parents[1].name for path in model.glob("*/[0-9]*/saved_model.pb")):
        raise UserError(
            "name-invalid",
            f"--to {to}: holds the model {held[0]}, and a server would take it for one model: name a folder in it, as "
            f"in --to {os.path.join(to, 'NAME')}",
        )
    is_new = not model.exists()
    try:
        # A server passes over what is no number.
        with atomic.staging_folder(model) as beside, _system_errors(model):
            check, facts, requests = write(beside)
            extra = Path(beside, EXTRA)
            extra.mkdir()
            (extra / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
            write_warm_up(requests, model.name, extra / WARM_UP)
            first = max(versions_of(model), default=0) + 1
            version = atomic.claim_folder(beside, (model / str(number) for number in count(first)))
    finally:
        if is_new:
            # Only where nothing is in it.
            with contextlib.suppress(OSError):
                model.rmdir()
    write_settings(model.parent)
    return version, check


def _write(run: Run, folder: str) -> tuple[Check, dict[str, Any], Requests]:
    """A recogniser: what was measured, what is to be told of it, and requests to warm it up."""
    stream = write_saved_model(run, folder)
    check = check_export(run, "savedmodel", folder, stream)
    if check.difference > TOLERANCE:
        raise UserError(
            "export-differs",
            f"the exported graph's logits are up to {check.difference:.2g} off the run's on {check.num_clips} "
            f"clips, and {TOLERANCE:g} is allowed: no version was made; please report this with {run.path}",
        )
    return check, describe(run, check, stream), recogniser_requests(run, stream)


def _write_voice(graph: VoiceGraph, folder: str) -> tuple[VoiceCheck, dict[str, Any], Requests]:
    """The same of a voice."""
    write_voice_model(graph, folder)
    check = check_voice(graph, "savedmodel", folder)
    if check.difference > VOICE_TOLERANCE or check.agreement < 1:
        raise UserError(
            "export-differs",
            f"the exported graph's energies are up to {check.difference:.2g} dB off the run's in {check.num_texts} "
            f"texts, and {VOICE_TOLERANCE:g} is allowed: no version was made; please report this with {graph.run.path}",
        )
    return check, describe_voice(graph, check), voice_requests(graph)


@contextlib.contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """Raise a full disk and the like as Python does, where TensorFlow, which writes files its own way, hides it."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO):
            if os.strerror(code) in error.message:
                raise OSError(code, os.strerror(code), str(path)) from error
        raise


def write_warm_up(requests: Requests, name: str, path: Path) -> None:
    """Requests that the server plays before it answers, so that no client waits for the first.

    They are written as TFRecords of `PredictionLog`
    (https://www.tensorflow.org/tfx/serving/saved_model_warmup).
    """
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())


def recogniser_requests(run: Run, stream: StreamFacts | None) -> Requests:
    """One request of each signature, of a second of silence with a click in it."""
    from kerasr import audio

    spec = run.config.features
    size = spec.clip_samples if spec.clip_seconds else spec.sample_rate
    waveform = np.zeros((1, size), np.float32)
    waveform[0, size // 2] = 0.5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "click.wav")
        audio.write(path, waveform[0], spec.sample_rate)
        wav, clip = path.read_bytes(), read_clip(str(path), spec)
    yield "serving_default", {"waveform": waveform}
    yield "with_num_samples", {"waveform": waveform, "num_samples": np.array([len(clip)], np.int32)}
    yield "serve_wav", {"wav": np.array([wav], dtype=object)}
    yield "features", {"features": np.zeros((1, spec.num_frames(size), spec.num_features), np.float32)}
    if stream:
        yield "stream", _first_step(stream)


def _first_step(facts: StreamFacts) -> dict[str, np.ndarray]:
    """What a client's first step of a stream sends."""
    sent = []

    def step(inputs):
        sent.append(inputs)
        return {**inputs, "logits": np.zeros((1, 1)), "probs": np.zeros((1, 1))}

    next(Stream(step, facts).process(np.zeros(facts.n_fft + facts.step_samples, np.float32)))
    return sent[0]


def write_settings(folder: Path) -> None:
    """The list of the models under a folder, and the batching, for the server that mounts it as /models.

    What someone has written there himself, version policies or labels, stays as it is.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and versions_of(path))
    models = "".join(
        f'  config {{ name: "{name}" base_path: "/models/{name}" model_platform: "tensorflow" }}\n' for name in names
    )
    listed = folder / "models.config"
    if not listed.exists() or listed.read_text(encoding="utf-8", errors="replace").startswith(OURS):
        atomic.write_bytes(listed, f"{OURS}model_config_list {{\n{models}}}\n".encode())
    if not (folder / "batching.config").exists():
        atomic.write_bytes(folder / "batching.config", BATCHING.encode())
