"""Hear clips with an exported file, in a process of its own: `python -P hear.py FORMAT FILE CLIPS ANSWERS`.

It imports nothing of kerasr, and importing Keras is made to fail: what it answers, a server or a phone will answer.
CLIPS is an .npz of `waveform` (batch, samples) and `wav`, paths of WAV files, or none; ANSWERS an .npz of `logits` and
`probs` for the waveforms, `wav_logits` for the files, and `milliseconds` for the first clip alone on one thread.
"""

import os
import statistics
import sys
import time

import numpy as np

NUM_TIMED = 30


def hear_saved_model(path, waveform, wav):
    """Through the signatures that a client of TensorFlow Serving calls."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    signatures = tf.saved_model.load(path).signatures
    found = signatures["serving_default"](waveform=tf.constant(waveform))
    answers = {name: found[name].numpy() for name in ("logits", "probs")}
    if len(wav):
        contents = tf.constant([tf.io.read_file(str(name)).numpy() for name in wav])
        answers["wav_logits"] = signatures["serve_wav"](wav=contents)["logits"].numpy()
    one = tf.constant(waveform[:1])
    return answers, lambda: signatures["serving_default"](waveform=one)["logits"].numpy()


HEAR = {"savedmodel": hear_saved_model}


def main(kind, path, clips, answers):
    """Hear, time, write."""
    with np.load(clips) as given:
        found, once = HEAR[kind](path, given["waveform"], given["wav"])
    once()
    times = []
    for _ in range(NUM_TIMED):
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    np.savez(answers, milliseconds=1e3 * statistics.median(times), **found)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.modules["keras"] = None
    main(*sys.argv[1:])
