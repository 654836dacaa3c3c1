"""A waveform comes back from its log-mel energies, as near as librosa's and whatever it is batched with."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
from _errors import raises

from kerasr.audio.features import log_mel, mel_matrix, spectrum
from kerasr.audio.inverse import griffin_lim, overlap_add, powers
from kerasr.config import FeatureSpec

SPEC = FeatureSpec(sample_rate=8000, n_fft=512, win_length=400, hop_length=100, n_mels=40, clip_seconds=None)


@pytest.fixture
def waveform(rng):
    """Half a second of a voice's harmonics, whose pitch falls, and breath."""
    time = np.arange(4000) / 8000
    phase = 2 * np.pi * (180 * time - 60 * time**2)
    tones = sum(np.sin(number * phase) / number for number in range(1, 15))
    return (0.1 * tones + 0.003 * rng.standard_normal(4000)).astype("float32")[None]


def error_db(waveform, energies, spec=SPEC):
    """How far the energies of a waveform are from those that are wanted, where there is a sound."""
    found = np.asarray(log_mel(np.asarray(waveform), spec))
    energies = np.asarray(energies)[:, : found.shape[1]]
    return np.abs(found[:, : energies.shape[1]] - energies)[energies > -60].mean()


@pytest.mark.parametrize("center", [False, True])
def test_the_energies_come_back_as_near_as_by_librosa(waveform, center):
    spec = replace(SPEC, center=center)
    energies = log_mel(waveform, spec)
    found = griffin_lim(energies, spec)
    assert abs(found.shape[1] - waveform.shape[1]) < spec.n_fft
    sizes = {"n_fft": spec.n_fft, "win_length": spec.win_length, "hop_length": spec.hop_length, "center": center}
    power = 10 ** (np.asarray(energies)[0].T / 10)
    theirs = librosa.feature.inverse.mel_to_audio(power, sr=spec.sample_rate, fmin=spec.fmin, n_iter=32, **sizes)
    assert error_db(found, energies, spec) < 1.05 * error_db(theirs[None], energies, spec)


@pytest.mark.parametrize("hop_length", [100, 128, 170])
def test_frames_of_a_waveform_add_up_to_it(waveform, hop_length):
    spec = replace(SPEC, hop_length=hop_length)
    found = np.asarray(overlap_add(*spectrum(waveform, spec), spec))
    middle = slice(spec.n_fft, found.shape[1] - spec.n_fft)
    np.testing.assert_allclose(found[:, middle], waveform[:, middle], atol=1e-5)


def test_powers_have_the_wanted_sums_and_none_is_negative(waveform):
    energies = np.asarray(log_mel(waveform, SPEC))
    found = np.asarray(powers(energies, SPEC))
    assert found.min() >= 0
    again = 10 * np.log10(np.maximum(found @ mel_matrix(SPEC), 1e-10))
    assert np.abs(again - energies)[energies > -60].mean() < 0.5


def test_a_clip_sounds_the_same_alone(waveform):
    energies = np.asarray(log_mel(waveform, SPEC))
    company = np.concatenate([energies, np.full_like(energies, -20.0)])
    alone, together = griffin_lim(energies, SPEC, num_iterations=4), griffin_lim(company, SPEC, num_iterations=4)
    np.testing.assert_allclose(np.asarray(together)[:1], alone, atol=1e-4)


def test_silence_after_a_clip_changes_nothing(waveform):
    energies = np.asarray(log_mel(waveform, SPEC))
    padded = np.pad(energies, ((0, 0), (0, 9), (0, 0)), constant_values=-100.0)
    alone, longer = (np.asarray(griffin_lim(each, SPEC)) for each in (energies, padded))
    np.testing.assert_allclose(longer[:, : alone.shape[1]], alone, atol=1e-5)


def test_silence_stays_silent():
    assert np.abs(np.asarray(griffin_lim(np.full((1, 20, 40), -100.0, "float32"), SPEC, num_iterations=4))).max() < 1e-3


def test_other_features_have_no_way_back():
    with raises("settings-conflict"):
        griffin_lim(np.zeros((1, 5, 13), "float32"), replace(SPEC, kind="mfcc"))
