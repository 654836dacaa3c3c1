"""CTC and an attention decoder learn together, from one encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from _errors import raises

from kerasr.config import FitConfig, TaskConfig, TrainConfig
from kerasr.layers import NumFrames
from kerasr.models.blocks import frame_logits
from kerasr.models.head import with_embedding
from kerasr.tasks.classify import Classify
from kerasr.tasks.transcribe import Transcribe
from kerasr.training.checkpoint import load_checkpoint, save_checkpoint
from kerasr.training.learner import Learner
from kerasr.training.preparation import check_model

TASK = Transcribe((" ", "a", "b"), TaskConfig("transcribe"))
FIT = FitConfig(ctc_weight=0.25, label_smoothing=0.1)
TOKEN_IDS = np.array([[2, 3, 2], [3, -1, -1]], np.int32)


@pytest.fixture
def learner():
    keras.utils.set_random_seed(0)
    features = keras.Input((None, 4))
    num_frames = NumFrames()(features)
    network = keras.Model(features, frame_logits(keras.layers.Dense(6)(features), num_frames, 4))
    made = with_embedding(network)
    trained = Learner(
        made.input,
        made.output,
        task=TASK,
        loss=TASK.loss(FIT),
        auxiliary=TASK.auxiliary_loss(network, FIT),
        average=0.9,
    )
    optimizer = keras.optimizers.Adam(0.02)
    trained.compile(optimizer, TASK.loss(FIT), metrics=TASK.metrics(), jit_compile=False)
    return trained


@pytest.fixture
def features(rng):
    clips = rng.normal(size=(2, 12, 4)).astype("float32")
    clips[1, 5:] = 0
    return clips


def loss_and_slopes(learner, features, token_ids):
    """The loss as validation has it, and its slopes by the weights."""
    weights = [weight.value for weight in learner.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = learner.compute_loss(features, token_ids, learner(features), training=False)
    return float(loss), [slope.numpy() for slope in map(tf.convert_to_tensor, tape.gradient(loss, weights))]


def test_the_loss_is_the_weighted_sum_of_both(learner, features):
    logits, embedding = learner(features)
    ctc = float(keras.ops.mean(TASK.loss(FIT).call(TOKEN_IDS, logits)))
    apart = float(keras.ops.mean(learner._auxiliary.compute(embedding, logits, TOKEN_IDS, False)))
    loss, _ = loss_and_slopes(learner, features, TOKEN_IDS)
    assert loss == pytest.approx(0.25 * ctc + 0.75 * apart, rel=1e-5)
    assert TASK.auxiliary_loss(None, FitConfig()) is None


def test_words_have_no_ctc():
    words = Classify(("a", "b"), TaskConfig("classify"))
    with raises("settings-conflict"):
        check_model(TrainConfig().replace(ctc_weight=0.3), words)


def test_neither_the_batch_nor_the_padding_changes_it(learner, features):
    together, slopes = loss_and_slopes(learner, features, TOKEN_IDS)
    alone = [
        loss_and_slopes(learner, features[:1], TOKEN_IDS[:1]),
        loss_and_slopes(learner, features[1:, :5], TOKEN_IDS[1:, :1]),
    ]
    assert together == pytest.approx(np.mean([loss for loss, _ in alone]), rel=1e-5)
    for whole, *parts in zip(slopes, *(slopes for _, slopes in alone), strict=True):
        np.testing.assert_allclose(whole, np.mean(parts, axis=0), atol=1e-5)


def test_a_checkpoint_holds_the_decoder(learner, tmp_path):
    save_checkpoint(tmp_path / "checkpoint.npz", learner, {})
    kept = learner.auxiliary_head.get_weights()
    learner.auxiliary_head.set_weights([weight + 1 for weight in kept])
    load_checkpoint(tmp_path / "checkpoint.npz").restore(learner)
    for weight, value in zip(learner.auxiliary_head.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(weight, value)
