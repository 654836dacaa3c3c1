"""CTC's loss: Keras's, for each clip's own length, whatever it is batched and padded with."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kerasr.layers.ctc import PADDING_LOGIT, BlankPadding, count_frames, ctc_loss, least_frames

TOKENS = [[1, 2, 2, 3], [4], [], [3, 3, 3], [1, 2, 3, 4, 1]]
FRAMES = [12, 1, 7, 5, 9]


def batch(time=12, num_outputs=5):
    """Logits with marked padding, token ids and their numbers."""
    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal((len(TOKENS), 12, num_outputs)).astype("float32")
    logits = np.pad(logits, [(0, 0), (0, time - 12), (0, 0)])
    padded = np.full((len(TOKENS), 5), -1, np.int32)
    for row, ids in zip(padded, TOKENS, strict=True):
        row[: len(ids)] = ids
    return (
        BlankPadding()(logits, ops.convert_to_tensor(FRAMES, "int32")),
        padded,
        np.array([*map(len, TOKENS)], np.int32),
    )


def test_the_padding_says_blank_for_certain():
    logits, *_ = batch()
    probs = ops.softmax(logits)
    # (To the last bit: some processors' softmax ends one below 1.)
    np.testing.assert_allclose(probs[1, 1:, 0], 1, atol=1e-6)
    np.testing.assert_allclose(ops.log_softmax(logits)[1, 1:, 0], 0, atol=1e-6)
    np.testing.assert_array_equal(count_frames(logits), FRAMES)


@pytest.mark.parametrize("sparse", [True, False])
def test_it_is_kerass_loss_and_gradient_with_true_lengths(sparse):
    logits, tokens, lengths = batch()
    chosen = [index for index, count in enumerate(lengths) if count]
    weights = tf.constant([1.0, 2.0, 3.0, 4.0, 5.0])

    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = ctc_loss(logits, tokens, lengths, sparse=sparse)
        total = tf.reduce_sum(weights * losses)
    gradient = tape.gradient(total, logits)
    for index in chosen:
        own, ids = logits[index : index + 1, : FRAMES[index]], np.array([TOKENS[index]])
        with tf.GradientTape() as tape:
            tape.watch(own)
            expected = ops.ctc_loss(ids, own, np.array([len(ids[0])]), np.array([FRAMES[index]]), mask_index=0)[0]
        np.testing.assert_allclose(losses[index], expected, atol=1e-3)
        found = gradient[index] / weights[index]
        np.testing.assert_allclose(found[: FRAMES[index]], tape.gradient(expected, own)[0], atol=1e-3)
        np.testing.assert_allclose(found[FRAMES[index] :], 0, atol=1e-6)
    silence = -np.sum(ops.log_softmax(logits)[2, : FRAMES[2], 0])
    np.testing.assert_allclose(losses[2], silence, rtol=1e-5)


@pytest.mark.parametrize("sparse", [True, False])
def test_a_clip_sees_neither_its_batch_nor_its_padding(sparse):
    logits, tokens, lengths = batch()
    losses = ctc_loss(logits, tokens, lengths, sparse=sparse)
    longer, *_ = batch(time=20)
    np.testing.assert_allclose(ctc_loss(longer, tokens, lengths, sparse=sparse), losses, rtol=1e-5)
    for index, frames in enumerate(FRAMES):
        alone = ctc_loss(logits[index : index + 1, :frames], tokens[index : index + 1], lengths[index : index + 1])
        np.testing.assert_allclose(alone[0], losses[index], rtol=1e-4)


@pytest.mark.parametrize("sparse", [True, False])
def test_what_cannot_be_said_counts_nothing(sparse):
    np.testing.assert_array_equal(least_frames(*map(ops.convert_to_tensor, batch()[1:])), [5, 1, 0, 5, 5])
    logits = tf.Variable(np.random.default_rng(0).standard_normal((2, 4, 3)).astype("float32"))
    with tf.GradientTape() as tape:
        losses = ctc_loss(logits, np.array([[1, 1, 1], [1, 2, 1]]), np.array([3, 3]), sparse=sparse)
        total = tf.reduce_sum(losses)
    gradient = tape.gradient(total, logits)
    assert losses[0] == 0
    assert losses[1] > 0
    np.testing.assert_array_equal(gradient[0], 0)
    assert np.isfinite(gradient).all()


def test_half_precision_is_computed_in_whole():
    logits, tokens, lengths = batch()
    whole = ctc_loss(logits, tokens, lengths)
    half = ctc_loss(tf.cast(logits, "float16"), tokens, lengths)
    assert half.dtype == tf.float32
    np.testing.assert_allclose(half, whole, rtol=1e-2)


JAX = """
import json, sys
import keras, numpy as np
from kerasr.layers import ctc_loss
case = np.load(sys.argv[1])
print(json.dumps(np.array(ctc_loss(case["logits"], case["tokens"], case["lengths"])).tolist()))
"""


def test_jax_agrees(tmp_path):
    pytest.importorskip("jax")
    logits, tokens, lengths = batch()
    np.savez(tmp_path / "case.npz", logits=logits, tokens=tokens, lengths=lengths)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", JAX, str(tmp_path / "case.npz")]
    found = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    np.testing.assert_allclose(found, ctc_loss(logits, tokens, lengths), atol=1e-3)


def test_the_padding_survives_saving(tmp_path):
    logits, num_frames = keras.Input((None, 5)), keras.Input((), dtype="int32")
    model = keras.Model([logits, num_frames], BlankPadding()(logits, num_frames))
    model.save(tmp_path / "model.keras")
    found = keras.models.load_model(tmp_path / "model.keras")([np.ones((1, 4, 5), "float32"), np.array([2], np.int32)])
    np.testing.assert_array_equal(found[0, 2:], [[0, *[PADDING_LOGIT] * 4]] * 2)
