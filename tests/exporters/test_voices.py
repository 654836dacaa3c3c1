"""Voices in files and behind a server: they say what the run says, and refuse what it refuses."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from _errors import raises
from onnxruntime import InferenceSession

from kerasr import export_serving, load_run
from kerasr.export import main as export
from kerasr.exporters import export_litert, export_onnx
from kerasr.serving.servable import Servable

TEXTS = ["Low, top!", "mid low mid top"]


@pytest.fixture(scope="module")
def exported(voice_run, tmp_path_factory):
    """The version that the command has made, and what it has said."""
    to, told = tmp_path_factory.mktemp("serving") / "voice", io.StringIO()
    checks = []

    def note(*given, **options):
        version, check = export_serving(*given, **options)
        checks.append(check)
        return version, check

    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told), pytest.MonkeyPatch.context() as patch:
        patch.setattr("kerasr.exporters.export_serving", note)
        export([str(voice_run.path), "--to", str(to)])
    assert [(check.agreement, check.real) for check in checks] == [(1.0, True)]
    return to / "1", told.getvalue()


@pytest.fixture(scope="module")
def served(exported):
    return exported[0]


@pytest.fixture(scope="module")
def signatures(served):
    return tf.saved_model.load(str(served)).signatures


def said(found, place):
    """One text's own samples."""
    return found["waveform"].numpy()[place, : found["num_samples"].numpy()[place]]


def test_texts_sound_as_the_run_says_them_alone_and_together(voice_run, signatures):
    found = signatures["serving_default"](text=tf.constant(TEXTS))
    for place, text in enumerate(TEXTS):
        speech = voice_run.synthesize(text)
        np.testing.assert_allclose(said(found, place), speech.waveform, atol=1e-4)
        frames = len(speech.log_mel)
        np.testing.assert_allclose(found["log_mel"].numpy()[place, :frames], speech.log_mel, atol=1e-2)
        assert found["durations"].numpy()[place].sum() == frames
    inputs = {"voice": tf.constant(["speaker1"]), "speed": tf.constant([0.8])}
    slow = signatures["speak"](text=tf.constant(TEXTS[:1]), **inputs)
    expected = voice_run.synthesize(TEXTS[0], voice="speaker1", speed=0.8)
    np.testing.assert_allclose(said(slow, 0), expected.waveform, atol=1e-4)


@pytest.mark.parametrize(
    ("signature", "inputs", "words"),
    [
        ("serving_default", {"text": [" ?! "]}, "nothing to say"),
        ("serving_default", {"text": ["low", 100 * "low "]}, "more than 200"),
        ("serving_default", {"text": ["xylophone"]}, "not learnt"),
        ("serving_default", {"text": ["мир"]}, "not learnt"),
        ("speak", {"text": ["low"], "voice": ["nobody"], "speed": [1.0]}, "voice"),
        ("speak", {"text": ["low"], "voice": ["speaker0"], "speed": [0.0]}, "speed"),
        ("speak", {"text": ["low"], "voice": ["speaker0"], "speed": [np.nan]}, "speed"),
        ("tokens", {"token_ids": [[0, 0]], "voice": [0], "speed": [1.0]}, "token_ids"),
        ("tokens", {"token_ids": [[1, 99]], "voice": [0], "speed": [1.0]}, "token_ids"),
        ("tokens", {"token_ids": [[1, 2]], "voice": [2], "speed": [1.0]}, "voice"),
    ],
)
def test_a_server_refuses_what_cannot_be_said(signature, inputs, words, signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})


def test_a_server_plays_each_signature_before_it_answers(served):
    assert Servable("voice", 1, served).warm_up(served) == 3


def test_texts_are_normalised_in_the_graph(voice_run, signatures):
    texts = ["LOW\u2026 \n(Mid)", "low-mid", "  low   mid  "]
    found = signatures["serving_default"](text=tf.constant(texts))
    for place in range(len(texts)):
        np.testing.assert_allclose(said(found, place), voice_run.synthesize("low mid").waveform, atol=1e-4)


@pytest.mark.full
def test_the_program_of_the_page_says_a_text_with_a_file(voice_run, tmp_path, monkeypatch, converted_here):
    check = export_litert(voice_run, tmp_path / "voice.tflite")[1]
    assert (check.agreement, check.difference < 1e-2) == (1.0, True)
    (tmp_path / "text.txt").write_text("low top\n")
    page = (Path(__file__).parents[2] / "docs" / "voice.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(program, {})
    expected = np.clip(voice_run.synthesize("low top").waveform, -1, 1)
    np.testing.assert_allclose(soundfile.read("out.wav")[0], expected, atol=2e-3)


@pytest.mark.full
def test_a_file_in_8_bits_is_smaller_and_near(voice_run, tmp_path, converted_here):
    whole, near = (
        export_litert(voice_run, tmp_path / f"{quantize}.tflite", quantize=quantize, least_agreement=0.5)[1]
        for quantize in ("none", "dynamic")
    )
    assert near.size < whole.size
    assert 0 < near.difference < 10


@pytest.mark.full
def test_onnx_says_any_number_of_texts(voice_run, tmp_path, converted_here):
    path, check = export_onnx(voice_run, tmp_path / "voice.onnx")
    assert (check.agreement, check.difference < 1e-2) == (1.0, True)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = [voice_run.task.vocabulary.encode(f" {text} ") for text in ("low top", "mid low mid top")]
    token_ids = np.array([row + [0] * (max(map(len, rows)) - len(row)) for row in rows], np.int32)
    inputs = {"token_ids": token_ids, "voice": np.zeros(2, np.int32), "speed": np.ones(2, np.float32)}
    waveform, num_samples = session.run(["waveform", "num_samples"], inputs)
    expected = voice_run.synthesize("low top").waveform
    np.testing.assert_allclose(waveform[0, : num_samples[0]], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("code", "options"),
    [("export-unsupported", {"quantize": "int8"}), ("export-unsupported", {"stream": True})],
)
def test_what_a_voice_has_not_is_refused(code, options, voice_run, tmp_path):
    with raises(code):
        export_litert(voice_run, tmp_path / "voice.tflite", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.full
def test_a_vocoder_is_a_voices_and_of_its_own_kind(voice_run, tone_run, tmp_path):
    with raises("settings-conflict"):
        export_serving(load_run(tone_run), tmp_path / "tones", vocoder=voice_run)
    with raises("task-unsupported"):
        export_serving(voice_run, tmp_path / "voice", vocoder=voice_run)


@pytest.mark.full
def test_a_voice_that_says_otherwise_is_no_version(voice_run, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasr.exporters.serving.VOICE_TOLERANCE", -1.0)
    monkeypatch.setattr("kerasr.exporters.voice_check.NUM_TEXTS", 1)
    with raises("export-differs"):
        export_serving(voice_run, tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


def test_the_command_tells_what_was_measured(exported):
    _, told = exported
    assert "real-time factor" in told
    assert "kerasr.serve" in told
