"""`python -m kerasr.listen`: the same words however the sound comes, each reported once, and what is no word never."""

import gc
import io
import json
import sys
import threading
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from _errors import raises

from kerasr import audio, listen
from kerasr.audio.microphone import Microphone
from kerasr.config import ListenOptions
from kerasr.exporters import export_litert
from kerasr.listen import View
from kerasr.models.registry import model_facts
from kerasr.runs.run import load_run
from kerasr.streaming.listener import (
    Detection,
    Listener,
    StatefulStream,
    StreamModel,
    WindowedStream,
    open_stream_model,
    reported_words,
    stream_model_of,
)


def loudness(windows):
    """Takes any sound in the middle of half a second for a word, by its level."""
    answers = {"low": [0.9, 0.1, 0.0], "silence": [0.0, 1.0, 0.0], "high": [0.0, 0.1, 0.9]}
    levels = np.abs(windows[:, 200:300]).max(1)
    return np.array([answers["high" if level >= 0.5 else "low" if level > 0.1 else "silence"] for level in levels])


LOUDNESS = StreamModel(
    1000, 500, ("low", "_silence_", "high"), ("low", "high"), 0.6, lambda hop: WindowedStream(loudness, 500, hop)
)


def sound():
    """Four seconds with a soft burst at 1 s and a loud one at 2.5 s."""
    waveform = np.zeros(4000, np.float32)
    waveform[1000:1200], waveform[2500:2700] = 0.2, 0.8
    return waveform


def words(listener, waveform, size):
    """What is heard where the sound comes in chunks of a size."""
    found = [
        heard for start in range(0, len(waveform), size) for heard in listener.process(waveform[start : start + size])
    ]
    return found + listener.finish()


def test_each_word_is_reported_once_and_silence_never():
    found = words(Listener(LOUDNESS), sound(), 100)
    assert [heard.word for heard in found] == ["low", "high"]
    # Its window ends so long after the burst's beginning, and two more are averaged.
    assert found[0].seconds == pytest.approx(1.5, abs=0.11)
    assert found[0].probability >= 0.6


def test_chunks_make_no_difference(rng):
    whole = words(Listener(LOUDNESS), sound(), 4000)
    assert len(whole) == 2
    for size in (1, 37, 100, 999):
        assert words(Listener(LOUDNESS), sound(), size) == whole


def test_an_hour_takes_no_more_memory_than_a_minute():
    def minutes(number):
        found = sum(len(listener.process(chunk)) for _ in range(number))
        gc.collect()
        return found, tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        listener, chunk = Listener(LOUDNESS, ListenOptions(hop_seconds=0.25)), np.tile(sound(), 15)
        _, before = minutes(1)
        found, after = minutes(60)
    finally:
        tracemalloc.stop()
    assert found >= 60
    # Less than a number for each window.
    assert after - before < chunk.nbytes / 10


def test_options_decide_what_counts():
    def count(**options):
        return len(words(Listener(LOUDNESS, ListenOptions(**options)), sound(), 100))

    assert count(threshold=0.95) == 0
    assert count(refractory_seconds=3.0) == 1
    assert count(refractory_seconds=0.0) > 2
    assert count(smooth_seconds=2.0) == 0
    for wrong in ({"threshold": 2.0}, {"hop_seconds": 0.0}, {"smooth_seconds": -1.0}):
        with raises("setting-out-of-range", "--"):
            Listener(LOUDNESS, ListenOptions(**wrong))
    with raises("setting-out-of-range"):
        Listener(LOUDNESS, ListenOptions(hop_seconds=0.6))


def test_which_labels_are_reported():
    assert reported_words(("go", "not yet", "_unknown_"), "classify") == ("go", "not yet")
    assert reported_words(("not not yet", "not yet"), "detect") == ("not yet",)


def test_the_first_word_is_heard_though_the_sound_begins_with_it():
    assert [heard.word for heard in words(Listener(LOUDNESS), sound()[1000:], 100)] == ["low", "high"]


def test_what_is_no_number_is_no_word():
    stream_model = replace(
        LOUDNESS, follow=lambda hop: WindowedStream(lambda windows: np.full((len(windows), 3), np.nan), 500, hop)
    )
    assert words(Listener(stream_model), sound(), 100) == []
    for value, reason in ((np.nan, "NaN"), (1e19, r"1e\+19")):
        broken = sound()
        broken[1500] = value
        with raises("sound-invalid", rf"up to 1\.6 s the sound has samples .*{reason}"):
            words(Listener(LOUDNESS), broken, 100)


def test_the_last_word_is_heard_though_the_sound_ends():
    assert [heard.word for heard in words(Listener(LOUDNESS), sound()[:2750], 100)] == ["low", "high"]


@pytest.fixture(scope="module")
def models(tone_run, convert_here, tmp_path_factory):
    """The tones' run, and the same for a phone."""
    with pytest.MonkeyPatch.context() as patch:
        convert_here(patch)
        path, _ = export_litert(load_run(tone_run), tmp_path_factory.mktemp("phone") / "tones.tflite")
    return {"run": str(tone_run), "litert": str(path)}


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory):
    """Three tones, each for over a second, 8 kHz: the model knows nothing else."""
    pitch = np.repeat([300, 2500, 900], 10_000)
    waveform = 0.3 * np.sin(2 * np.pi * pitch * np.arange(len(pitch)) / 8000)
    waveform += 0.01 * np.random.default_rng(0).standard_normal(len(waveform))
    path = tmp_path_factory.mktemp("long") / "tones.wav"
    audio.write(path, waveform, 8000)
    return path


@pytest.mark.parametrize("kind", ["run", "litert"])
def test_a_recording_is_heard_in_order(models, long_recording, capsys, kind):
    listen.main([models[kind], "--file", str(long_recording), "--json", "--refractory-seconds", "0.2"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for start, word in ((0.0, "low"), (1.25, "high"), (2.5, "middle")):
        inside = {row["word"] for row in rows if start + 0.65 < row["seconds"] < start + 1.25}
        assert inside == {word}


def test_both_kinds_of_model_hear_alike(models, rng):
    stream_models = [open_stream_model(path) for path in models.values()]
    window = (0.1 * rng.standard_normal(stream_models[0].window)).astype("float32")
    answers = [list(stream_model.follow(800).process(window)) for stream_model in stream_models]
    assert [samples for samples, _ in answers[0]] == [samples for samples, _ in answers[1]] == [800, 1600, 2400, 3200]
    for (_, one), (_, other) in zip(*answers, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert {
        (stream_model.sample_rate, stream_model.window, tuple(stream_model.labels)) for stream_model in stream_models
    } == {(8000, 3200, ("high", "low", "middle"))}


def test_a_model_that_carries_its_state_hears_in_steps(untrained, rng):
    run = untrained(model_facts("Conv1DLSTM"))
    clip = (0.1 * rng.standard_normal(run.config.features.clip_samples)).astype("float32")
    steps, windows = (stream_model_of(run, carry_state=carry).follow(400) for carry in (True, False))
    assert (type(steps), type(windows)) == (StatefulStream, WindowedStream)
    assert (steps.hop, windows.hop) == (800, 400)
    assert [samples for samples, _ in windows.process(clip)] == [*range(400, 3201, 400)]
    assert [samples for piece in np.split(clip, 8) for samples, _ in steps.process(piece)] == [976, 1776, 2576]
    # Three tenths of a second are three of its steps.
    listener = Listener(stream_model_of(run, carry_state=True), ListenOptions(smooth_seconds=0.3))
    assert [seconds for seconds, _ in listener.answer(clip)] == [2576 / 8000]


def test_the_standard_input_is_heard_as_the_file_is(models, long_recording, monkeypatch, capsys):
    listen.main([models["run"], "--file", str(long_recording)])
    *expected, last = capsys.readouterr().out.splitlines()
    assert "of real time" in last
    assert expected
    pcm = (audio.read(long_recording)[0] * 2**15).astype("<i2").tobytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(pcm))))
    listen.main([models["run"], "-"])
    assert capsys.readouterr().out.splitlines() == expected


def test_the_microphone_is_heard_as_the_file_is(models, long_recording, monkeypatch, capsys):
    """A stand-in for sounddevice, which calls back from a thread of its own, as PortAudio does."""
    listen.main([models["run"], "--file", str(long_recording)])
    *expected, _ = capsys.readouterr().out.splitlines()
    sound = np.append(audio.read(long_recording)[0], np.zeros(8000, np.float32))

    class CtrlC:
        """A chunk at which whoever takes it is interrupted."""

        def __getitem__(self, place):
            return self

        def copy(self):
            return self

        def __len__(self):
            raise KeyboardInterrupt

    class InputStream:
        def __init__(self, samplerate, blocksize, channels, dtype, callback, finished_callback):
            assert (samplerate, blocksize, channels, dtype) == (8000, 800, 1, "float32")
            self.callback = callback

        def start(self):
            threading.Thread(target=self.talk, daemon=True).start()

        def close(self):
            pass

        def talk(self):
            flags = SimpleNamespace(input_overflow=False)
            for start in range(0, len(sound), 800):
                self.callback(sound[start : start + 800, None], 800, None, flags)
            self.callback(CtrlC(), 800, None, flags)

    device = SimpleNamespace(check_input_settings=lambda **_: None, InputStream=InputStream, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    listen.main([models["run"]])
    assert capsys.readouterr().out.splitlines()[: len(expected)] == expected


@pytest.mark.parametrize("fault", [None, OSError("device is busy")])
def test_a_microphone_that_does_not_start_or_goes_away_is_told(monkeypatch, capsys, fault):
    closed = []

    class InputStream:
        def __init__(self, callback, finished_callback, **_):
            self.callback, self.finished_callback = callback, finished_callback

        def start(self):
            if fault:
                raise fault
            for _ in range(2):  # Two chunks, with sound lost before each; then it is unplugged.
                self.callback(np.ones((800, 1), np.float32), 800, None, SimpleNamespace(input_overflow=True))
            self.finished_callback()

        def close(self):
            closed.append(self)

    device = SimpleNamespace(check_input_settings=lambda **_: None, InputStream=InputStream, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    chunks = Microphone(8000).chunks(0.1)
    heard = []
    with raises("microphone-unavailable", "device is busy" if fault else "still plugged in"):
        heard.extend(chunks)
    assert len(closed) == 1
    assert capsys.readouterr().err.count("some sound was lost") == (0 if fault else 1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-", "--sample-rate", "0"], "setting-out-of-range"),
        (["-", "--sample-rate", "1000000000000"], "setting-out-of-range"),
        (["long.wav"], "settings-conflict"),
        (["-", "--file", "long.wav"], "settings-conflict"),
        (["--file", "none.wav"], "recording-not-found"),
        ([], "microphone-unavailable"),
    ],
)
def test_what_cannot_be_heard_is_told(models, monkeypatch, arguments, code):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with raises(code):
        listen.main([models["run"], *arguments])


def test_a_file_without_its_facts_is_told(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"TFL3")
    with raises("file-damaged"):
        open_stream_model(str(tmp_path / "a.tflite"))
    for facts in ("{}", "[1]", '{"features": {}, "labels": "yes", "task": "classify", "stream_threshold": 0.5}'):
        (tmp_path / "a.tflite.json").write_text(facts)
        with raises("file-damaged"):
            open_stream_model(str(tmp_path / "a.tflite"))


@pytest.mark.parametrize(("task", "code"), [("transcribe", "task-unsupported"), ("unheard", "task-not-found")])
def test_a_file_of_another_task_is_told(tmp_path, monkeypatch, task, code):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", SimpleNamespace(Interpreter=lambda *_, **__: None))
    (tmp_path / "a.tflite").touch()
    facts = {"features": {}, "labels": ["a"], "task": task, "stream_threshold": 0.5}
    (tmp_path / "a.tflite.json").write_text(json.dumps(facts))
    with raises(code):
        open_stream_model(str(tmp_path / "a.tflite"))


def test_a_file_of_a_hardly_possible_rate_is_refused(tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.full(12, 0.5), 4)
    with raises("recording-unreadable"):
        next(audio.blocks(tmp_path / "slow.wav", 4, 0.1))


def test_blocks_are_the_recording(tmp_path, rng):
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.1 * rng.standard_normal((9000, 2)), 8000)
    for rate in (8000, 16000):
        pieces = np.concatenate(list(audio.blocks(path, rate, 0.1)))
        np.testing.assert_allclose(pieces, audio.read(path, rate)[0], atol=1e-3)


def test_the_view_shows_the_level_and_the_last_words():
    view = View(Listener(LOUDNESS, ListenOptions(threshold=0.7)))
    view.process(np.full(800, 0.5, np.float32), [])
    loud = view.draw()
    view.process(np.zeros(800, np.float32), [Detection(0.1 * number, f"word{number}", 0.9) for number in range(50)])
    quiet = view.draw()
    assert loud.count("█") > quiet.count("█") == 0
    assert "threshold 70%" in quiet
    assert "word49" in quiet
    assert "word0 " not in quiet
    assert quiet.count("\n") < 20
