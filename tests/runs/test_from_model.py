"""A network that was fitted in a loop of one's own becomes a run like any other."""

import dataclasses
import json
import sys

import keras
import numpy as np
import pytest
from _shared import SPEC, quiet

import kerasr
from kerasr.data.clips import read_clip
from kerasr.errors import UserError
from kerasr.streaming.listener import Listener, stream_model_of


@pytest.fixture(scope="module")
def fitted(tones):
    """The tones, their front-end, a small network that knows them, and what `fit` returned."""
    corpus, split_rule = kerasr.split_corpus(kerasr.load_corpus(str(tones)))
    datasets, features = kerasr.make_datasets(corpus, SPEC, batch_size=8, epochs=8)
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input(SPEC.shape),
            keras.layers.Conv1D(8, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(len(corpus.labels)),
        ],
        name="my_net",
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.03), loss, metrics=["accuracy"])
    history = network.fit(datasets["train"], validation_data=datasets["validation"], shuffle=False, verbose=0)
    return corpus, split_rule, features, network, history


@pytest.fixture(scope="module")
def own(fitted, tmp_path_factory):
    """Its run, in a folder."""
    corpus, split_rule, features, network, history = fitted
    path = tmp_path_factory.mktemp("own") / "mine"
    return kerasr.Run.from_model(network, corpus, features, history=history, split_rule=split_rule, path=path)


def test_its_logits_are_the_networks_and_those_of_the_run_that_is_loaded(fitted, own):
    corpus, _, features, network, _ = fitted
    clips = [read_clip(item.path, SPEC) for item in own.utterances("test")]
    expected = np.concatenate([network.predict(features(clip[None]), verbose=0) for clip in clips])
    np.testing.assert_allclose(own.logits(clips), expected, atol=1e-4)
    loaded = kerasr.load_run(own.path)
    np.testing.assert_array_equal(loaded.logits(clips), own.logits(clips))
    assert loaded.labels == corpus.labels
    assert loaded.threshold == own.threshold > 0


def test_it_remembers_the_recordings_and_the_history(fitted, own):
    corpus, split_rule, _, network, history = fitted
    facts = json.loads((own.path / "run.json").read_text())
    assert (facts["status"], facts["split_rule"], facts["parameters"]) == ("done", split_rule, network.count_params())
    for split in ("train", "validation", "test"):
        listed = {(item.path, item.label) for item in own.utterances(split)}
        assert listed == {(item.path, item.label) for item in corpus.utterances if item.split == split}
    assert [row["val_loss"] for row in own.history] == history.history["val_loss"]


def test_what_the_network_learns_later_the_run_does_not(fitted, own):
    _, _, features, network, _ = fitted
    clip = read_clip(own.utterances("test")[0].path, SPEC)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    run = kerasr.Run.from_model(copy, fitted[0], features)
    before = run.logits([clip])
    copy.set_weights([0 * value for value in copy.get_weights()])
    np.testing.assert_array_equal(run.logits([clip]), before)


def test_report_comparison_and_stream_take_it(fitted, own):
    run = kerasr.Run.from_model(fitted[3], fitted[0], fitted[2])
    assert run.in_memory
    assert "kerasr.evaluate_run(run)" in run._repr_html_()
    evaluation = kerasr.evaluate_run(run)
    assert evaluation.metrics["accuracy"] > 0.5
    assert evaluation.report.is_file()
    page = run._repr_html_()
    assert f"{evaluation.metrics['accuracy']:.1%}" in page
    assert 'alt="confusion"' in page
    assert str(run.path) not in page + repr(run)
    comparison = kerasr.compare_runs([own, run])
    assert [row["name"] for row in comparison["runs"]] == ["mine", run.path.name]
    answers = list(Listener(stream_model_of(own)).answer(np.zeros(8000, np.float32)))
    assert answers[0][1].shape == (3,)
    with pytest.raises(UserError) as error:
        stream_model_of(own, carry_state=True)
    assert error.value.code == "streaming-unsupported"


@pytest.mark.full
def test_an_export_is_held_to_it(own, tmp_path):
    _, check = kerasr.export_serving(own, tmp_path / "served")
    assert check.agreement == 1.0


def test_no_training_begins_from_it(own, tmp_path):
    config = kerasr.get_recipe("words").replace(data=str(tmp_path), init_from=str(own.path))
    with pytest.raises(UserError) as error:
        kerasr.train_recipe(config, console=quiet())
    assert error.value.code == "network-unsupported"


class Doubled(keras.layers.Layer):
    """A layer that Keras does not know by its name."""

    def call(self, inputs):
        return 2 * inputs


def softmax_inside():
    inputs = keras.Input(SPEC.shape)
    logits = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(inputs))
    return keras.Model(inputs, keras.ops.softmax(logits))


def small(*layers, shape=SPEC.shape, num_outputs=3, **options):
    last = keras.layers.Dense(num_outputs, **options)
    return keras.Sequential([keras.Input(shape), keras.layers.GlobalAveragePooling1D(), *layers, last])


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: "network", "network-unsupported"),
        (lambda: small(Doubled()), "network-unsupported"),
        (lambda: small(shape=(SPEC.shape[0], 21)), "network-input-wrong"),
        (lambda: small(num_outputs=4), "network-output-wrong"),
        (lambda: small(activation="softmax"), "network-gives-probabilities"),
        (softmax_inside, "network-gives-probabilities"),
    ],
)
def test_a_network_that_is_none_of_a_run_is_refused(fitted, make, code, tmp_path):
    with pytest.raises(UserError) as error:
        kerasr.Run.from_model(make(), fitted[0], fitted[2], path=tmp_path / "mine")
    assert error.value.code == code
    assert not list(tmp_path.iterdir())


def test_what_goes_with_the_network_is_checked(fitted, own):
    corpus, _, features, network, _ = fitted
    undivided = dataclasses.replace(
        corpus, utterances=tuple(dataclasses.replace(item, split=None) for item in corpus.utterances)
    )
    bare = keras.callbacks.History()
    bare.history, bare.epoch = {"loss": [1.0]}, [0]
    for code, values in (
        ("split-missing", {"corpus": undivided}),
        ("history-incomplete", {"history": bare}),
        ("folder-taken", {"path": own.path}),
        ("task-not-found", {"task": "guess"}),
        ("setting-missing", {"task": "detect"}),
        ("network-output-wrong", {"wanted": "low"}),
    ):
        with pytest.raises(UserError) as error:
            kerasr.Run.from_model(**{"network": network, "corpus": corpus, "features": features, **values})
        assert error.value.code == code


def test_a_detector_is_one_too_and_its_name_is_no_markup_in_a_notebook(fitted, tmp_path):
    path = tmp_path / "<i>mine"
    run = kerasr.Run.from_model(small(num_outputs=1), fitted[0], fitted[2], wanted="low", path=path)
    assert run.labels == ("not low", "low")
    assert "&lt;i&gt;mine" in run._repr_html_()
    assert "<i>" not in run._repr_html_()


def test_a_layer_of_a_package_is_asked_for_when_it_is_loaded(fitted, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_layers.py").write_text(
        "import keras\n\n@keras.saving.register_keras_serializable('my_layers')\n"
        "class Kept(keras.layers.Layer):\n    def call(self, inputs):\n        return inputs\n"
    )
    import my_layers

    path = tmp_path / "mine"
    run = kerasr.Run.from_model(small(my_layers.Kept()), fitted[0], fitted[2], path=path)
    assert run.config.runtime.imports == ("my_layers",)
    monkeypatch.delitem(sys.modules, "my_layers")
    with pytest.raises(UserError) as error:
        kerasr.load_run(path)
    assert error.value.code == "run-needs-import"
