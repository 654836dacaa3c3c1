"""Reading and writing recordings: every format and width, and one clear line for each that cannot be read."""

import os
import tracemalloc

import librosa
import numpy as np
import pytest
import soundfile
from _errors import raises

from kerasr import audio
from kerasr.core import atomic

RATE = 16000


@pytest.fixture
def sine() -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_U8", 1e-2),
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "PCM_32", 1e-6),
        ("a.wav", "FLOAT", 0),
        ("a.wav", "DOUBLE", 0),
        ("a.flac", "PCM_16", 1e-4),
        ("a.ogg", "VORBIS", 0.05),
        ("a.mp3", None, 0.05),
        ("是 的 é.wav", "PCM_16", 1e-4),
    ],
)
def test_formats(tmp_path, sine, name, subtype, tolerance):
    soundfile.write(tmp_path / name, sine, RATE, subtype=subtype)
    waveform, rate = audio.read(tmp_path / name)
    assert (rate, waveform.dtype, waveform.ndim) == (RATE, np.float32, 1)
    assert audio.facts(tmp_path / name).num_samples == len(waveform)
    np.testing.assert_allclose(waveform[: len(sine)], sine[: len(waveform)], atol=tolerance)


def test_many_channels_at_96_khz(tmp_path, sine):
    stereo = np.stack([sine, -0.5 * sine], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 96000, subtype="PCM_24")
    assert audio.facts(tmp_path / "a.wav") == audio.AudioFacts(96000, RATE, 2)
    assert audio.facts(tmp_path / "a.wav").duration == pytest.approx(1 / 6)
    waveform, rate = audio.read(tmp_path / "a.wav", 8000)
    assert (rate, len(waveform)) == (8000, -(-RATE // 12))
    mono, _ = audio.read(tmp_path / "a.wav")
    np.testing.assert_allclose(mono, 0.25 * sine, atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [(8000, 16000), (44100, 16000), (96000, 8000), (16000, 22050)])
def test_resamples_as_librosa_does(rng, old, new):
    waveform = rng.standard_normal(1237).astype(np.float32)
    expected = librosa.resample(waveform, orig_sr=old, target_sr=new, res_type="soxr_hq")
    np.testing.assert_allclose(audio.resample(waveform, old, new), expected, atol=1e-6)


def _truncated(size):
    def make(path, sine):
        audio.write(path, sine, RATE)
        path.write_bytes(path.read_bytes()[:size])

    return make


def _half_a_flac(path, sine):
    soundfile.write(path, sine, RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:1000])


def _with_sample(value):
    def make(path, sine):
        sine[7] = value
        soundfile.write(path, sine, RATE, subtype="FLOAT")

    return make


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path, sine: None, "recording-not-found"),
        (lambda path, sine: path.mkdir(), "recording-not-found"),
        (lambda path, sine: path.write_text("this is a letter\n" * 20), "recording-unreadable"),
        (lambda path, sine: path.write_bytes(b""), "recording-empty"),
        (lambda path, sine: os.mkfifo(path), "recording-unreadable"),
        # At a common rate it would be of hours.
        (lambda path, sine: soundfile.write(path, sine, 1), "recording-unreadable"),
        (_truncated(8), "recording-unreadable"),
        (_truncated(20), "recording-unreadable"),
        (_truncated(40), "recording-unreadable"),
        (_truncated(44), "recording-empty"),
        (lambda path, sine: soundfile.write(path, sine[:0], RATE), "recording-empty"),
        (_half_a_flac, "recording-unreadable"),
        (_with_sample(np.nan), "sound-invalid"),
        (_with_sample(np.inf), "sound-invalid"),
        (_with_sample(1e19), "sound-invalid"),
        (_with_sample(-32768.0), "sound-invalid"),
    ],
)
def test_bad_recordings_are_named_with_the_reason(tmp_path, sine, make, code):
    path = tmp_path / "bad clip.wav"
    make(path, sine)
    with raises(code) as error:
        audio.read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_float_file_may_exceed_full_scale_and_every_channel_must_be_sound(tmp_path, sine):
    path = tmp_path / "a.wav"
    soundfile.write(path, 20 * sine, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(path)[0], 20 * sine)
    soundfile.write(path, np.stack([1e19 * sine, -1e19 * sine], axis=1), RATE, subtype="FLOAT")
    for reading in (audio.read, lambda path: list(audio.blocks(path, RATE, 0.1))):
        with raises("sound-invalid"):
            reading(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read every file")
def test_unreadable_file(tmp_path, sine):
    path = tmp_path / "a.wav"
    audio.write(path, sine, RATE)
    path.chmod(0)
    with raises("recording-unreadable", "a.wav"):
        audio.facts(path)


def test_three_hours_cost_what_is_asked_of_them(tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
        minute = np.zeros(60 * 8000, np.int16)
        for _ in range(180):
            file.write(minute)
    assert audio.facts(path).duration == 3 * 3600
    tracemalloc.start()
    waveform, _ = audio.read(path, 16000, max_seconds=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(waveform) == 160000
    assert peak < 5_000_000


def test_max_seconds_reads_the_start(tmp_path, sine):
    audio.write(tmp_path / "a.wav", sine, RATE)
    whole, _ = audio.read(tmp_path / "a.wav")
    start, _ = audio.read(tmp_path / "a.wav", max_seconds=0.25)
    np.testing.assert_array_equal(start, whole[: RATE // 4])
    longer, _ = audio.read(tmp_path / "a.wav", max_seconds=9)
    np.testing.assert_array_equal(longer, whole)


def test_writes_what_it_reads(tmp_path, sine):
    audio.write(tmp_path / "a.wav", sine, RATE)
    waveform, rate = audio.read(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_allclose(waveform, sine, atol=1 / 32768)
    audio.write(tmp_path / "a.wav", 3 * sine, RATE)
    assert np.abs(audio.read(tmp_path / "a.wav")[0]).max() == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="finite"):
        audio.write(tmp_path / "a.wav", np.full(10, np.nan), RATE)
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    atomic.write_bytes(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        atomic.write_bytes(path, b"new")
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_new_folder_is_whole_or_absent(tmp_path):
    def fail():
        with atomic.new_folder(tmp_path / "made") as beside:
            open(os.path.join(beside, "part"), "w").close()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(tmp_path) == []
    with atomic.new_folder(tmp_path / "made") as ours:
        with atomic.new_folder(tmp_path / "made") as theirs:
            open(os.path.join(theirs, "theirs"), "w").close()
        open(os.path.join(ours, "ours"), "w").close()
    assert os.listdir(tmp_path) == ["made"]
    assert os.listdir(tmp_path / "made") == ["theirs"]
