"""Muon: equal to Keras's where Keras has it, and a convolution's kernel taken as a matrix."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasr.config import OptimizerConfig
from kerasr.training.optimizers import Muon, is_hidden_kernel, make_optimizer, orthogonal


def dense_model():
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(12, activation="tanh", name="hidden")
    return keras.Sequential([keras.Input((6,)), hidden, keras.layers.Dense(3, name="logits")])


def test_dense_layers_move_as_under_keras_muon(rng):
    features, targets = rng.normal(size=(16, 6)).astype("float32"), rng.normal(size=(16, 3)).astype("float32")
    trained = []
    for optimizer in (
        Muon(0.02, weight_decay=0.1),
        keras.optimizers.Muon(0.02, weight_decay=0.1, adam_weight_decay=0.1, exclude_layers=["logits"]),
    ):
        model = dense_model()
        model.compile(optimizer, "mse", jit_compile=False)
        model.fit(features, targets, batch_size=4, epochs=2, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for ours, theirs, start in zip(*trained, dense_model().get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
        assert not np.allclose(ours, start)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (4, 4)])
def test_singular_values_come_near_one(shape, rng):
    values = np.linalg.svd(orthogonal(tf.constant(rng.normal(size=shape).astype("float32"))).numpy(), compute_uv=False)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_only_kernels_between_channels_are_made_orthogonal():
    model = keras.Sequential([
        keras.Input((9, 8, 1)),
        keras.layers.Conv2D(4, 3, name="first"),
        keras.layers.Conv2D(6, 3, name="second"),
        keras.layers.DepthwiseConv2D(3, name="depthwise"),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(2, name="logits"),
    ])  # fmt: skip
    (kernel,) = (variable for variable in model.trainable_variables if is_hidden_kernel(variable))
    assert kernel is model.get_layer("second").kernel


@pytest.mark.parametrize(("kind", "gates"), [(keras.layers.LSTM, 4), (keras.layers.GRU, 3)])
def test_each_gate_of_a_recurrent_layer_moves_on_its_own(kind, gates, rng):
    layer = kind(5, name="recurrent")
    layer.build((None, None, 7))
    optimizer = Muon(0.5, weight_decay=0.0, momentum=0.0)
    optimizer.build(layer.trainable_variables)
    kernels = [variable for variable in layer.trainable_variables if is_hidden_kernel(variable)]
    assert [kernel.shape for kernel in kernels] == [(7, 5 * gates), (5, 5 * gates)]
    before = [kernel.numpy() for kernel in kernels]
    slopes = [tf.constant(rng.normal(size=variable.shape).astype("float32")) for variable in layer.trainable_variables]
    optimizer.apply(slopes)
    for kernel, start, slope in zip(kernels, before, slopes, strict=False):
        parts = [orthogonal(part).numpy() for part in tf.split(slope, gates, axis=1)]
        step = 0.5 * 0.2 * max(parts[0].shape) ** 0.5
        np.testing.assert_allclose(kernel.numpy() - start, -step * np.concatenate(parts, axis=1), atol=1e-5)


def test_a_convolution_learns_under_it(rng):
    images = rng.normal(size=(32, 8, 8, 2)).astype("float32")
    labels = (images[:, 2:5, 2:5, 0].sum((1, 2)) > 0).astype("float32")
    model = keras.Sequential([
        keras.Input((8, 8, 2)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(1, name="logits"),
    ])  # fmt: skip
    optimizer = make_optimizer(OptimizerConfig(name="muon", learning_rate=0.03, warmup_epochs=0, ema=0.9), 1, 40)
    assert isinstance(optimizer, Muon)
    assert optimizer.get_config()["momentum"] == 0.95
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    losses = model.fit(images, labels, batch_size=32, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_a_compiled_model_comes_back_from_its_file(tmp_path):
    model = dense_model()
    model.compile(Muon(0.02, momentum=0.9), "mse", jit_compile=False)
    model.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)
    model.save(tmp_path / "model.keras")
    optimizer = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert optimizer.get_config()["momentum"] == 0.9
    before = len(optimizer.variables)
    optimizer.build(model.trainable_variables)
    assert len(optimizer.variables) == before
    for ours, theirs in zip(optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
