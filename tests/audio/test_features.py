"""The front-end against librosa on real clips, and a clip's independence of its neighbours."""

import itertools
from dataclasses import replace

import keras
import librosa
import numpy as np
import pytest
from _errors import raises

from kerasr import audio
from kerasr.audio.features import Features, log_mel, measure_statistics, mel_matrix, mfcc
from kerasr.config import FeatureSpec

SPEC_8K = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, clip_seconds=None)
SPEC_16K = FeatureSpec(clip_seconds=None)


def librosa_log_mel(waveform: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    power = librosa.feature.melspectrogram(y=waveform, **librosa_arguments(spec))
    return librosa.power_to_db(power, top_db=None).T


def librosa_mfcc(waveform: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    db = librosa.power_to_db(librosa.feature.melspectrogram(y=waveform, **librosa_arguments(spec)), top_db=None)
    return librosa.feature.mfcc(S=db, n_mfcc=spec.n_mfcc).T


def librosa_arguments(spec: FeatureSpec) -> dict:
    same = {name: getattr(spec, name) for name in ("n_fft", "win_length", "hop_length", "n_mels", "fmin", "fmax")}
    return {**same, "sr": spec.sample_rate, "center": spec.center, "htk": spec.mel_scale == "htk", "norm": "slaney"}


@pytest.fixture(scope="module")
def clips_8k(fsdd_folder) -> list[np.ndarray]:
    return [audio.read(path)[0] for path in sorted(fsdd_folder.glob("*.wav"))[::250]]


@pytest.fixture(scope="module")
def clips_16k(speech_commands_folder) -> list[np.ndarray]:
    return [audio.read(path)[0] for path in sorted(speech_commands_folder.glob("*/*.wav"))[::300]]


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize(("center", "mel_scale"), itertools.product([False, True], ["slaney", "htk"]))
@pytest.mark.parametrize("kind", ["log_mel", "mfcc"])
def test_agrees_with_librosa_on_a_ragged_batch(request, rate, center, mel_scale, kind):
    clips = request.getfixturevalue("clips_8k" if rate == 8000 else "clips_16k")
    base = SPEC_8K if rate == 8000 else SPEC_16K
    spec = replace(base, center=center, mel_scale=mel_scale, kind=kind)
    num_samples = np.array([len(clip) for clip in clips])
    batch = np.stack([np.pad(clip, (0, max(num_samples) + 777 - len(clip))) for clip in clips])
    ours = keras.ops.convert_to_numpy(Features(spec)(batch, num_samples))
    for clip, features in zip(clips, ours, strict=True):
        frames = spec.num_frames(len(clip))
        expected = (librosa_log_mel if kind == "log_mel" else librosa_mfcc)(clip, spec)
        assert expected.shape == (frames, spec.num_features)
        difference = np.abs(features[:frames] - expected)
        assert difference.max() <= 1e-2
        if kind == "log_mel":
            near_peak = expected > expected.max() - 60
            assert difference[near_peak].max() <= 1e-3
        assert not features[frames:].any()


@pytest.mark.parametrize("mel_scale", ["slaney", "htk"])
def test_mel_matrix_is_librosas(mel_scale):
    spec = replace(SPEC_16K, mel_scale=mel_scale, fmin=50.0, fmax=7000.0)
    expected = librosa.filters.mel(
        sr=16000, n_fft=512, n_mels=40, fmin=50.0, fmax=7000.0, htk=mel_scale == "htk", norm="slaney"
    )
    np.testing.assert_allclose(mel_matrix(spec), expected.T, atol=1e-7)


def test_deltas_are_librosas_within_each_clip_of_a_batch(clips_8k):
    spec = replace(SPEC_8K, num_deltas=2)
    longest = max(map(len, clips_8k))
    batch = np.stack([np.pad(clip, (0, longest - len(clip))) for clip in clips_8k])
    ours = keras.ops.convert_to_numpy(Features(spec)(batch, np.array(list(map(len, clips_8k)))))
    for clip, features in zip(clips_8k, ours, strict=True):
        expected = [librosa_log_mel(clip, spec).T]
        for _ in range(2):
            expected.append(librosa.feature.delta(expected[-1], mode="nearest"))
        np.testing.assert_allclose(features[: spec.num_frames(len(clip))], np.concatenate(expected).T, atol=1e-2)


@pytest.mark.parametrize("clip_seconds", [None, 1.0])
@pytest.mark.parametrize("center", [False, True])
def test_a_clip_does_not_depend_on_its_batch(rng, clip_seconds, center):
    spec = replace(SPEC_8K, clip_seconds=clip_seconds, center=center, num_deltas=1)
    layer = Features(spec, mean=np.arange(80.0) - 60, std=np.arange(80.0) + 1)
    quiet = 1e-3 * rng.standard_normal(5000).astype("float32")
    loud = np.pad(rng.standard_normal(9000), (0, 3111)).astype("float32")
    alone = keras.ops.convert_to_numpy(layer(quiet[None]))[0]
    batch = np.stack([np.pad(quiet, (0, len(loud) - len(quiet))), loud])
    for num_samples in (None, np.array([5000, 9000])):
        together = keras.ops.convert_to_numpy(layer(batch, num_samples))[0]
        np.testing.assert_allclose(together[: len(alone)], alone, atol=1e-5)
        assert not together[len(alone) :].any()


def test_what_lies_beyond_num_samples_is_not_heard(rng):
    layer = Features(replace(SPEC_8K, clip_seconds=1.0))
    waveform = rng.standard_normal((1, 6000)).astype("float32")
    garbage = np.concatenate([waveform, rng.standard_normal((1, 1500))], axis=1).astype("float32")
    expected = keras.ops.convert_to_numpy(layer(waveform))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(garbage, np.array([6000]))), expected)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_at_another_speed_the_same_part_of_a_longer_clip_is_heard(rng, speed, compiled):
    spec = replace(SPEC_8K, clip_seconds=0.5)
    long = rng.standard_normal((2, 6001)).astype("float32")
    long[1, 3000:] = 0  # One that is not longer, beside one that is.
    num_samples = np.array([6001, 3000])
    layer = Features(spec, speed=speed)
    # A model that is called on a length that its graph does not know.
    inputs = [keras.Input((None,)), keras.Input((), dtype="int32")]
    hear = keras.Model(inputs, layer(*inputs)).predict_on_batch if compiled else lambda parts: layer(*parts)
    heard = keras.ops.convert_to_numpy(hear([long, num_samples]))
    for clip, features in zip((long[0, 1000:5000], long[1, :3000]), heard, strict=True):
        alone = keras.ops.convert_to_numpy(layer(clip[None], np.array([len(clip)])))[0]
        np.testing.assert_allclose(features, alone, atol=1e-4)


def test_a_longer_clip_keeps_its_middle(rng):
    spec = replace(SPEC_8K, clip_seconds=0.5)
    waveform = rng.standard_normal((1, 9001)).astype("float32")
    middle = waveform[:, 2500:6500]
    ours = keras.ops.convert_to_numpy(Features(spec)(waveform))
    np.testing.assert_array_equal(ours, keras.ops.convert_to_numpy(Features(spec)(middle)))


@pytest.mark.parametrize("num_samples", [1, 100, 255, 256, 257, 336])
@pytest.mark.parametrize("center", [False, True])
def test_short_clips_have_librosas_frames(rng, num_samples, center):
    spec = replace(SPEC_8K, center=center)
    waveform = rng.standard_normal(num_samples).astype("float32")
    ours = keras.ops.convert_to_numpy(log_mel(waveform[None], spec))[0]
    padded = np.pad(waveform, (0, max(0, 256 - num_samples))) if not center else waveform
    np.testing.assert_allclose(ours, librosa_log_mel(padded, spec), atol=1e-2)


def test_a_product_with_matrices_is_the_transform(clips_8k):
    for clip in clips_8k:
        np.testing.assert_allclose(log_mel(clip[None], SPEC_8K, fft=False), log_mel(clip[None], SPEC_8K), atol=5e-3)


def test_all_zeros_give_finite_features():
    features = keras.ops.convert_to_numpy(Features(replace(SPEC_8K, clip_seconds=1.0))(np.zeros((2, 8000), "float32")))
    assert np.isfinite(features).all()
    assert not features[:, 1:].any()


def test_statistics_normalise_the_recordings_they_come_from(clips_8k):
    spec = replace(SPEC_8K, clip_seconds=1.0)
    batches = [(clip[None], np.array([len(clip)])) for clip in clips_8k]
    layer = measure_statistics(spec, batches)
    frames = np.concatenate(
        [keras.ops.convert_to_numpy(layer(*batch))[0][: spec.num_frames(batch[1][0])] for batch in batches]
    )
    np.testing.assert_allclose(frames.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(frames.std(0), 1, atol=1e-3)


def test_features_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = Features(SPEC_8K)
        assert layer(np.zeros((1, 800), "float32")).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_layer_round_trips_through_a_keras_file(tmp_path, rng):
    layer = Features(replace(SPEC_8K, clip_seconds=0.5, kind="mfcc", num_deltas=1), mean=np.arange(26), std=[2.0] * 26)
    inputs = keras.Input((None,))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "features.keras")
    loaded = keras.saving.load_model(tmp_path / "features.keras")
    waveform = rng.standard_normal((2, 3000)).astype("float32")
    np.testing.assert_array_equal(loaded.predict(waveform, verbose=0), model.predict(waveform, verbose=0))
    assert loaded.layers[-1].spec == layer.spec


def test_shapes_are_known_before_any_clip_is():
    inputs = keras.Input((None,))
    assert Features(replace(SPEC_8K, clip_seconds=1.0))(inputs).shape == (None, 97, 40)
    assert Features(SPEC_8K)(inputs).shape == (None, None, 40)
    assert mfcc(np.zeros((1, 8000), "float32"), SPEC_8K).shape == (1, 97, 13)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"win_length": 300}, "settings-conflict"),
        ({"hop_length": 0}, "setting-out-of-range"),
        ({"fmax": 9000.0}, "settings-conflict"),
        ({"kind": "mfcc", "n_mfcc": 50}, "settings-conflict"),
        ({"clip_seconds": 0.01}, "settings-conflict"),
    ],
)
def test_impossible_specs_are_refused_by_name(change, code):
    with raises(code):
        replace(SPEC_8K, **change)


def test_differences_have_a_floor_of_their_own(clips_8k):
    """One that is meant for decibels would shrink those of second order to a fifth."""
    spec = replace(SPEC_8K, num_deltas=2)
    batches = [(clip[None], np.array([len(clip)])) for clip in clips_8k]
    layer = measure_statistics(spec, batches)
    frames = np.concatenate([np.asarray(layer(*batch))[0] for batch in batches])
    frames = frames[np.any(frames != 0, 1)]
    np.testing.assert_allclose(frames.std(0), 1, atol=0.02)


def test_statistics_of_another_width_are_refused():
    with pytest.raises(ValueError, match="40 features a frame"):
        Features(SPEC_8K, mean=[0.0] * 13, std=[1.0] * 13)
