"""Run an exported file on clips, in a process of its own: `python -P run_exported.py FORMAT FILE CLIPS ANSWERS`.

Importing Keras is made to fail: what it answers, a server or a phone will answer. Of kerasr it imports only what knows
no framework. CLIPS is an .npz of `waveform` (batch, samples), `num_samples` (batch,) and `wav`, paths of WAV files, or
none; of a model that answers each frame, the logits of a frame of `padding`; where there is a signature `stream`, its
facts as JSON, the samples of a `piece`, and the clips that are `streamed` with their `streamed_samples`. ANSWERS is an
.npz of `padded_logits` and `padded_probs` for the waveforms, whose trailing zeros are padding, `logits` and `probs`
where lengths can be given, `wav_logits` for the files, `stream_logits` and `stream_probs`, and `milliseconds` of the
first clip on one thread.
"""

import json
import os
import sys

import numpy as np

from kerasr.core.timing import median_milliseconds

NUM_TIMED = 30
OUTPUTS = ("logits", "probs")
# Clips at once.
BATCH_SIZE = 64


def in_batches(call, **inputs):
    """What a signature answers to rows of all its inputs."""
    count = len(inputs["waveform"])
    parts = [
        call(**{name: values[start : start + BATCH_SIZE] for name, values in inputs.items()})
        for start in range(0, count, BATCH_SIZE)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in OUTPUTS}


def run_saved_model(path, clips):
    """Through the signatures that a client of TensorFlow Serving calls."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    signatures = tf.saved_model.load(path).signatures
    waveform, num_samples = tf.constant(clips["waveform"]), tf.constant(clips["num_samples"])
    answers = in_batches(signatures["with_num_samples"], waveform=waveform, num_samples=num_samples)
    padded = in_batches(signatures["serving_default"], waveform=waveform)
    answers |= {f"padded_{name}": values for name, values in padded.items()}
    if len(clips["wav"]):
        contents = tf.constant([tf.io.read_file(str(name)).numpy() for name in clips["wav"]])
        answers["wav_logits"] = signatures["serve_wav"](wav=contents)["logits"].numpy()
    if "stream" in clips:

        def step(inputs):
            return signatures["stream"](**{name: tf.constant(value) for name, value in inputs.items()})

        answers |= run_in_chunks(step, clips)
    return answers, lambda: signatures["serving_default"](waveform=waveform[:1])["logits"].numpy()


def run_litert(path, clips):
    """Clip by clip: each of the file's one length, or of its own where the file takes any."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=1)
    runner = interpreter.get_signature_runner("serving_default")
    size = runner.get_input_details()["waveform"]["shape_signature"][1]
    if size == -1:
        waveform = [clip[:length] for clip, length in zip(clips["waveform"], clips["num_samples"], strict=True)]
    else:
        waveform = np.pad(clips["waveform"], ((0, 0), (0, max(size - clips["waveform"].shape[1], 0))))
    found = [runner(waveform=clip[None]) for clip in waveform]
    answers = {
        f"padded_{name}": np.concatenate(same_frames([answer[name] for answer in found], name, clips.get("padding")))
        for name in OUTPUTS
    }
    if "stream" in clips:
        step = interpreter.get_signature_runner("stream")
        answers |= run_in_chunks(lambda inputs: step(**inputs), clips)
    return answers, lambda: runner(waveform=waveform[0][None])


def same_frames(outputs, name, padding):
    """Outputs of clips of different lengths with as many frames as the longest; unchanged where there is no padding."""
    if padding is None:
        return outputs
    row = padding if name == "logits" else np.exp(padding)
    frames = max(clip.shape[1] for clip in outputs)
    return [np.concatenate([clip, np.tile(row, (1, frames - clip.shape[1], 1))], axis=1) for clip in outputs]


def run_onnx(path, clips):
    """As a batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def call(**inputs):
        return dict(zip(OUTPUTS, session.run(OUTPUTS, inputs), strict=True))

    found = in_batches(call, waveform=clips["waveform"])
    answers = {f"padded_{name}": values for name, values in found.items()}
    return answers, lambda: call(waveform=clips["waveform"][:1])


def run_in_chunks(step, clips):
    """Each clip as a stream of its own, through the signature that carries a state."""
    from kerasr.streaming.client import Stream, StreamFacts

    facts, piece = StreamFacts.from_json(json.loads(str(clips["stream"]))), int(clips["piece"])
    found = []
    for clip, length in zip(clips["streamed"], clips["streamed_samples"], strict=True):
        stream, answers = Stream(step, facts), []
        for start in range(0, length, piece):
            answers += stream.process(clip[start : min(start + piece, length)])
        answers.append(stream.finish())
        found.append(answers)
    if facts.output_stride is None:
        return {f"stream_{name}": np.stack([answers[-1][name] for answers in found]) for name in OUTPUTS}
    rows = {name: [np.concatenate([part[name] for part in answers])[None] for answers in found] for name in OUTPUTS}
    return {
        f"stream_{name}": np.concatenate(same_frames(parts, name, clips["padding"])) for name, parts in rows.items()
    }


RUNNERS = {"savedmodel": run_saved_model, "litert": run_litert, "onnx": run_onnx}


def main(kind, path, clips, answers):
    """Run, time, write."""
    with np.load(clips) as given:
        found, once = RUNNERS[kind](path, dict(given))
    np.savez(answers, milliseconds=median_milliseconds(once, NUM_TIMED), **found)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.modules["keras"] = None  # pyright: ignore[reportArgumentType]
    main(*sys.argv[1:])
