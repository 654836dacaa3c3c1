"""The recurrent layer, equal to Keras's under a mask, forwards and on the way back, whatever computes it."""

import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from _errors import raises
from _padding import NUM_FRAMES, padded_clips, with_gradients

from kerasr.layers import NumFrames, recurrent
from kerasr.layers.recurrent import IMPLEMENTATIONS, MaskedRNN, choose_implementation, with_implementation


@pytest.fixture
def clips():
    return padded_clips()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_values_and_gradients_are_those_of_keras_under_a_mask(
    clips, cell, reverse, sequences, implementation, monkeypatch
):
    monkeypatch.setattr(recurrent, "BLOCK", 5)
    ours = MaskedRNN(5, cell=cell, return_sequences=sequences, reverse=reverse, implementation=implementation)
    theirs = (keras.layers.LSTM if cell == "lstm" else keras.layers.GRU)(5, return_sequences=sequences)
    inside = np.arange(12)[None] < NUM_FRAMES[:, None]
    features = tf.constant(clips)

    def expected():
        source = tf.reverse_sequence(features, NUM_FRAMES, seq_axis=1) if reverse else features
        outputs = theirs(source, mask=inside)
        if sequences and reverse:
            outputs = tf.reverse_sequence(outputs, NUM_FRAMES, seq_axis=1)
        return tf.where(inside[:, :, None], outputs, 0) if sequences else outputs

    expected(), ours(features, NUM_FRAMES)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=weight.shape, scale=0.5) for weight in theirs.get_weights()]
    theirs.set_weights(weights), ours.set_weights(weights)
    got, want = (
        with_gradients(call, [features, *layer.trainable_variables])
        for call, layer in ((lambda: ours(features, NUM_FRAMES), ours), (expected, theirs))
    )
    for ours_value, theirs_value in zip(got, want, strict=True):
        np.testing.assert_allclose(ours_value, theirs_value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gradients_are_the_same_where_the_graph_does_not_know_the_length(clips, cell):
    layer = MaskedRNN(5, cell=cell, return_sequences=True)
    layer(clips, NUM_FRAMES)

    def gradients(features):
        return tf.stack([tf.norm(value) for value in _with_gradients_in_graph(layer, features)])

    unknown = tf.function(gradients, input_signature=[tf.TensorSpec([4, None, 3])])
    np.testing.assert_allclose(unknown(clips), gradients(tf.constant(clips)), rtol=1e-5)


def _with_gradients_in_graph(layer, features):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(3 * layer(features, NUM_FRAMES)))
    return tape.gradient(loss, [weight.value for weight in layer.trainable_variables])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("frames", [1, 63, 64, 65, 130])
def test_blocks_of_frames_give_the_same_states(rng, cell, frames):
    sequence = rng.normal(size=(2, frames, 4)).astype("float32")
    count = np.array([frames, max(1, frames // 2)], "int32")
    fused = MaskedRNN(5, cell=cell, return_sequences=True)
    blocks = MaskedRNN(5, cell=cell, return_sequences=True, implementation="blocks")
    want = fused(sequence, count)
    blocks(sequence, count)
    blocks.set_weights(fused.get_weights())
    unknown = tf.function(blocks, input_signature=[tf.TensorSpec([2, None, 4]), tf.TensorSpec([2], tf.int32)])
    for got in (blocks(sequence, count), unknown(sequence, count)):
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_gradients_are_the_same_compiled(clips):
    layer = MaskedRNN(5, return_sequences=True)
    layer(clips, NUM_FRAMES)

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(layer(clips, NUM_FRAMES)))
        return tape.gradient(loss, [weight.value for weight in layer.trainable_variables])

    for plain, compiled in zip(gradients(), tf.function(gradients, jit_compile=True)(), strict=True):
        np.testing.assert_allclose(plain, compiled, atol=1e-5)


def test_a_frozen_layer_still_runs(clips):
    layer = MaskedRNN(5, trainable=False)
    assert layer(clips, NUM_FRAMES).shape == (4, 5)


def test_a_model_keeps_its_weights_when_its_implementation_changes(clips):
    features = keras.Input((None, 3))
    model = keras.Model(features, MaskedRNN(5, implementation="plain", name="rnn")(features, NumFrames()(features)))
    fused = with_implementation(model, "fused")
    assert (model.get_layer("rnn").implementation, fused.get_layer("rnn").implementation) == ("plain", "fused")
    np.testing.assert_allclose(model(clips), fused(clips), atol=1e-6)


def test_files_of_earlier_runs_call_the_implementation_a_kernel(clips, tmp_path):
    features = keras.Input((None, 3))
    layer = MaskedRNN(5, implementation="plain", dtype="mixed_bfloat16", name="rnn")
    model = keras.Model(features, layer(features, NumFrames()(features)))
    model.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "old.keras", "w") as old:
        assert new.read("config.json").count(b'"implementation"') == 1
        for name in new.namelist():
            old.writestr(name, new.read(name).replace(b'"implementation"', b'"kernel"'))
    loaded = keras.saving.load_model(tmp_path / "old.keras")
    assert loaded.get_layer("rnn").get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(clips), model(clips))


def test_without_a_gpu_the_fused_implementation_is_chosen():
    assert choose_implementation() == choose_implementation(xla=True) == "fused"
    assert choose_implementation("plain") == "plain"
    with raises("implementation-unavailable"):
        choose_implementation("cudnn")


@pytest.mark.parametrize("policy", ["auto", "cudnn"])
def test_cudnn_is_chosen_where_it_runs(monkeypatch, policy):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0"])
    assert choose_implementation(policy) == "cudnn"


def test_cudnn_is_not_compiled_by_xla(monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0"])
    assert choose_implementation(xla=True) == "fused"
    with raises("implementation-unavailable", "XLA"):
        choose_implementation("cudnn", xla=True)


@pytest.mark.parametrize("option", [{"cell": "rnn"}, {"implementation": "quick"}])
def test_unknown_options_are_named(option):
    with raises("setting-out-of-range"):
        MaskedRNN(4, **option)
