"""Let an exported voice say texts, in a process of its own: `python -P run_exported_voice.py FORMAT FILE GIVEN SAID`.

Importing Keras is made to fail, as in `run_exported.py`. GIVEN is an .npz of `token_ids` (texts, tokens), 0 past a
text's end, `voice` and `speed` (texts,), and of a file in two parts `frames` (texts, tokens): the durations that its
second part is given. SAID is an .npz of each text's `durations_N`, `log_mel_N` and `waveform_N`, and the `seconds` that
one processor took for all.
"""

import os
import sys
import time

import numpy as np


def open_saved_model(path):
    """The signature `tokens`, as a client of TensorFlow Serving calls it."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    signatures = tf.saved_model.load(path).signatures

    def say(inputs, _):
        found = signatures["tokens"](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in found.items()}

    return say


def open_litert(path):
    """Two signatures: what lies between them is `np.repeat`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=1)
    encode, decode = (interpreter.get_signature_runner(name) for name in ("encode", "decode"))

    def say(inputs, frames):
        found = encode(**inputs)
        token_of_frame = np.repeat(np.arange(len(frames)), frames)[None].astype(np.int32)
        return {**decode(encoded=found["encoded"], token_of_frame=token_of_frame), "durations": found["durations"]}

    return say


def open_onnx(path):
    """All outputs of one graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs, _: dict(zip(names, session.run(names, inputs), strict=True))


OPENERS = {"savedmodel": open_saved_model, "litert": open_litert, "onnx": open_onnx}


def main(kind, path, given, answers):
    """Say all, and write what was said."""
    say, found = OPENERS[kind](path), {}
    with np.load(given) as texts:
        texts = dict(texts)
    for warm in (True, False):
        started = time.perf_counter()
        for number, token_ids in enumerate(texts["token_ids"]):
            length = int((token_ids > 0).sum())
            inputs = {"token_ids": token_ids[None, :length]}
            inputs |= {name: texts[name][number : number + 1] for name in ("voice", "speed")}
            answer = say(inputs, texts["frames"][number, :length])
            if not warm:
                found |= {f"{name}_{number}": answer[name][0] for name in ("durations", "log_mel", "waveform")}
        seconds = time.perf_counter() - started
    np.savez(answers, seconds=seconds, **found)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.modules["keras"] = None  # pyright: ignore[reportArgumentType]
    main(*sys.argv[1:])
