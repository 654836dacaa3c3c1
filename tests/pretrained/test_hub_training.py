"""A pretrained encoder goes on learning: it says what keras-hub's layers say, and its run needs no keras-hub."""

import csv
import shutil
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from _errors import raises
from _shared import quiet

from kerasr import train
from kerasr.config import FeatureSpec, TaskConfig
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.exporters.saved_model import write_saved_model
from kerasr.layers.ctc import count_frames
from kerasr.models import encoder
from kerasr.models.hub import read_backbone
from kerasr.models.hub_encoder import read_encoder
from kerasr.models.registry import builder, model_facts
from kerasr.recipes import get_recipe
from kerasr.runs.run import load_run
from kerasr.streaming.step_model import streaming_step
from kerasr.tasks import find_task
from kerasr.training.preparation import check_model
from kerasr.training.pretrained import use_waveform
from kerasr.training.trainer import train_recipe
from kerasr.training.transfer import give_weights, inherit

FACTS = model_facts("MoonshineEncoder")
RATE = 16_000


def noise(size, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(size)).astype(np.float32)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """A low tone is said "a", a high one "b"."""
    folder = tmp_path_factory.mktemp("letters")
    with open(folder / "labels.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "text", "split"])
        for number in range(12):
            text, split = ("ab", "ba", "a")[number % 3], ("train", "train", "validation", "test")[number // 3]
            tones = [np.sin(2 * np.pi * {"a": 300, "b": 900}[letter] * np.arange(3200) / RATE) for letter in text]
            soundfile.write(folder / f"{number}.wav", 0.3 * np.concatenate(tones) + noise(3200 * len(text)), RATE)
            rows.writerow([f"{number}.wav", text, split])
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def preset(moonshine_folder, tmp_path_factory):
    """A copy that can go away."""
    return shutil.copytree(moonshine_folder, tmp_path_factory.mktemp("preset") / "moonshine")


def settings(preset, manifest, out, **changes):
    config = get_recipe("sentences", f"hub:{preset}")
    return config.replace(data=str(manifest), out=str(out), epochs=2, batch_size=3, **changes)


@pytest.fixture(scope="module")
def run(preset, manifest, tmp_path_factory):
    """One whose pretrained model is no longer there."""
    config = settings(preset, manifest, tmp_path_factory.mktemp("runs"), **{"model.frozen_layers": 1})
    run = train_recipe(replace(config, transfer=replace(config.transfer, head_share=0.5)), console=quiet())
    shutil.move(preset, f"{preset}_moved")
    yield run
    shutil.move(f"{preset}_moved", preset)


@pytest.fixture(scope="module")
def network(moonshine_folder):
    found = read_encoder(f"hub:{moonshine_folder}")
    network = builder(found.model)((None, 1), 4, **found.sizes)
    found.give_weights(network)
    return network


@pytest.mark.parametrize("size", [895, 5001])
def test_it_says_what_the_layers_of_keras_hub_say(moonshine_folder, network, size):
    _, backbone = read_backbone(f"hub:{moonshine_folder}")
    theirs = keras.Model(
        [backbone.input["encoder_input_values"], backbone.input["encoder_padding_mask"]],
        backbone.output["encoder_sequence_output"],
    )
    waveform = noise(size)[None, :, None]
    expected = np.asarray(theirs([waveform, np.ones((1, size), bool)], training=False))
    found = np.asarray(encoder(network)(waveform))[:, : expected.shape[1]]
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # The others are past the clip's end, and their logits say the blank.
    assert FACTS.num_outputs(size) == expected.shape[1] == count_frames(network(waveform))[0]


def test_a_clip_sees_neither_its_batch_nor_its_padding(network):
    sizes = (9000, 5000, 895, 300)
    batch = np.zeros((4, 9000, 1), np.float32)
    for row, size in enumerate(sizes):
        batch[row, :size, 0] = noise(size, row)
    together = np.asarray(network(batch))
    for row, size in enumerate(sizes):
        alone = np.asarray(network(batch[row : row + 1, :size]))[0]
        np.testing.assert_allclose(together[row, : len(alone)], alone, atol=1e-4)
        assert (together[row, FACTS.num_outputs(size) :].argmax(-1) == 0).all()


@pytest.mark.usefixtures("scores_alone", "few_signatures")
def test_the_run_is_like_any_other(run, preset, monkeypatch, tmp_path):
    """Without keras-hub and the preset: loaded, measured twice, served, taken further."""
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    assert not preset.exists()
    loaded = load_run(run.path)
    assert (loaded.config.model.name, loaded.config.features.kind) == ("MoonshineEncoder", "waveform")
    assert loaded.facts["statistics"] == {"mean": [0.0], "std": [1.0]}
    items = loaded.utterances("test")
    metrics = evaluate_run(loaded).metrics
    assert metrics["num_clips"] == 3
    assert metrics["wer"] == pytest.approx(loaded.task.word_error_rate(items, loaded.probs(clips(items))))
    assert [loaded.task.cells(answer)["text"] or "" for answer in loaded.predict([item.path for item in items])] == [
        loaded.task.decide(loaded.probs([clip]))[0] for clip in clips(items)
    ]
    # An output stands for the middle of the 895 samples that it reads.
    assert loaded.task.frame_times.first * RATE == pytest.approx(447.5)
    write_saved_model(loaded, str(tmp_path / "saved"))
    serve = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    for clip in (*clips(items), noise(100), noise(1)):
        served = serve(waveform=tf.constant(clip[None]))["logits"].numpy()
        np.testing.assert_allclose(served, loaded.logits([clip]), atol=1e-4)
    with raises("streaming-unsupported"):
        streaming_step(loaded)


def clips(items):
    return [soundfile.read(item.path, dtype="float32")[0] for item in items]


def test_a_longer_recording_goes_in_windows(run, tmp_path):
    soundfile.write(tmp_path / "long.wav", noise(30 * RATE), RATE)
    assert run.predict(str(tmp_path / "long.wav")).seconds == 30


def test_a_training_keeps_what_is_frozen_and_the_rest_learns(run, moonshine_folder):
    begun = read_encoder(f"hub:{moonshine_folder}").weights
    moved = {
        name: max(np.abs(a - b).max() for a, b in zip(weights, run.network.get_layer(name).get_weights(), strict=True))
        for name, weights in begun.items()
    }
    assert {name for name, most in moved.items() if most == 0} == {name for name in moved if "convolution" in name}
    assert max(moved.values()) < 0.1


def test_a_run_of_it_is_taken_further(run, manifest):
    config = inherit(get_recipe("sentences").replace(data=str(manifest), init_from=str(run.path)))
    assert (config.model, config.features) == (run.config.model, run.config.features)
    network = builder(config.model.name)((None, 1), 9, **config.model.options)
    give_weights(network, str(run.path))
    theirs, found = (encoder(each)(noise(2000)[None, :, None]) for each in (run.network, network))
    np.testing.assert_array_equal(theirs, found)


def test_the_preset_decides_sizes_and_front_end_and_the_rest_is_the_users(moonshine_folder, manifest, tmp_path):
    changes = {"model.dropout": 0.3, "features.clip_seconds": None}
    config = inherit(settings(moonshine_folder, manifest, tmp_path, **changes))
    sizes = read_encoder(f"hub:{moonshine_folder}").sizes
    assert config.model.options == {**FACTS.options, **sizes, "dropout": 0.3}
    assert config.features == FeatureSpec(kind="waveform", sample_rate=RATE, clip_seconds=None)
    assert config.transfer.init_from == f"hub:{moonshine_folder}"
    assert (config.transfer.runs, config.optimizer.learning_rate) == ((), FACTS.learning_rate)
    # By the other name it is the same, and so it is once written down and read again.
    named = get_recipe("sentences").replace(data=str(manifest), init_from=f"hub:{moonshine_folder}")
    assert inherit(named).model.options == {**FACTS.options, **sizes}
    assert inherit(replace(config, given=("model.name", "model.options", "features.kind"))).model == config.model
    for changes in (
        {"model.width": 12},
        {"features.n_mels": 80},
        {"features.sample_rate": 8000},
        {"init_from": "commands"},
    ):
        with raises("settings-conflict", str(moonshine_folder)):
            inherit(settings(moonshine_folder, manifest, tmp_path, **changes))
    with raises("settings-conflict", "BiLSTMEncoder"):
        inherit(named.replace(model="BiLSTMEncoder"))


def test_what_changes_features_is_left_out(moonshine_folder, manifest, tmp_path):
    config = inherit(settings(moonshine_folder, manifest, tmp_path))
    augment = use_waveform(config, quiet()).augment
    assert (augment.tilt_db, augment.time_masks, augment.frequency_masks) == (0, 0, 0)
    assert (augment.speed, augment.noise) == (config.augment.speed, config.augment.noise)
    with raises("settings-conflict", "--augment.time-masks"):
        use_waveform(config.replace(**{"augment.time_masks": 1}), quiet())


def test_what_cannot_be_is_refused(moonshine_folder, whisper_folder, manifest, tmp_path, monkeypatch):
    with raises("hub-unsupported", str(whisper_folder)):
        inherit(settings(whisper_folder, manifest, tmp_path))
    with raises("hub-model-not-found", str(tmp_path)):
        train.main(["--data", str(manifest), "--task", "transcribe", "--model", f"hub:{tmp_path}"])
    monkeypatch.setattr("kerasr.core.extras.missing_modules", lambda extra: ["keras_hub"])
    with raises("package-not-found", f"hub:{moonshine_folder}"):
        train.main(["--data", str(manifest), "--task", "transcribe", "--model", f"hub:{moonshine_folder}"])


def test_samples_and_features_are_not_taken_for_each_other(moonshine_folder, manifest, tmp_path):
    config = use_waveform(inherit(settings(moonshine_folder, manifest, tmp_path)), quiet())
    transcribe = load_task("transcribe")
    check_model(config, transcribe)
    with raises("settings-conflict", "--model.frozen-layers 2"):
        check_model(config.derive(init_from=None, **{"model.frozen_layers": 2}), transcribe)
    with raises("task-unsupported", "MoonshineEncoder"):
        check_model(config, load_task("classify"))
    with raises("settings-conflict", "--features.kind log_mel"):
        check_model(config.derive(features=FeatureSpec(clip_seconds=None)), transcribe)
    with raises("settings-conflict", "--features.kind waveform"):
        check_model(get_recipe("sentences").derive(features=config.features), transcribe)
    with raises("settings-conflict", "features.num_deltas"):
        FeatureSpec(kind="waveform", num_deltas=1)


def load_task(name):
    config = TaskConfig(name)
    return find_task(config)(("a", "b"), config)
