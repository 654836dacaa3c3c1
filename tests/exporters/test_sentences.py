"""Sentences in files: a phone and ONNX Runtime write down what the run writes down, of recordings of any length."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from _errors import raises
from ai_edge_litert.interpreter import Interpreter
from onnxruntime import InferenceSession

from kerasr.exporters import export_litert, export_onnx
from kerasr.exporters.check import Check
from kerasr.exporters.files import Bounds
from kerasr.models.registry import list_models, model_facts
from kerasr.streaming.client import Stream, StreamFacts

ENCODERS = {facts.name: facts for facts in list_models(per_frame=True)}
# By default, of streams, the one with recurrent layers.
FIRST = ("DeepSpeech2", "none")


def texts(run, found):
    """What a file's token ids say, as docs/sentences.md reads them."""
    return [" ".join("".join(run.labels[token - 1] for token in row if token > 0).split()) for row in found]


def test_a_phone_writes_down_what_the_run_does_in_8_bits_too(
    untrained_encoder, tmp_path, monkeypatch, capsys, converted_here
):
    run = untrained_encoder(model_facts("TransformerEncoder"))
    path, check = export_litert(run, tmp_path / "an4.tflite", quantize="int8", least_agreement=0.0)
    assert check.num_clips == 3
    assert 0 < check.difference < 1.0
    assert check.wer_before == run.task.word_error_rate(run.utterances("test"), run.probs(run_clips(run)))
    facts = json.loads(Path(f"{path}.json").read_text())
    assert facts["input"]["shape"] == [1, None]
    assert facts["outputs"]["blank"] == 0
    # What the page about sentences tells to type is what the file's probabilities say.
    capsys.readouterr()
    item = run.utterances("test")[0]
    shutil.copy(item.path, tmp_path / "utterance.wav")
    page = (Path(__file__).parents[2] / "docs" / "sentences.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(program, {})
    probs = Interpreter(str(path)).get_signature_runner()(waveform=soundfile.read(item.path, dtype="float32")[0][None])
    assert capsys.readouterr().out == f"{run.task.decide(probs['probs'])[0]}\n"


def run_clips(run):
    return [soundfile.read(item.path, dtype="float32")[0] for item in run.utterances("test")]


def check_of(**scores):
    return Check(100, True, 0.9, 0.1, 0.5, 0.5, 1.0, 1, **scores)


def test_8_bits_may_cost_half_a_point_of_word_errors_and_no_more():
    bounds = Bounds(0.98, wer_loss=0.005)
    assert bounds.why_not(check_of(wer_before=32 / 200, wer_after=33 / 200)) is None
    assert bounds.why_not(check_of(wer_before=0.160, wer_after=0.150)) is None
    assert "16.60%" in bounds.why_not(check_of(wer_before=0.160, wer_after=0.166))
    # Without a truth, and in 32 bits, it is the share of the same transcripts.
    assert "90.0%" in bounds.why_not(check_of())
    assert "90.0%" in Bounds(0.98).why_not(check_of(wer_before=0.16, wer_after=0.16))


def test_a_file_that_writes_down_something_else_is_refused(untrained_encoder, tmp_path, monkeypatch):
    run = untrained_encoder(model_facts("TransformerEncoder"))
    monkeypatch.setattr("kerasr.exporters.files._convert_apart", lambda run, file, *_: file.write_bytes(b"x"))
    monkeypatch.setattr("kerasr.exporters.files.check_export", lambda *_: check_of(wer_before=0.1, wer_after=0.2))
    with raises("export-differs", "20.00%"):
        export_litert(run, tmp_path / "a.tflite", quantize="int8")
    assert not list(tmp_path.glob("*.tflite*"))


STREAMED = [
    pytest.param(name, quantize, id=f"{name}-{quantize}", marks=[] if (name, quantize) == FIRST else [pytest.mark.full])
    for name, facts in ENCODERS.items()
    if facts.stream_options is not None
    for quantize in ("none", "dynamic")
]


@pytest.mark.parametrize(("name", "quantize"), STREAMED)
def test_a_phone_takes_a_sentence_as_it_is_spoken(
    name, quantize, untrained_encoder, tmp_path, rng, converted_here, monkeypatch, capsys
):
    facts = ENCODERS[name]
    options = {**(facts.stream_options or {}), **({"causal": True} if "causal" in facts.options else {})}
    run = untrained_encoder(facts, jitter=0.1, **options)
    path, check = export_litert(run, tmp_path / "sentences.tflite", quantize=quantize, stream=True, least_agreement=0.0)
    assert check.difference < {"none": 1e-4, "dynamic": 1.0}[quantize]
    stream_facts = StreamFacts.from_json(json.loads(Path(f"{path}.json").read_text())["stream"])
    assert stream_facts.output_stride == facts.stride
    runner = Interpreter(str(path)).get_signature_runner("stream")
    waveform = 0.1 * rng.standard_normal(7000).astype("float32")
    stream = Stream(lambda inputs: runner(**inputs), stream_facts)
    rows = [
        answer["probs"] for start in range(0, 7000, 300) for answer in stream.process(waveform[start : start + 300])
    ]
    probs = np.concatenate([*rows, stream.finish()["probs"]])
    np.testing.assert_allclose(probs, run.probs([waveform])[0], atol=1e-4 if quantize == "none" else 0.2)
    # What the page about streams tells to type reads the same.
    soundfile.write(tmp_path / "utterance.wav", waveform, 8000, subtype="FLOAT")
    page = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text(encoding="utf-8")
    (program,) = (part for part in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "Interpreter" in part)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(program, {})
    assert capsys.readouterr().out == f"{run.task.decide(probs[None])[0]}\n"


def test_what_carries_no_state_gives_a_phone_none(untrained_encoder, tmp_path):
    with raises("streaming-unsupported"):
        export_litert(untrained_encoder(ENCODERS["DeepSpeech2"]), tmp_path / "a.tflite", stream=True)


def test_a_waveform_has_no_room_in_8_bits(untrained_encoder, tmp_path):
    with raises("export-unsupported", "dynamic"):
        export_litert(untrained_encoder(ENCODERS["MoonshineEncoder"]), tmp_path / "a.tflite", quantize="int8")


TABLE = [
    pytest.param(name, kind, id=f"{name}-{kind}")
    for name, facts in ENCODERS.items()
    for kind in ("onnx", "none", "dynamic", *(() if facts.reads_waveform else ("int8",)))
]


@pytest.mark.full
@pytest.mark.parametrize(("name", "kind"), TABLE)
def test_every_encoder_in_every_format(name, kind, untrained_encoder, tmp_path, rng, converted_here):
    run = untrained_encoder(ENCODERS[name])
    if kind == "onnx":
        path, check = export_onnx(run, tmp_path / "a.onnx")
        session = InferenceSession(str(path))

        def call(waveform):
            return dict(
                zip(("probs", "token_ids"), session.run(["probs", "token_ids"], {"waveform": waveform}), strict=True)
            )
    else:
        eight = {} if kind == "none" else {"least_agreement": 0.0}
        path, check = export_litert(run, tmp_path / "a.tflite", quantize=kind, **eight)
        call = Interpreter(str(path)).get_signature_runner()
    exact = kind in ("onnx", "none")
    # (Of logits in 8 bits, those of an untrained network's blocks may be anywhere: below, their probabilities count.)
    assert check.difference < {"int8": np.inf, "dynamic": 1.0}.get(kind, 1e-4)
    # Shorter than a frame, longer than a block of frames, and the same length again: nothing stays from clip to clip.
    for size in (100, 9000, 9000, 1, 60_000):
        waveform = 0.1 * rng.standard_normal((1, size)).astype("float32")
        found, expected = call(waveform=waveform), run.probs(list(waveform))
        assert np.isfinite(found["probs"]).all()
        # (A frame or less is far from what the ranges of int8 are calibrated on, and an untrained network's extremes.)
        if kind != "int8" or size > 1000:
            np.testing.assert_allclose(found["probs"], expected, atol=1e-4 if exact else 0.2)
        assert texts(run, found["token_ids"]) == run.task.decide(found["probs"]).tolist()
