"""Words in streams: what was placed is found again, and misses, false alarms and delays are counted rightly."""

import json
import re
import shutil

import numpy as np
import pytest
from _errors import raises

from kerasr import evaluate
from kerasr.evaluation.stream import alarm_threshold, evaluate_stream, make_scene, score
from kerasr.exporters import export_litert
from kerasr.models.registry import model_facts
from kerasr.runs.run import from_preset, load_run
from kerasr.streaming.listener import Listener, StreamModel, WindowedStream, open_stream_model, stream_model_of

# A model for streams of half a second that knows two words, and is not asked to hear.
SILENT = StreamModel(
    1000, 500, ("a", "b", "_unknown_"), ("a", "b"), 0.5, lambda hop: WindowedStream(np.zeros, 500, hop)
)


def test_a_scene_has_each_clip_where_it_says_and_at_the_ratio(rng):
    clips = [level * rng.standard_normal(size) for level, size in ((0.5, 800), (0.001, 300), (0.1, 2000))]
    scene = make_scene(clips, ["a", None, "b"], 1000, snr_db=20.0, speakers=["A", None, "B"], seed=3)
    assert scene.speakers == tuple(word and word.upper() for *_, word in scene.words)
    assert sorted(str(word) for *_, word in scene.words) == ["None", "a", "b"]
    noise = np.concatenate([scene.waveform[:1400], scene.waveform[-2900:]])
    for start, end, word in scene.words:
        sound = scene.waveform[round(1000 * start) : round(1000 * end)]
        assert len(sound) == {"a": 800, None: 300, "b": 2000}[word]
        assert 10 * np.log10((sound**2).mean() / (noise**2).mean()) == pytest.approx(20, abs=1.5)
    again = make_scene(clips, ["a", None, "b"], 1000, snr_db=20.0, seed=3)
    np.testing.assert_array_equal(scene.waveform, again.waveform)


def test_misses_false_alarms_and_delays():
    scene = make_scene([np.ones(400)] * 3, ["a", "b", None], 1000, snr_db=0.0)
    times = {word: (start, end) for start, end, word in scene.words}
    answers = {round(0.1 * step, 3): np.array([0.0, 0.0, 1.0]) for step in range(round(len(scene.waveform) / 100))}

    def say(seconds, word):
        answers[round(seconds, 1)] = np.array([0.9 * (word == "a"), 0.9 * (word == "b"), 0.1])

    say(times["a"][1] + 0.2, "a")  # right, in time
    say(times["b"][1] + 0.2, "a")  # the wrong word
    say(times[None][1], "b")  # no word
    found = score(sorted(answers.items()), scene, SILENT, 0.5, 0.0)
    assert (found["num_words"], found["miss_rate"], found["false_alarms"]) == (2, 0.5, 2)
    assert (found["num_missed"], found["false_alarms_per_hour_interval"][0] > 0) == (1, True)
    assert found["delay"] == pytest.approx(0.2, abs=0.06)
    assert found["false_alarms_per_hour"] == pytest.approx(2 * 3600 / (len(scene.waveform) / 1000))
    deaf = score(sorted(answers.items()), scene, SILENT, 0.95, 0.0)
    assert (deaf["miss_rate"], deaf["false_alarms"], deaf["delay"]) == (1.0, 0, None)


def test_the_threshold_is_the_lowest_that_keeps_the_rate():
    falling = [{"false_alarms": max(0, 30 - place)} for place in range(70)]
    curves = [{"hours": 1.0, "rows": falling}, {"hours": 1.0, "rows": [{"false_alarms": 0}] * 70}]
    # Thirty places up in hundredths from 0.3, less what ten an hour over two hours allow.
    assert alarm_threshold(curves, 10.0) == pytest.approx(0.4)
    assert alarm_threshold(curves, 100.0) == pytest.approx(0.3)
    with raises("threshold-not-found"):
        alarm_threshold([{"hours": 1.0, "rows": [{"false_alarms": 50}] * 70}], 10.0)


def test_a_run_is_measured_and_listens_with_its_threshold(tone_run, tmp_path, capsys):
    run = load_run(shutil.copytree(tone_run, tmp_path / "run"))
    arguments = ["stream", str(run.path), "--snr-db", "30", "--false-alarms-per-hour", "1e4", "--out", str(tmp_path)]
    evaluate.main(arguments)
    out, err = capsys.readouterr()
    assert "chosen on validation clips" in out
    assert f"next    python -m kerasr.listen {run.path}\n" in out
    assert re.search(r"^2 streams, \d+ s of sound in all: about \d+ s$", err, re.MULTILINE)
    assert (tmp_path / "detection.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / "stream.json").read_text())
    row = result["test"][0]
    assert row["num_words"] == len(run.utterances("test"))
    low, high = row["miss_interval"]
    assert low <= row["miss_rate"] <= high
    assert f"{row['num_missed']} of {row['num_words']} words missed (95% interval" in out.replace("\n", " ")
    low, high = row["false_alarms_per_hour_interval"]
    assert f"(95% interval {low:.1f} to {high:.1f})" in out
    stream_model = stream_model_of(load_run(run.path))
    assert stream_model.threshold == result["threshold"]
    assert Listener(stream_model).threshold == result["threshold"]
    # Its exports carry the threshold, and are heard with it.
    file, _ = export_litert(load_run(run.path), tmp_path / "tones.tflite", least_agreement=0.0)
    assert open_stream_model(str(file)).threshold == result["threshold"]


def test_a_run_is_measured_as_it_carries_its_state(untrained, tone_run, tmp_path):
    run = untrained(model_facts("Conv1DLSTM"))
    settings = {"snrs_db": (30.0,), "false_alarms_per_hour": 1e6}
    found = [
        evaluate_stream(run, **settings, carry_state=carry, folder=tmp_path / f"stream-{carry}")
        for carry in (True, False)
    ]
    # The same words, heard otherwise.
    assert found[0]["test"][0]["num_words"] == found[1]["test"][0]["num_words"] > 0
    assert found[0]["curves"] != found[1]["curves"]
    with raises("streaming-unsupported"):
        evaluate.main(["stream", str(tone_run), "--carry-state", "--out", str(tmp_path)])


def test_a_preset_has_no_clips_to_choose_on():
    with raises("split-not-found"):
        evaluate_stream(from_preset("digits"))
