"""A vocoder of tones: from recordings alone to waveforms of energies."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from _errors import raises
from _shared import quiet

from kerasr import evaluate_run
from kerasr.config import OptimizerConfig
from kerasr.config.serialization import to_json
from kerasr.core.scores import Monitor
from kerasr.inference.vocoder import compile_vocoder, trained_vocoder
from kerasr.models.synthesis import period_discriminator
from kerasr.models.synthesis.vocos import Vocos
from kerasr.recipes import get_recipe
from kerasr.runs.run import load_run
from kerasr.tasks.speech_losses import MultiResolutionSpectrumLoss
from kerasr.tasks.vocode import Vocode
from kerasr.training.callbacks import RunCheckpoint
from kerasr.training.checkpoint import load_checkpoint
from kerasr.training.preparation import prepare_run
from kerasr.training.trainer import resume_run, train_recipe


@pytest.fixture(scope="module")
def config(voice_config, tmp_path_factory):
    return get_recipe("vocoder").replace(
        data=voice_config.data.path,
        split="official",
        out=str(tmp_path_factory.mktemp("vocoders")),
        model_options={"channels": 8, "num_blocks": 1},
        features=voice_config.features,
        optimizer=OptimizerConfig(weight_decay=0.0, schedule="constant", learning_rate=1e-2),
        adversarial_weight=0.0,
        epochs=2,
        batch_size=4,
    )


@pytest.fixture(scope="module")
def run(config):
    return train_recipe(config, console=quiet())


def test_it_learns_from_waveforms_alone(run):
    assert run.labels == ()
    losses = [row["val_loss"] for row in run.history]
    assert losses[-1] < losses[0]


def test_a_waveform_is_as_long_as_its_frames(run):
    spec = run.config.features
    make = compile_vocoder(trained_vocoder(run.network, run.task, spec, run.facts["statistics"], run.path), spec)
    for frames in (1, 7, 40):
        waveform = make(np.full((frames, spec.n_mels), -40, np.float32))
        assert len(waveform) == (frames - 1) * spec.hop_length + spec.n_fft
        assert np.isfinite(waveform).all()


def test_an_evaluation_lays_it_beside_griffin_lim(run, tmp_path):
    evaluation = evaluate_run(run, folder=tmp_path)
    assert evaluation.metrics["griffin_lim_db"] < evaluation.metrics["distortion_db"]
    assert evaluation.report.read_text().count("<audio") == 2 * evaluation.metrics["num_clips"]


def test_a_voice_speaks_through_it(run, voice_run):
    usual, other = (next(made.say("low top")) for made in (voice_run.synthesizer, voice_run.synthesizer_with(run)))
    assert len(usual.waveform) == len(other.waveform)
    assert usual.alignment == other.alignment
    assert np.abs(usual.waveform - other.waveform).max() > 1e-4
    with raises("task-unsupported"):
        run.synthesize("low")
    with raises("task-unsupported"):
        voice_run.synthesizer_with(voice_run)


@pytest.mark.parametrize(
    ("code", "changes"),
    [("settings-conflict", {"augment.noise": 0.5}), ("task-unsupported", {"model.name": "SpeedySpeech"})],
)
def test_settings_of_other_tasks_are_refused(code, changes, config):
    with raises(code):
        prepare_run(config.replace(**changes), quiet())


def test_a_spectrum_is_its_own_whatever_it_is_batched_with():
    keras.utils.set_random_seed(0)
    network = Vocos(10, 32, channels=8, num_blocks=2)
    clips = np.random.default_rng(0).standard_normal((2, 12, 10)).astype(np.float32)
    clips[0, 8:] = 0
    both, alone = np.asarray(network(clips)), np.asarray(network(clips[:1, :8]))
    np.testing.assert_allclose(both[0, :8], alone[0], atol=1e-5)
    assert not both[0, 8:].any()


def test_the_loss_is_none_of_the_same_and_of_a_clip_alone(rng):
    loss = MultiResolutionSpectrumLoss(reduction=None)
    waveform = rng.standard_normal((1, 5000)).astype(np.float32)
    other = rng.standard_normal((1, 5000)).astype(np.float32)
    assert float(loss(waveform, waveform)[0]) == pytest.approx(0, abs=1e-5)
    padded = np.pad(waveform, ((0, 0), (0, 3000)))
    assert float(loss(padded, np.pad(other, ((0, 0), (0, 3000)), constant_values=1.0))[0]) == pytest.approx(
        float(loss(waveform, other)[0]), rel=0.05
    )


@pytest.mark.full
def test_nothing_is_kept_of_a_discriminator(config, tmp_path, monkeypatch):
    # (Graphs take longer to make than two steps without them.)
    tf.config.run_functions_eagerly(True)
    monkeypatch.setattr(period_discriminator, "PERIODS", (2, 3))
    # Whatever its spectra are worth, an epoch against the discriminator is kept.
    monkeypatch.setattr(Vocode, "monitor", Monitor("val_loss", "max"))
    try:
        run = train_recipe(config.replace(adversarial_weight=0.5, batch_size=32, out=str(tmp_path)), console=quiet())
    finally:
        tf.config.run_functions_eagerly(False)
    alone, against = ([row[name] for name in ("generator_loss", "val_discriminator_loss")] for row in run.history)
    assert not any(alone)
    assert all(against)
    assert run.history[1]["val_loss"] < run.history[0]["val_loss"]
    assert run.facts["best_epoch"] == 2
    assert run.network.count_params() == Vocos(20, 256, channels=8, num_blocks=1).count_params()


class Killed(Exception):
    pass


@pytest.mark.full
def test_a_killed_training_against_a_discriminator_goes_on_as_if_it_had_not_been(config, tmp_path, monkeypatch):
    config = config.replace(
        adversarial_weight=0.5,
        checkpoint_seconds=0.0,
        out=str(tmp_path),
        **{"optimizer.ema": 0.9},
    )
    whole = train_recipe(config, console=quiet())
    save = RunCheckpoint._save

    def save_and_die(self):
        save(self)
        if (self.state.epoch, self.state.step) == (1, 2):
            raise Killed

    monkeypatch.setattr(RunCheckpoint, "_save", save_and_die)
    with pytest.raises(Killed):
        train_recipe(config, console=quiet())
    monkeypatch.setattr(RunCheckpoint, "_save", save)
    (killed,) = (path for path in tmp_path.iterdir() if path != whole.path)
    resumed = resume_run(killed, console=quiet())
    assert resumed.history == whole.history
    arrays = (load_checkpoint(run.path / "checkpoint.npz").arrays for run in (resumed, whole))
    for one, other in zip(*arrays, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.full
def test_jax_trains_against_a_discriminator_too(config, tmp_path):
    code = (
        "import json, sys; from kerasr.config import TrainConfig, from_json; "
        "from kerasr.models.synthesis import period_discriminator; period_discriminator.PERIODS = (2, 3); "
        "from kerasr.training.trainer import train_recipe; "
        "train_recipe(from_json(TrainConfig, json.loads(sys.argv[1])))"
    )
    # (Each shape is compiled anew: all clips are one batch.)
    config = config.replace(adversarial_weight=0.5, batch_size=32, batch_seconds=None, out=str(tmp_path))
    command = [sys.executable, "-c", code, json.dumps(to_json(config))]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": "jax"}, capture_output=True)
    (path,) = tmp_path.glob("*/run.json")
    run = load_run(path.parent)
    assert run.facts["backend"] == "jax"
    assert run.history[1]["generator_loss"] > 0
    assert run.history[1]["discriminator_loss"] > 0
