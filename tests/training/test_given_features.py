"""Trainings on features that were computed elsewhere: from a Kaldi directory to scores, and what cannot be done."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from _errors import raises
from _kaldi import write_archive, write_lists
from _shared import quiet, record

from kerasr.config import Augmentation, FeatureSpec, OptimizerConfig, TrainConfig
from kerasr.data import load_corpus
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.recipes import get_recipe
from kerasr.runs.run import load_run
from kerasr.training.given_features import use_given_features
from kerasr.training.trainer import train_recipe

WIDTH, TEXTS = 6, ("ab", "ba", "a", "b")


def make(folder, num_utterances=24, width=WIDTH, seed=0, scale=0.01):
    """Two letters that are told apart by the sign of half of a frame's values, which are far smaller than decibels."""
    rng = np.random.default_rng(seed)
    matrices, texts, speakers = {}, [], []
    for number in range(num_utterances):
        text, name = TEXTS[number % 4], f"s{number % 6}-{number}"
        parts = []
        for letter in text:
            frames, gap = rng.normal(0, 0.3, (12, width)), rng.normal(0, 0.3, (6, width))
            frames[:, : width // 2] += 5 if letter == "a" else -5
            parts += [frames, gap]
        matrices[name] = (scale * np.concatenate(parts)).astype(np.float32)
        texts.append(f"{name} {text}")
        speakers.append(f"{name} s{number % 6}")
    lines = write_archive(folder / "raw.ark", matrices)
    return write_lists(folder, feats_scp=lines, text=texts, utt2spk=speakers)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return make(tmp_path_factory.mktemp("kaldi") / "data")


def settings(directory, out, **changes):
    return get_recipe("sentences").replace(
        data=str(directory),
        out=str(out),
        model_options={"units": 8, "filters": 4, "num_layers": 1},
        epochs=3,
        batch_size=8,
        optimizer=OptimizerConfig(learning_rate=0.03),
        **changes,
    )


@pytest.fixture(scope="module")
def run(directory, tmp_path_factory):
    return train_recipe(settings(directory, tmp_path_factory.mktemp("runs")), console=quiet())


def test_a_training_learns_from_them_and_keeps_what_they_are(run):
    spec = load_run(run.path).config.features
    assert spec == FeatureSpec.given(WIDTH, 0.01)
    assert spec.shape == (None, WIDTH)
    # What the recipe does to waveforms is left out, masks stay.
    assert run.config.augment == replace(
        Augmentation(), time_masks=2, time_mask_seconds=0.2, frequency_masks=2, frequency_mask_width=12
    )
    assert run.history[-1]["loss"] < 0.8 * run.history[0]["loss"]
    assert max(run.features.std) < 0.1


def test_its_scores_are_measured_on_features(run, directory, tmp_path):
    other = load_corpus(str(make(tmp_path / "other", 8, seed=1)), min_labels=0)
    evaluation = evaluate_run(run, corpus=other)
    assert evaluation.metrics["num_clips"] == 8
    assert "log-mel" not in evaluation.report.read_text()
    wider = load_corpus(str(make(tmp_path / "wider", 4, width=5)), min_labels=0)
    with raises("features-differ"):
        evaluate_run(run, corpus=wider)
    record(tmp_path / "sound" / "a.wav")
    (tmp_path / "sound" / "a.txt").write_text("a")
    with raises("features-given"):
        evaluate_run(run, corpus=load_corpus(str(tmp_path / "sound"), min_labels=0))


def test_a_clips_output_is_its_own(run, rng):
    frames = [rng.normal(size=(size, WIDTH)).astype(np.float32) for size in (40, 13)]
    frames[1][-1, 1:] = 0  # No padding, though a line of zeros.
    together = run.logits([one.ravel() for one in frames])
    alone = run.logits([frames[1].ravel()])
    np.testing.assert_allclose(together[1, : alone.shape[1]], alone[0], atol=1e-5)
    own = run.features.normalise(frames[1][None], np.array([13]))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(run.network(own)), alone, atol=1e-5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(run.model(frames[1].reshape(1, -1))), alone, atol=1e-5)


def test_what_needs_a_sound_is_refused(run, tmp_path):
    from kerasr.exporters import export_litert, export_onnx, export_serving
    from kerasr.listen import ListenConfig, open_listener
    from kerasr.streaming.step_model import streaming_step

    record(tmp_path / "a.wav")
    refused = (
        lambda: run.predict(str(tmp_path / "a.wav")),
        lambda: run.predict(np.zeros(600, np.float32)),
        lambda: open_listener(ListenConfig(str(run.path))),
        lambda: export_serving(run, tmp_path / "served"),
        lambda: export_litert(run, tmp_path / "a.tflite"),
        lambda: export_onnx(run, tmp_path / "a.onnx"),
    )
    for use in refused:
        with raises("features-given", run.path.name):
            use()
    with raises("streaming-unsupported"):
        streaming_step(run)
    assert not (tmp_path / "served").exists()
    with raises("sound-invalid"):
        run.logits([np.full(WIDTH, np.nan, np.float32)])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"augment.gain_db": 3.0}, "--augment.gain-db"),
        ({"augment.speed": (0.9, 1.1)}, "--augment.speed"),
        ({"augment.noise": 0.5}, "--augment.noise"),
        ({"augment.noise_only": 0.5}, "--augment.noise-only"),
        ({"tta_speeds": (0.9, 1.0)}, "--tta-speeds"),
        ({"features.n_mels": 80}, "--features.n-mels"),
        ({"features.kind": "mfcc"}, "--features.kind"),
        ({"connected": 3}, "--connected"),
        ({"synthetic_voices": 3, "words": "a"}, "--words"),
    ],
)
def test_what_needs_waveforms_is_refused(directory, tmp_path, changes, named):
    with raises("settings-conflict", named):
        use_given_features(settings(directory, tmp_path, **changes), load_corpus(str(directory), min_labels=0), quiet())


def test_what_is_the_users_stays(directory, tmp_path):
    corpus = load_corpus(str(directory), min_labels=0)
    asked = settings(directory, tmp_path, **{"features.num_deltas": 1, "features.clip_seconds": 0.2})
    spec = use_given_features(asked, corpus, quiet()).features
    assert spec == replace(corpus.features, num_deltas=1, clip_seconds=0.2)
    assert spec.shape == (20, 2 * WIDTH)
    # Words have their recipe's length, and a group that is given whole asks for none of its defaults.
    words = TrainConfig().replace(features=FeatureSpec(clip_seconds=0.5))
    assert use_given_features(words, corpus, quiet()).features.shape == (50, WIDTH)


def test_recordings_have_none(tones, tmp_path):
    corpus = load_corpus(str(tones))
    config = TrainConfig().replace(features=FeatureSpec(kind="given"))
    with raises("features-differ"):
        use_given_features(config, corpus, quiet())


def test_a_training_that_begins_from_it_has_its_features(run, directory, tmp_path):
    begun = replace(settings(directory, tmp_path, init_from=str(run.path)), features=run.config.features)
    corpus = load_corpus(str(directory), min_labels=0)
    assert use_given_features(begun, corpus, quiet()).features == run.config.features
    wider = load_corpus(str(make(tmp_path / "wider", 4, width=5)), min_labels=0)
    with raises("features-differ", "--init-from"):
        use_given_features(begun, wider, quiet())
