"""A voice that learns tunes: pitch and energy of each token, as heard and as told, and what is said by them."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from _errors import raises
from _shared import SPEC, quiet

from kerasr.audio import write
from kerasr.data.manifest import Corpus, Utterance, read_manifest, write_manifest
from kerasr.exporters import export_litert, export_onnx, export_serving
from kerasr.exporters.voice import VoiceGraph
from kerasr.layers.length_regulator import frames_of_tokens, place_tokens
from kerasr.models.registry import builder
from kerasr.runs.facts import MODEL
from kerasr.runs.run import load_run
from kerasr.tasks.token_durations import DURATIONS
from kerasr.tasks.token_pitches import PITCHES, STEPS, add_pitches, measure_pitches, standard_pitches
from kerasr.training.preparation import prepare_run
from kerasr.training.taught import Taught
from kerasr.training.trainer import train_recipe

# Hz of the characters that have a pitch; the second speaker's are an octave higher.
TUNE = {"l": 100.0, "o": 120.0, "m": 150.0, "i": 110.0, "t": 0.0}


@pytest.fixture(scope="module")
def told(voice_run, tmp_path_factory):
    """The recordings of `voice_run` with durations as it has found them, and pitches that are told."""
    path = tmp_path_factory.mktemp("told") / "told.csv"
    items = read_manifest(voice_run.path / "manifest.csv").utterances
    write_manifest(path, [replace(item, extra={**item.extra, PITCHES: tune_of(item)}) for item in items])
    return path


def tune_of(item):
    octave = 2 if item.speaker == "speaker1" else 1
    return " ".join(str(octave * TUNE.get(character, 0.0)) for character in f" {item.text} ")


@pytest.fixture(scope="module")
def tuned_config(told, voice_config, tmp_path_factory):
    options = {**voice_config.model.options, "prosody": True}
    return voice_config.replace(data=str(told), out=str(tmp_path_factory.mktemp("runs")), model_options=options)


@pytest.fixture(scope="module")
def tuned_run(tuned_config):
    """A run that has learnt nothing: its weights are drawn."""
    run = prepare_run(tuned_config, quiet())
    keras.utils.set_random_seed(0)
    network = run.task.build_network(builder("SpeedySpeech"), run.config.features, run.config.model.options)
    network.save(run.path / MODEL)
    return load_run(run.path)


@pytest.fixture(scope="module")
def speech(tuned_run):
    return tuned_run.synthesize("low mid")


def test_pitches_of_tokens_are_those_of_their_frames(tmp_path):
    rate, hertz = SPEC.sample_rate, (110.0, 0.0, 220.0)
    time = np.arange(rate // 2) / rate
    saws = [sum(np.sin(2 * np.pi * each * k * time) / k for k in range(1, 8)) * (each > 0) for each in hertz]
    write(tmp_path / "saws.wav", 0.3 * np.concatenate(saws), rate)
    # Half a second each; windows that reach across a border are counted to what sounds.
    spec = replace(SPEC, n_fft=512, hop_length=100, clip_seconds=None)
    frames = spec.num_frames(3 * len(time))
    item = Utterance(str(tmp_path / "saws.wav"), text="a", extra={DURATIONS: f"40 34 {frames - 74}"})
    (heard,) = add_pitches(Corpus("saws", (item,)), spec, max_bad=0).utterances
    found = np.array([float(each) for each in heard.extra[PITCHES].split()])
    np.testing.assert_allclose(found, hertz, rtol=0.02)


@pytest.mark.parametrize("told", ["100 x", "100", "100 -1", "100 nan"])
def test_pitches_that_are_not_its_tokens_are_named(told):
    own = Utterance("own.wav", text="a", extra={DURATIONS: "2 3", PITCHES: "100 0"})
    other = replace(own, path="other.wav", extra={DURATIONS: "2 3", PITCHES: told})
    corpus = Corpus("told", (own, other))
    assert add_pitches(corpus, SPEC, max_bad=1).utterances == (own,)
    with raises("too-many-bad-recordings", match="other.wav"):
        add_pitches(corpus, SPEC, max_bad=0)


def test_pitches_that_are_told_are_kept_and_are_of_their_voice(tuned_run):
    items = tuned_run.utterances("train")
    assert [item.extra[PITCHES] for item in items] == [*map(tune_of, items)]
    (low, deviation), (high, _) = tuned_run.task.pitches
    assert high - low == pytest.approx(np.log(2), abs=0.2)
    found = np.concatenate(
        [standard_pitches(item, *tuned_run.task.pitches[item.speaker == "speaker1"]) for item in items]
    )
    own = found[found != 0]
    assert (own.mean(), own.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert measure_pitches(items, ["nobody"]) == [(0.0, 1.0)]
    assert deviation > 0


def test_what_is_to_be_learnt_is_the_recordings_own(tuned_run, rng):
    task, items = tuned_run.task, sorted(tuned_run.utterances("train"), key=lambda item: len(item.text))[::7]
    # (JAX's are padded to a power of two.)
    targets = np.pad(task.encode(items).rows(np.arange(len(items))), [(0, 0), (0, 2)], constant_values=-1)
    durations = [[int(each) for each in item.extra[DURATIONS].split()] for item in items]
    features = rng.standard_normal((len(items), max(map(sum, durations)), SPEC.n_mels)).astype(np.float32)
    given, right = task.arrange(features, keras.ops.convert_to_tensor(targets))
    for place, (item, frames) in enumerate(zip(items, durations, strict=True)):
        size = len(frames)
        pitch = standard_pitches(item, *task.pitches[targets[place, 0]])
        parts = np.split(features[place].mean(1), np.cumsum(frames))[:size]
        np.testing.assert_allclose(right["pitch"][place, :size], pitch, atol=1 / STEPS)
        np.testing.assert_allclose(right["energy"][place, :size], [part.mean() for part in parts], atol=1e-5)
        prosody = np.stack([right["pitch"][place, :size], right["energy"][place, :size]], axis=1)
        np.testing.assert_array_equal(
            given["prosody"][place], np.pad(prosody, [(0, targets.shape[1] // 3 - 1 - size), (0, 0)])
        )
    losses = task.loss(tuned_run.config.fit)
    found, made = Taught(tuned_run.network, task, losses)(features, targets), tuned_run.network(given)
    for name, loss in losses.items():
        assert np.mean(found[name]) == pytest.approx(float(loss(right[name], made[name])), rel=1e-5)


def test_a_voice_speaks_in_the_tune_that_it_predicts(tuned_run, speech):
    network, statistics = tuned_run.network, tuned_run.facts["statistics"]
    token_ids, voice = np.array([tuned_run.task.vocabulary.encode(" low mid ")]), np.array([0])
    encoded, log_durations = network.get_layer("encoder")([token_ids, voice])
    frames = np.asarray(frames_of_tokens(log_durations, token_ids, 1.0))
    token_of_frame, prosody = np.asarray(place_tokens(frames, frames.sum())), np.asarray(encoded)[..., -2:]
    made = network({"token_ids": token_ids, "voice": voice, "token_of_frame": token_of_frame, "prosody": prosody})
    log_mel = np.asarray(made["log_mel"])[0]
    expected = log_mel * np.array(statistics["std"]) + np.array(statistics["mean"])
    np.testing.assert_allclose(speech.log_mel, expected, atol=1e-3)


def test_an_exports_graph_says_the_same(tuned_run, speech):
    rows = [tuned_run.task.vocabulary.encode(f" {text} ") for text in ("low mid", "mid low top")]
    token_ids = np.array([row + [0] * (max(map(len, rows)) - len(row)) for row in rows], np.int32)
    found = VoiceGraph(tuned_run, None).speak(token_ids, np.zeros(2, np.int32), np.ones(2, np.float32))
    np.testing.assert_allclose(found["log_mel"][0, : len(speech.log_mel)], speech.log_mel, atol=1e-3)
    np.testing.assert_allclose(found["waveform"][0, : len(speech.waveform)], speech.waveform, atol=1e-4)


@pytest.mark.full
@pytest.mark.parametrize(
    ("export", "name"), [(export_serving, "voice"), (export_litert, "voice.tflite"), (export_onnx, "voice.onnx")]
)
def test_each_export_says_the_same(export, name, tuned_run, tmp_path, monkeypatch, convert_here):
    convert_here(monkeypatch)
    check = export(tuned_run, tmp_path / name)[1]
    assert (check.agreement, check.difference < 1e-2) == (1.0, True)


@pytest.mark.full
def test_pitch_and_energy_are_learnt(tuned_config, tmp_path):
    optimizer = replace(tuned_config.optimizer, learning_rate=3e-3)
    history = train_recipe(
        tuned_config.replace(out=str(tmp_path), epochs=8, optimizer=optimizer), console=quiet()
    ).history
    for part in ("pitch", "energy"):
        assert history[-1][f"{part}_loss"] < 0.7 * history[0][f"{part}_loss"]
