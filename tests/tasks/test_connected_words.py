"""Strings of tones, from words that one speaker says singly to a transcript of several."""

import json
import os
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from _errors import raises
from _shared import SPEC, quiet

from kerasr import audio, evaluate_run, load_run, predict
from kerasr.audio.joined import split_path
from kerasr.config import Augmentation, OptimizerConfig
from kerasr.data import load_corpus, write_manifest
from kerasr.data.connected import connect
from kerasr.exporters.check import take_clips
from kerasr.metrics.transcription import word_error_rate
from kerasr.recipes import get_recipe
from kerasr.runs.folder import list_runs
from kerasr.training.checkpoint import load_checkpoint
from kerasr.training.preparation import prepare_run
from kerasr.training.trainer import resume_run, train_recipe

SPEAKERS = ("anna", "ben", "cleo", "dora", "emil")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Recordings named as FSDD's are, twelve of each of three "digits" by each of five speakers."""
    folder, rng = tmp_path_factory.mktemp("digits"), np.random.default_rng(0)
    for place, speaker in enumerate(SPEAKERS):
        for digit, pitch in ((1, 300), (2, 900), (4, 2500)):
            for number in range(12):
                time = np.arange(int(rng.uniform(0.25, 0.35) * 8000)) / 8000
                tone = 0.3 * np.sin(2 * np.pi * pitch * (0.96 + 0.02 * place) * time)
                audio.write(
                    folder / f"{digit}_{speaker}_{number}.wav", tone + 0.003 * rng.standard_normal(len(time)), 8000
                )
    return folder


@pytest.fixture(scope="module")
def config(words, tmp_path_factory):
    # (The recipe's own network does not know how high a tone is.)
    return get_recipe("connected_digits", "BiLSTMEncoder").replace(
        data=str(words),
        out=str(tmp_path_factory.mktemp("runs")),
        leave_out="cleo",
        connected=3,
        features=replace(SPEC, clip_seconds=None),
        model_options={"units": 16, "filters": 8, "num_layers": 1, "dropout": 0.0},
        augment=Augmentation(gain_db=3.0),
        optimizer=OptimizerConfig(learning_rate=2e-2),
        epochs=4,
        passes=5,
        batch_size=8,
    )


@pytest.fixture(scope="module")
def run(config):
    return train_recipe(config, console=quiet())


@pytest.mark.usefixtures("scores_alone")
def test_synthetic_voices_say_words_that_are_joined_too(config):
    run = prepare_run(config.replace(synthetic_voices=2, epochs=1), quiet())
    spoken = [item for item in run.utterances("train") if (item.speaker or "").startswith("espeak:")]
    assert sorted(item.text for item in spoken) == ["four", "four", "one", "one", "two", "two"]


def test_synthetic_voices_have_no_sentences(tone_texts, config):
    with raises("settings-conflict"):
        config = config.replace(data=str(tone_texts), split="official", connected=0, leave_out=None)
        prepare_run(config.replace(synthetic_voices=2), quiet())


def test_it_learns_to_write_down_strings(run):
    assert evaluate_run(run).metrics["wer"] < 0.2


def test_the_test_is_of_the_one_who_was_left_out_and_of_strings(run):
    tested, watched, trains = map(run.utterances, ("test", "validation", "train"))
    assert {item.speaker for item in tested} == {"cleo"}
    assert {item.speaker for item in trains} == {*SPEAKERS} - {"cleo"}
    parts = {
        split: [split_path(item.path)[0] for item in items]
        for split, items in (("test", tested), ("validation", watched), ("train", trains))
    }
    assert {len(one) for one in parts["test"]} == {1, 2, 3}
    assert {len(one) for one in parts["train"]} == {1}
    sets = [{path for one in strings for path in one} for strings in parts.values()]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 180, "each recording is in one split"
    assert all(len(item.text.split()) == len(one) for item, one in zip(tested, parts["test"], strict=True))


def test_the_test_is_the_same_whatever_the_seed(run, config):
    again = prepare_run(config.replace(seed=5), quiet())
    assert again.utterances("test") == run.utterances("test")
    assert again.facts["corpus"]["fingerprint"] == run.facts["corpus"]["fingerprint"]
    other = prepare_run(config.replace(split_seed=5), quiet())
    assert {item.path for item in other.utterances("test")} != {item.path for item in run.utterances("test")}


def test_a_string_sees_neither_its_batch_nor_its_padding(run):
    items = run.utterances("test")
    waveforms = [audio.read(item.path)[0] for item in items]
    together = run.logits(waveforms)
    for index, waveform in enumerate(waveforms):
        alone = run.logits([waveform])[0]
        np.testing.assert_allclose(together[index, : len(alone)], alone, atol=1e-4)


@pytest.mark.usefixtures("scores_alone")
def test_a_string_is_a_recording_to_whatever_takes_one(run, tmp_path, capsys):
    item = max(run.utterances("test"), key=lambda item: len(item.path))
    predict.main([str(run.path), item.path, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert (answer["path"], answer["text"]) == (item.path, load_run(run.path).predict(item.path).text)
    # Of an export, strings are compared, and those that are no files are not sent as such.
    clips, items, wav = take_clips(run)
    assert len(clips) == len(items) == len(run.utterances("test"))
    assert all(os.path.isfile(path) for path in wav)
    manifest = shutil.copy(run.path / "manifest.csv", tmp_path)
    other = load_corpus(str(manifest), min_labels=0)
    strings = replace(other, utterances=tuple(item for item in other.utterances if item.split == "test"))
    found = evaluate_run(run, corpus=strings, folder=tmp_path / "report")
    assert found.metrics["wer"] == evaluate_run(run).metrics["wer"]


@pytest.mark.full
def test_a_killed_run_draws_the_same_strings(config, tmp_path):
    config = config.replace(epochs=3, passes=2, augment=Augmentation(speed=(0.9, 1.1)), checkpoint_seconds=0.0)
    whole = train_recipe(config.replace(out=str(tmp_path / "whole")), console=quiet())

    class Kill(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if self.steps == 17:
                raise SystemExit("killed")

    with pytest.raises(SystemExit):
        train_recipe(config.replace(out=str(tmp_path / "killed")), console=quiet(), callbacks=[Kill()])
    (path,) = list_runs(str(tmp_path / "killed"))
    assert load_checkpoint(path / "checkpoint.npz").state["step"] > 0
    resumed = resume_run(path, console=quiet())
    assert resumed.history == whole.history
    one, other = (load_checkpoint(run.path / "checkpoint.npz").arrays for run in (resumed, whole))
    for values, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(values, same)


@pytest.mark.full
def test_recordings_are_concatenated_in_training_alone(config, tmp_path):
    """What they are measured on stays single, and no recording is the worse for it."""
    joined = {"connected": 0, "augment.concatenate": 3, "out": str(tmp_path), "leave_out": None, "epochs": 6}
    texts = tmp_path / "manifest.csv"
    rows = [replace(item, text=item.label, label=None) for item in load_corpus(config.data.path).utterances]
    write_manifest(texts, rows)
    run = train_recipe(config.replace(data=str(texts), **joined), console=quiet())
    assert not any(split_path(item.path)[1] for item in run.utterances("validation"))
    metrics = evaluate_run(run).metrics
    assert metrics["wer"] < 0.2
    # Joined ones are what it has learnt from.
    strings = connect(run.utterances("test"), 3, 0)
    found = [run.predict(item.path).text for item in strings]
    assert word_error_rate([item.text for item in strings], found) < 0.3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cache": True}, "--connected"),
        ({"task": "classify", "model": "Conv1DLSTM", "model_options": {}}, "--connected"),
        ({"augment.concatenate": 2}, "--augment.concatenate"),
    ],
)
def test_what_does_not_go_with_strings_is_told(config, changes, named):
    with raises("settings-conflict", named):
        prepare_run(config.replace(**changes), quiet())
