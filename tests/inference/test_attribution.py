"""Evidence lies where it was put, and adds up; for every model."""

import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from _errors import raises
from keras import ops

from kerasr import audio, predict
from kerasr.audio.features import Features, mel_matrix
from kerasr.config import FeatureSpec
from kerasr.inference.attribution import Explainer, last_picture
from kerasr.models.registry import builder, list_models
from kerasr.runs.run import load_run

# Of models that share a file, those after the first are for the full table.
MODELS = [
    pytest.param(facts, id=facts.name, marks=[pytest.mark.full] if facts.module == before.module else [])
    for before, facts in pairwise((list_models(per_frame=False)[-1], *list_models(per_frame=False)))
]
SPEC = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, clip_seconds=0.5)
# A burst of 1,500 Hz from 0.1 to 0.2 s in noise.
BURST_FRAMES, BURST_BANDS = slice(8, 21), slice(10, 14)


def burst(rng, seconds=0.4, pitch=1500.0):
    waveform = 0.02 * rng.standard_normal(int(seconds * 8000))
    waveform[800:1600] += 0.3 * np.sin(2 * np.pi * pitch * np.arange(800) / 8000)
    return waveform.astype("float32")


def explainer_of(run):
    return Explainer(run.front_ends, run.network)


def made_run(network, spec=SPEC, speeds=(1.0,)):
    """What an explainer needs of a run."""
    statistics = {"mean": [-60.0] * spec.num_features, "std": [20.0] * spec.num_features}
    if spec.kind == "mfcc":
        statistics = {"mean": [0.0] * spec.num_features, "std": [50.0] * spec.num_features}
    front_ends = [Features(spec, **statistics, speed=speed) for speed in speeds]
    return SimpleNamespace(
        network=network, config=SimpleNamespace(features=spec), features=front_ends[0], front_ends=front_ends
    )


def logit_difference(run, waveform, label_index):
    """What the clip adds to the logit over its background, from the definition."""
    energies = np.array(Features(SPEC)(waveform[None], np.array([len(waveform)])))
    own = np.any(energies[0] != 0, axis=-1)
    background = np.where(own[:, None], np.quantile(energies[0, own], 0.05), 0).astype("float32")
    both = np.stack([np.broadcast_to(background, energies[0].shape), energies[0]])
    logits = np.array(run.network(run.features.from_log_mel(both, np.repeat(own.sum(), 2)), training=False))
    return logits[1, label_index] - logits[0, label_index]


def narrow(facts, shape, num_outputs=3):
    keras.utils.set_random_seed(0)
    small = {"width": 0.25, "units": 8, "filters": 8}
    options = {name: value for name, value in small.items() if name in facts.options}
    return builder(facts.name)(shape, num_outputs, **options)


@pytest.mark.parametrize("facts", MODELS)
def test_integrated_gradients_add_up_for_every_model(facts, rng):
    run = made_run(narrow(facts, SPEC.shape))
    waveform = burst(rng)
    values = Explainer(run.front_ends, run.network).integrated_gradients(waveform, 1)
    expected = logit_difference(run, waveform, 1)
    assert values.shape == (SPEC.shape[0], SPEC.n_mels)
    # The rest is the sum's, of 64 steps, over a network with corners.
    assert values.sum() == pytest.approx(expected, rel=0.05, abs=0.02)
    assert not values[SPEC.num_frames(len(waveform)) :].any()


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, num_deltas=1),
        replace(SPEC, kind="mfcc", num_deltas=2),
    ],
    ids=["deltas", "mfcc"],
)
def test_cepstra_and_differences_are_followed_back_to_energies(spec, rng):
    """A linear network over a linear front-end: integrated gradients are exact, and the picture is the log-mel's."""
    features = keras.Input(spec.shape)
    network = keras.Model(features, keras.layers.Dense(2)(keras.layers.Flatten()(features)))
    run = made_run(network, spec)
    waveform = burst(rng)
    explainer = Explainer(run.front_ends, run.network)
    values = explainer.integrated_gradients(waveform, 0)
    assert values.shape == (spec.shape[0], spec.n_mels)
    assert values.sum() == pytest.approx(logit_difference(run, waveform, 0), rel=1e-3)
    assert explainer.grad_cam(waveform, 0) is None


def times_denser(values, num_frames=37):
    """How much more evidence a point of the burst has than another of the clip's own, on average."""
    found = np.maximum(values, 0)[:num_frames]
    burst = found[BURST_FRAMES, BURST_BANDS]
    rest = (found.sum() - burst.sum()) / (found.size - burst.size)
    return burst.mean() / rest


def test_the_burst_lies_where_the_test_says():
    middles = mel_matrix(SPEC).argmax(0) * SPEC.sample_rate / SPEC.n_fft
    assert all(1200 < hz < 1900 for hz in middles[BURST_BANDS])


@pytest.fixture(scope="module")
def listener():
    """A convolutional network that has learned to tell a burst of 1,500 Hz, wherever it is, from one of 400 Hz."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    features = keras.Input(SPEC.shape)
    x = keras.layers.Reshape((*SPEC.shape, 1))(features)
    for number in range(2):
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D(2, name="last")(x))
    network = keras.Model(features, keras.layers.Dense(2)(keras.layers.Dense(8, activation="relu")(x)))
    run = made_run(network)
    clips = []
    for number in range(64):
        clip = burst(rng, pitch=(400, 1500)[number % 2] * rng.uniform(0.95, 1.05))
        clips.append(np.roll(clip, rng.integers(-700, 1500)))
    network.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    inputs = ops.convert_to_numpy(run.features(np.stack(clips), np.full(64, len(clips[0]))))
    network.fit(inputs, np.arange(64) % 2, epochs=40, batch_size=16, verbose=0)
    assert (network.predict(inputs, verbose=0).argmax(-1) == np.arange(64) % 2).mean() > 0.95
    return run


def test_evidence_lies_where_the_burst_is(listener, rng):
    explainer = Explainer(listener.front_ends, listener.network)
    waveform = burst(rng)
    values = explainer.integrated_gradients(waveform, 1)
    assert times_denser(values) > 4
    strongest = np.zeros_like(values, bool)
    strongest.flat[np.argsort(-values, axis=None)[:20]] = True
    assert strongest[BURST_FRAMES, BURST_BANDS].sum() >= 15
    # Grad-CAM is as coarse as the picture it reads, and finds the place.
    where = explainer.grad_cam(waveform, 1)
    assert where.min() >= 0
    assert times_denser(where) > 1.3
    time, band = np.unravel_index(where.argmax(), where.shape)
    assert BURST_FRAMES.start <= time < BURST_FRAMES.stop
    assert BURST_BANDS.start - 1 <= band <= BURST_BANDS.stop


def test_evidence_moves_with_the_burst(listener, rng):
    """The same burst 0.15 s later is found 15 frames later."""
    explainer = Explainer(listener.front_ends, listener.network)
    centres = []
    for shift in (0, 1200):
        values = explainer.integrated_gradients(np.roll(burst(rng), shift), 1)
        found = np.maximum(values, 0)[:, BURST_BANDS].sum(1) ** 2
        centres.append(found @ np.arange(len(found)) / found.sum())
    assert centres[1] - centres[0] == pytest.approx(15, abs=4)


def test_several_speeds_are_explained_as_one(listener, rng):
    """The sum is the mean of what each speed adds, and the burst is found where it is in the clip as it came."""
    waveform = burst(rng)
    speeds = (0.8, 1.0, 1.25)
    alone = [explainer_of(made_run(listener.network, speeds=(speed,))) for speed in speeds]
    together = explainer_of(made_run(listener.network, speeds=speeds))
    values = together.integrated_gradients(waveform, 1)
    sums = [explainer.integrated_gradients(waveform, 1).sum() for explainer in alone]
    assert values.sum() == pytest.approx(np.mean(sums), rel=1e-4)
    assert len({round(float(one), 3) for one in sums}) == 3
    over_time = np.maximum(values, 0)[:37].sum(1)
    burst_frames = np.isin(np.arange(37), np.arange(37)[BURST_FRAMES])
    assert over_time[burst_frames].mean() > 1.8 * over_time[~burst_frames].mean()
    where = together.grad_cam(waveform, 1)
    assert BURST_FRAMES.start - 1 <= where.sum(1).argmax() <= BURST_FRAMES.stop


def test_what_speaks_for_one_word_speaks_against_the_other(listener, rng):
    explainer = Explainer(listener.front_ends, listener.network)
    waveform = burst(rng)
    assert explainer.integrated_gradients(waveform, 1)[BURST_FRAMES, BURST_BANDS].sum() > 0
    assert explainer.integrated_gradients(waveform, 0)[BURST_FRAMES, BURST_BANDS].sum() < 0


def test_a_detectors_one_logit_speaks_for_both_its_labels(rng):
    facts = next(item for item in list_models(per_frame=False) if item.name == "ResidualCNN")
    explainer = explainer_of(made_run(narrow(facts, SPEC.shape, num_outputs=1)))
    waveform = burst(rng)
    present, absent = (explainer.integrated_gradients(waveform, index) for index in (1, 0))
    np.testing.assert_allclose(present, -absent, atol=1e-6)


def test_the_last_picture():
    by_name = {facts.name: facts for facts in list_models(per_frame=False)}
    assert last_picture(narrow(by_name["ResidualCNN"], (97, 40))).name == "add_relu"
    assert last_picture(narrow(by_name["ResNet18"], (97, 40))).output.shape[1:3] == (7, 3)
    assert last_picture(narrow(by_name["StackedLSTM"], (97, 40))) is None
    assert last_picture(narrow(by_name["Conv1DLSTM"], (97, 40))) is None


def test_another_backend_is_told(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with raises("backend-unsupported"):
        Explainer([], None)


def test_predict_draws_a_picture_beside_the_recording(tone_run, tones, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clip.wav").write_bytes((tones / "low" / "0.wav").read_bytes())
    audio.write(tmp_path / "a" / "short.wav", np.full(50, 0.1), 8000)
    predict.main([str(tone_run), str(tmp_path / "a"), "--explain", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["explanation"] for row in rows] == [
        str(tmp_path / "a" / name) for name in ("clip.explained.png", "short.explained.png")
    ]
    clips = [str(tmp_path / folder / "clip.wav") for folder in ("a", "b")]
    predict.main([str(tone_run), *clips, "--explain", "--out", str(tmp_path / "out")])
    assert "explained in" in capsys.readouterr().out
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["clip-2.explained.png", "clip.explained.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    with raises("setting-missing"):
        predict.main([str(tone_run), clips[0], "--out", "x"])


def test_the_heard_word_of_a_real_run_is_explained(tone_run, tones):
    """The tone's band holds the evidence of a run that was trained, saved and loaded."""
    run = load_run(tone_run)
    waveform = audio.read(tones / "high" / "0.wav", 8000)[0]
    values = Explainer(run.front_ends, run.network).integrated_gradients(waveform[:3200], run.labels.index("high"))
    middles = mel_matrix(run.config.features).argmax(0) * 8000 / 256
    per_band = np.abs(values).sum(0)
    assert 2000 < middles[per_band.argmax()] < 3000
