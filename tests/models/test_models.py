"""Every model of the registry, held to the same laws.

By default narrow, and of models that share a file the first one; `pytest -m full` takes all, at full width.
"""

import functools
import inspect
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from _errors import raises

import kerasr.models
from kerasr.layers import ctc_loss
from kerasr.models import count_macs
from kerasr.models.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE, builder, list_models, model_facts, register_model
from kerasr.train import parse_arguments


def rows(*, variants=False):
    """A row for each model, and for each of its variants; those after the first of a file are for the full table."""
    files = set()
    for facts in list_models():
        marks = [pytest.mark.full] if facts.module in files else []
        files.add(facts.module)
        for options in [{}, *(facts.variants if variants else [])]:
            name = "-".join([facts.name, *map(str, options.values())])
            yield pytest.param(*([facts, options] if variants else [facts]), id=name, marks=marks)


MODELS, TABLE = list(rows()), list(rows(variants=True))
SHAPE = (33, 12)
OUTPUTS = 3
# What a wide network has that a narrow one has not is larger sums, and 16 bits have least room for them.
PRECISIONS = [
    pytest.param("float32", False, id="float32-narrow"),
    pytest.param("mixed_bfloat16", False, id="mixed_bfloat16-narrow", marks=pytest.mark.full),
    pytest.param("mixed_float16", False, id="mixed_float16-narrow", marks=pytest.mark.full),
    pytest.param("mixed_float16", True, id="mixed_float16-full", marks=pytest.mark.full),
]


def build(facts, shape=SHAPE, num_outputs=OUTPUTS, *, full=False, **options):
    """The model without dropout, narrow or not, with biases and norms that are not the initial zeros and ones."""
    keras.utils.set_random_seed(0)
    narrow = {} if full else facts.narrow
    model = builder(facts.name)(shape, num_outputs, **{"dropout": 0.0, **narrow, **options})
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign_add(rng.uniform(0, 0.1, weight.shape))
    return model


@functools.cache
def _built(name, options):
    facts = next(facts for facts in list_models() if facts.name == name)
    return build(facts, (None, SHAPE[1]) if facts.masks_padding else SHAPE, **dict(options))


def built(facts, options):
    """The same, made once for all tests, which read it only; one that masks the padding for clips of any length."""
    return _built(facts.name, tuple(options.items()))


@functools.cache
def again(name):
    """Another of the model, with one output if it has one for a clip."""
    facts = model_facts(name)
    return build(facts, num_outputs=OUTPUTS if facts.per_frame else 1)


def clips(lengths, time, num_features=SHAPE[1]):
    """One clip of each length, each with values of its own, padded with zeros to `time` frames."""
    batch = np.zeros((len(lengths), time, num_features), "float32")
    for index, length in enumerate(lengths):
        batch[index, :length] = np.random.default_rng(index).normal(size=(length, num_features))
    return batch


def clip_loss(facts, logits, labels):
    """Each clip's loss: of its label, or of that as a transcript of one token."""
    if facts.per_frame:
        return ctc_loss(logits, np.maximum(labels, 1)[:, None], np.ones(len(labels), np.int32))
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


@pytest.mark.parametrize("facts", list_models(), ids=lambda facts: facts.name)
def test_the_registry_tells_the_truth(facts):
    model = builder(facts.name)(REFERENCE_SHAPE, REFERENCE_OUTPUTS)
    # What was read in the file is what its decorators have said by now.
    assert model_facts(facts.name) == facts
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert (facts.parameters, facts.macs) == (parameters, count_macs(model))
    signature = inspect.signature(builder(facts.name)).parameters.values()
    options = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY and p.name != "name"}
    assert facts.options == options
    assert {*facts.narrow} | {name for options in facts.variants for name in options} <= {*facts.options}
    # By this name a training that begins from another run knows what to leave.
    assert [layer.name for layer in model.layers][-1 - facts.per_frame] == "logits"
    if facts.per_frame:
        assert model.output_shape == (None, -(-REFERENCE_SHAPE[0] // facts.stride), REFERENCE_OUTPUTS)


def test_the_face_names_every_model():
    assert {facts.name for facts in list_models() if facts.module.startswith("kerasr.")} <= {*kerasr.models.__all__}


def test_attention_counts_as_work():
    model = builder("KWT1")((4, 8), 3, num_layers=1)
    block = 5 * (64 * 3 * 64 + 64 * 64 + 2 * 64 * 256) + 2 * 5 * 5 * 64
    assert count_macs(model) == 4 * 8 * 64 + block + 64 * 3


@pytest.mark.parametrize(("precision", "full"), PRECISIONS)
@pytest.mark.parametrize("facts", MODELS)
def test_a_step_learns_at_every_precision(facts, precision, full):
    keras.config.set_dtype_policy(precision)
    try:
        model = build(facts, full=full)
    finally:
        keras.config.set_dtype_policy("float32")
    features, labels = clips([33, 20, 9, 1], 33), np.array([0, 1, 2, 0])
    weights = [weight.value for weight in model.trainable_weights]

    def loss():
        logits = model(features, training=True)
        assert logits.dtype == "float32"
        return tf.reduce_mean(clip_loss(facts, logits, labels))

    with tf.GradientTape() as tape:
        before = loss()
    gradients = tape.gradient(before, weights)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    norm = float(tf.linalg.global_norm(gradients))

    def after(step):
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign_sub(step / norm * gradient)
        return loss()

    # A step that one network follows is too far for another: from the longer one back to the shorter.
    assert any(after(step) < before for step in (0.03, -0.02))


@pytest.mark.parametrize(("facts", "options"), TABLE)
def test_a_saved_model_answers_the_same(facts, options, tmp_path):
    model = built(facts, options)
    model.save(tmp_path / "model.keras")
    features = clips([33, 20], 33)
    np.testing.assert_array_equal(model(features), keras.models.load_model(tmp_path / "model.keras")(features))


@pytest.mark.parametrize(("facts", "options"), TABLE)
def test_a_clip_does_not_see_its_batch(facts, options):
    model = built(facts, options)
    lengths = [33, 20, 9, 1, 32]
    batch = clips(lengths, 33)
    together = model(batch).numpy()
    for index in range(len(lengths)):
        np.testing.assert_allclose(model(batch[index : index + 1])[0], together[index], atol=1e-5)


@pytest.mark.parametrize(("facts", "options"), [row for row in TABLE if row.values[0].masks_padding])
def test_a_clip_does_not_see_its_padding(facts, options):
    model = built(facts, options)
    for index, length in enumerate(lengths := [20, 9, 1, 2]):
        alone = model(clips(lengths, 20)[index : index + 1, :length])
        for padded in (length + 1, length + 2, 33):
            frames = clips(lengths, max(20, padded))[index : index + 1, :padded]
            found = model(frames)
            if facts.per_frame:
                # What is longer says nothing.
                np.testing.assert_array_equal(found[:, alone.shape[1] :].numpy().argmax(-1), 0)
                found = found[:, : alone.shape[1]]
            np.testing.assert_allclose(found, alone, atol=1e-5)


@pytest.mark.parametrize("facts", [row for row in MODELS if row.values[0].per_frame])
def test_a_training_does_not_see_how_far_its_clips_are_padded(facts):
    """The loss and its gradient, statistics of the batch among them."""
    model, lengths = build(facts, (None, SHAPE[1])), [33, 20, 9, 6]
    losses, gradients = [], []
    for time in (33, 38):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(clip_loss(facts, model(clips(lengths, time), training=True), np.array([0, 1, 2, 0])))
        losses.append(loss.numpy())
        gradients.append([gradient.numpy() for gradient in tape.gradient(loss, model.trainable_weights)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("facts", MODELS)
def test_what_has_weights_has_a_name_of_its_own(facts):
    """A training that begins from another run's finds them by it; Keras's own names count on in a process."""
    names = [[layer.name for layer in model.layers if layer.weights] for model in (built(facts, {}), again(facts.name))]
    assert names[0] == names[1]


@pytest.mark.parametrize("facts", [row for row in MODELS if not row.values[0].per_frame])
def test_one_output_is_a_detector(facts):
    assert again(facts.name)(clips([33, 5], 33)).shape == (2, 1)


@pytest.mark.parametrize("facts", [row for row in MODELS if not row.values[0].masks_padding])
def test_a_picture_needs_a_fixed_length(facts):
    with raises("clip-length-missing", "clip_seconds"):
        build(facts, (None, 12))


@pytest.mark.parametrize("facts", MODELS)
def test_an_unknown_option_is_an_error(facts):
    with pytest.raises(TypeError, match="depth"):
        build(facts, depth=3)


def test_a_size_between_whole_numbers_can_be_given_on_the_command_line():
    assert parse_arguments(["commands", "--model", "BCResNet", "--model.tau", "1.5"]).train.model.options["tau"] == 1.5


@pytest.mark.parametrize(("name", "options"), [("BCResNet", {"tau": 4}), ("ResNet8Encoder", {"pool": 4})])
def test_a_size_that_there_is_not_is_an_error(name, options):
    with raises("setting-out-of-range"):
        builder(name)(SHAPE, OUTPUTS, **options)


def test_an_unknown_model_is_an_error_that_lists_those_there_are():
    with raises("model-not-found", "StackedLSTM"):
        builder("ResNet19")


def test_a_name_is_given_once():
    def ResNet18(input_shape, num_outputs, *, name="resnet18"):
        """Another."""

    with raises("name-taken", "kerasr.models.keyword.resnet"):
        register_model(ResNet18)


JAX = """
import sys
import keras, numpy as np
from keras.initializers import Orthogonal, TruncatedNormal, VarianceScaling
from kerasr.layers.recurrent import choose_implementation
assert choose_implementation() == "fused"
# JAX compiles a program for each shape that it draws, and what is drawn here is replaced by what was saved.
for initializer in (VarianceScaling, Orthogonal, TruncatedNormal):
    initializer.__call__ = lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype)
folder, *names = sys.argv[1:]
features, labels = np.load(folder + "/features.npy"), np.array([0, 1, 2])
for name in names:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    logits = model.predict_on_batch(features)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = [model.train_on_batch(features, labels) for _ in range(2)] if "LSTM" in name and logits.ndim == 2 else []
    np.savez(f"{folder}/{name}.npz", logits=logits, losses=losses)
"""


def _agree_on_jax(rows, folder):
    """Logits of every model, and two steps of training of those whose gradient is written by hand."""
    pytest.importorskip("jax")
    features = clips([33, 20, 9], 33)
    np.save(folder / "features.npy", features)
    models = {row.id: built(*row.values) for row in rows}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # each program runs once or twice
    }
    subprocess.run([sys.executable, "-c", JAX, str(folder), *models], env=environment, check=True)
    for name, model in models.items():
        jax = np.load(folder / f"{name}.npz")
        np.testing.assert_allclose(jax["logits"], model(features), atol=1e-4, err_msg=name)
        twin = keras.models.load_model(folder / f"{name}.keras")
        twin.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses = [twin.train_on_batch(features, np.array([0, 1, 2])) for _ in jax["losses"]]
        np.testing.assert_allclose(jax["losses"], losses, atol=1e-4, err_msg=name)


JAX_BY_DEFAULT = {"ResNet8", "StackedLSTM", "KWT1"}


def test_tensorflow_and_jax_agree(tmp_path):
    _agree_on_jax([row for row in TABLE if row.id in JAX_BY_DEFAULT], tmp_path)


@pytest.mark.full
def test_tensorflow_and_jax_agree_on_the_rest(tmp_path):
    _agree_on_jax([row for row in TABLE if row.id not in JAX_BY_DEFAULT], tmp_path)


def test_the_table_is_there_at_once_and_without_tensorflow():
    command = [sys.executable, "-X", "importtime", "-m", "kerasr.models"]
    table = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "120"})
    assert not {"tensorflow", "keras", "jax"} & {line.split("|")[-1].strip() for line in table.stderr.splitlines()}
    facts = json.loads(subprocess.run([*command[:1], "-m", "kerasr.models", "--json"], capture_output=True).stdout)
    for model in list_models():
        assert f"{model.parameters:,}" in table.stdout
        assert model.name in [row["name"] for row in facts]
