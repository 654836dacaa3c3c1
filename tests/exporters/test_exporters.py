"""`python -m kerasr.export`: what a server, a phone, a C++ program and a shell get is what the run answers."""

import ctypes
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from _errors import raises
from ai_edge_litert.interpreter import Interpreter
from onnxruntime import InferenceSession
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from kerasr import export
from kerasr.audio import resample
from kerasr.audio.features import Features
from kerasr.core import cli
from kerasr.core.extras import EXTRAS, Extra
from kerasr.data.clips import read_clip
from kerasr.exporters import check_export, export_litert, export_onnx, export_serving, serving
from kerasr.exporters.check import Check, take_clips
from kerasr.models.registry import list_models, model_facts
from kerasr.runs.run import load_run
from kerasr.streaming.listener import open_stream_model


@pytest.fixture(scope="module")
def served(tone_run, tmp_path_factory):
    """A folder that a server would watch, with the tones' model in it."""
    folder = tmp_path_factory.mktemp("serving")
    version, check = export_serving(load_run(tone_run), folder / "tones")
    assert version == folder / "tones" / "1"
    assert check.real
    assert check.agreement == 1
    assert check.difference < 1e-5
    assert check.accuracy_after == check.accuracy_before > 0.8
    return folder


@pytest.fixture(scope="module")
def signatures(served):
    """The exported model's functions."""
    return tf.saved_model.load(str(served / "tones" / "1")).signatures


def listen(run):
    """The run's test clips, as a padded batch with lengths, their paths, and the run's logits."""
    paths = [item.path for item in run.utterances("test")]
    clips = [read_clip(path, run.config.features) for path in paths]
    longest = max(map(len, clips))
    waveform = np.stack([np.pad(clip, (0, longest - len(clip))) for clip in clips])
    return waveform, np.array([len(clip) for clip in clips], np.int32), paths, run.logits(clips)


def test_every_signature_answers_as_the_run_does(signatures, tone_run):
    run = load_run(tone_run)
    waveform, num_samples, paths, logits = listen(run)
    features = Features(run.config.features)(waveform, num_samples)
    inputs = {
        "serving_default": {"waveform": waveform},
        "with_num_samples": {"waveform": waveform, "num_samples": num_samples},
        "serve_wav": {"wav": [Path(path).read_bytes() for path in paths]},
        "features": {"features": features},
    }
    assert set(inputs) == set(signatures)
    for name, given in inputs.items():
        answer = signatures[name](**{key: tf.constant(value) for key, value in given.items()})
        np.testing.assert_allclose(answer["logits"], logits, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(answer["probs"], run.task.probs(logits), atol=1e-5)
        index = logits.argmax(-1)
        np.testing.assert_array_equal(answer["label_index"], index)
        assert [word.decode() for word in answer["label"].numpy()] == [run.labels[place] for place in index]
        np.testing.assert_array_equal(answer["rejected"], np.asarray(run.task.probs(logits)).max(-1) < run.threshold)


def test_what_the_run_rejects_is_rejected_behind_a_server_too(signatures, tone_run):
    """Two tones at once, of which the run is unsure; the likeliest word is named all the same."""
    run, time = load_run(tone_run), np.arange(3200) / 8000
    low, middle, high = (0.2 * np.sin(2 * np.pi * pitch * time) for pitch in (300, 900, 2500))
    waveform = np.array([low, high, low + middle, low + high], np.float32)
    answer = signatures["serving_default"](waveform=tf.constant(waveform))
    expected = [run.predict(sound).rejected for sound in waveform]
    assert answer["rejected"].numpy().tolist() == expected
    assert {*expected} == {False, True}
    assert {word.decode() for word in answer["label"].numpy()} <= {*run.labels}


def test_a_clips_answer_is_its_own(signatures, rng):
    alone = 0.1 * rng.standard_normal((1, 2000)).astype("float32")
    company = np.concatenate([np.pad(alone, ((0, 0), (0, 3000))), rng.standard_normal((3, 5000)).astype("float32")])
    one, many = (signatures["serving_default"](waveform=tf.constant(clips))["logits"] for clips in (alone, company))
    np.testing.assert_allclose(many[:1], one, atol=1e-5)
    # What is as loud as may be stays in its own row.
    company[1] = 100
    np.testing.assert_allclose(
        signatures["serving_default"](waveform=tf.constant(company))["logits"][:1], one, atol=1e-5
    )


@pytest.mark.parametrize("size", [0, 1, 7, 100_000])
def test_clips_of_any_length_have_an_answer(signatures, size):
    assert np.isfinite(signatures["serving_default"](waveform=tf.ones([2, size]))["probs"]).all()


def test_nothing_in_the_graph_is_compiled_by_xla(served):
    saved = saved_model_pb2.SavedModel.FromString((served / "tones" / "1" / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    assert functions
    assert not [function.signature.name for function in functions if function.attr["_XlaMustCompile"].b]


@pytest.fixture
def quick(served, monkeypatch):
    """Exports take no time: the graph is a copy, and is not checked again."""
    graph = served / "tones" / "1"

    def copy(run, folder):
        shutil.copytree(graph, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("assets.extra"))

    monkeypatch.setattr(serving, "write_saved_model", copy)
    monkeypatch.setattr(serving, "check_export", lambda *_: Check(1, False, 1.0, 0.0, None, None, 1.0, 1))


def test_a_new_version_each_time_and_the_servers_files(quick, tone_run, tmp_path):
    model = tmp_path / "tones"
    assert export_serving(load_run(tone_run), model)[0].name == "1"
    (model / "7").mkdir()
    assert export_serving(load_run(tone_run), model)[0].name == "8"
    assert sorted(path.name for path in model.iterdir()) == ["1", "7", "8"]
    assert 'name: "tones" base_path: "/models/tones"' in (tmp_path / "models.config").read_text()
    assert "pad_variable_length_inputs: false" in (tmp_path / "batching.config").read_text()


def test_weights_are_stored_once(served, tone_run):
    stored = tf.train.list_variables(str(served / "tones" / "1" / "variables" / "variables"))
    values = sum(math.prod(shape) for name, shape in stored if name.endswith("VARIABLE_VALUE"))
    assert values == load_run(tone_run).network.count_params()


def test_what_goes_along(served, tone_run):
    run, extra = load_run(tone_run), served / "tones" / "1" / "assets.extra"
    facts = json.loads((extra / "kerasr.json").read_text())
    assert facts["labels"] == list(run.labels)
    assert facts["features"]["sample_rate"] == 8000
    assert facts["check"]["real"]
    assert {"licence", "fingerprint"} <= set(facts["data"])
    signatures = tf.saved_model.load(str(served / "tones" / "1")).signatures
    for record in tf.data.TFRecordDataset(str(extra / "tf_serving_warmup_requests")):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.name == "tones"
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        assert np.isfinite(signatures[request.model_spec.signature_name](**inputs)["probs"]).all()


def test_an_export_that_answers_otherwise_is_no_version(served, tone_run, tmp_path, monkeypatch):
    run = load_run(tone_run)
    # The graph is another's by this.
    kernel = run.network.get_layer("logits").kernel
    kernel.assign(kernel + 0.01)
    graph = served / "tones" / "1"
    monkeypatch.setattr(
        serving, "write_saved_model", lambda run, folder: shutil.copytree(graph, folder, dirs_exist_ok=True) and None
    )
    with raises("export-differs"):
        export_serving(run, tmp_path / "tones")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["No space left on device", "Permission denied"])
def test_what_tensorflow_cannot_write_is_told_as_any_file_is(tone_run, tmp_path, monkeypatch, words):
    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, f"{tmp_path}/saved_model.pb.tmp5a; {words}")

    monkeypatch.setattr(serving, "write_saved_model", full)
    with pytest.raises(OSError, match=words) as error:
        export_serving(load_run(tone_run), tmp_path / "tones")
    assert error.value.filename == str(tmp_path / "tones")
    assert not os.listdir(tmp_path)


def test_what_a_killed_export_left_is_swept_by_the_next(quick, tone_run, tmp_path):
    kill = (
        "import os, sys; from kerasr.core import atomic\n"
        "with atomic.staging_folder(sys.argv[1]): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", kill, tmp_path / "tones"], check=False)
    assert len(os.listdir(tmp_path / "tones")) == 1
    export_serving(load_run(tone_run), tmp_path / "tones")
    assert os.listdir(tmp_path / "tones") == ["1"]


def test_a_file_that_crashes_its_process_is_told(tone_run, tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"TFL3")
    with raises("export-failed"):
        check_export(load_run(tone_run), "litert", str(tmp_path / "a.tflite"))


def test_the_command(quick, tone_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["export", str(tone_run), "--to", str(tmp_path / "a b")])
    with pytest.raises(SystemExit) as end:
        cli.run_command(export.main)
    assert end.value.code == 2
    assert "becomes the model's name" in capsys.readouterr().err
    export.main([str(tone_run), "--to", str(tmp_path / "tones")])
    out = capsys.readouterr().out
    assert "same answer" in out
    assert str(tmp_path / "tones" / "1") in out.replace("\n", "")


def test_without_the_recordings_noise_is_compared(quick, tone_run, tmp_path, capsys):
    run = shutil.copytree(tone_run, tmp_path / "run")
    manifest = (run / "manifest.csv").read_text().replace(".wav", "-gone.wav")
    (run / "manifest.csv").write_text(manifest)
    export.main([str(run), "--to", str(tmp_path / "tones")])
    assert "are not on this machine" in capsys.readouterr().out
    facts = json.loads((tmp_path / "tones" / "1" / "assets.extra" / "kerasr.json").read_text())
    assert facts["check"]["real"] is False


def test_what_is_left_of_the_recordings_is_compared_and_the_rest_named(tone_run, tmp_path, capsys):
    run = shutil.copytree(tone_run, tmp_path / "run")
    whole, truth, _ = take_clips(load_run(run))
    *_, label, name = Path(load_run(run).utterances("test")[0].path).parts
    manifest = (run / "manifest.csv").read_text()
    (run / "manifest.csv").write_text(manifest.replace(f"{label}/{name}", f"{label}/gone-{name}"))
    clips, labels, wav = take_clips(load_run(run))
    assert len(clips) == len(labels) == len(whole) - 1
    assert "1 of " in (told := capsys.readouterr().err)
    assert "gone-" in told
    assert wav == [item.path for item in load_run(run).utterances("test") if "gone-" not in item.path][: len(wav)]
    np.testing.assert_array_equal(labels, truth[1:])


def test_a_folder_is_no_file_to_export_to(tone_run, tmp_path):
    (tmp_path / "a.tflite").mkdir()
    with raises("name-invalid"):
        export_litert(load_run(tone_run), tmp_path / "a.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tflite"]


@pytest.mark.parametrize(
    "quantize", [*(pytest.param(name, marks=pytest.mark.full) for name in ("none", "dynamic")), "int8"]
)
def test_a_phone_hears_the_same_words(tone_run, tmp_path, quantize):
    run = load_run(tone_run)
    path, check = export_litert(run, tmp_path / "tones.tflite", quantize=quantize)
    assert check.agreement == 1
    assert check.difference < {"none": 1e-4, "dynamic": 0.2, "int8": 2.0}[quantize]
    assert check.size == path.stat().st_size
    facts = json.loads((tmp_path / "tones.tflite.json").read_text())
    assert (facts["labels"], facts["format"]) == (list(run.labels), ["litert", quantize])
    clip = np.zeros((1, run.config.features.clip_samples), np.float32)
    answer = Interpreter(str(path)).get_signature_runner()(waveform=clip)
    assert answer["rejected"] == (answer["probs"].max() < run.threshold)
    assert answer["label_index"] == answer["probs"].argmax()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tones.tflite", "tones.tflite.json"]


def test_onnx_hears_the_same_words_of_any_number_and_length(tone_run, tmp_path, converted_here):
    run = load_run(tone_run)
    path, check = export_onnx(run, tmp_path / "tones.onnx")
    assert check.agreement == 1
    assert check.difference < 1e-4
    session = InferenceSession(str(path))
    for count, size in ((1, 100), (3, 9000)):
        waveform = 0.1 * np.random.default_rng(0).standard_normal((count, size)).astype("float32")
        logits, index, rejected = session.run(["logits", "label_index", "rejected"], {"waveform": waveform})
        np.testing.assert_allclose(logits, run.logits(list(waveform)), atol=1e-4)
        answers = run.predict(list(waveform))
        assert rejected.tolist() == [answer.rejected for answer in answers]
        assert [run.labels[place] for place in index] == [answer.top[0][0] for answer in answers]


@pytest.mark.full
def test_eight_bits_are_of_the_network_alone(tone_run, tmp_path):
    """A power spectrum in 8 bits would be 30 dB off."""
    path, _ = export_litert(load_run(tone_run), tmp_path / "tones.tflite", quantize="int8")
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    small = {item["name"] for item in interpreter.get_tensor_details() if item["dtype"] == np.int8}
    assert any("conv" in name for name in small)
    # The front-end's last tensor is put into 8 bits where the network takes it.
    inside = {name for name in small if "features" in name and "conv" not in name}
    assert len(inside) == 1
    assert inside.pop().endswith("_quantized")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "tones.bin"}, "name-invalid"),
        pytest.param({"least_agreement": 1.1}, "export-differs", marks=pytest.mark.full),
    ],
)
def test_a_file_that_may_not_be_written_is_told(tone_run, tmp_path, change, code):
    arguments = {"to": "tones.tflite", **change}
    with raises(code):
        export_litert(load_run(tone_run), tmp_path / arguments.pop("to"), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_converter_that_dies_is_told(tone_run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with raises("export-failed"):
        export_litert(load_run(tone_run), tmp_path / "tones.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("way", "name"), [(export_litert, "tones.tflite"), (export_onnx, "tones.onnx")])
def test_a_missing_extra_is_named(tone_run, tmp_path, monkeypatch, way, name):
    for kind in ("litert", "onnx"):
        monkeypatch.setitem(EXTRAS, kind, Extra("", ("no_such_package",)))
    with raises("package-not-found"):
        way(load_run(tone_run), tmp_path / name)


def test_options_of_another_format_are_refused(tone_run, tmp_path):
    with raises("setting-missing"):
        export.main([str(tone_run), "--to", str(tmp_path / "tones"), "--quantize", "int8"])


LOOPS = ("Conv1DLSTM", "StackedLSTM", "CRNN", "AttRNN", "MHAttRNN")
TABLE = [
    pytest.param(facts, kind, seconds, id=f"{facts.name}-{kind}-{seconds}", marks=pytest.mark.full)
    for facts in list_models(per_frame=False)
    for kind in ("serving", "onnx", "none", "dynamic", "int8")
    for seconds in ((0.4, None) if facts.masks_padding else (0.4,))
    if not (kind == "int8" and facts.name in LOOPS and seconds)
    # Any length is a matter of what is converted and calibrated: the same graph, served or with its weights in 8 bits.
    if not (kind in ("serving", "dynamic") and seconds is None)
]


@pytest.mark.parametrize(("facts", "kind", "seconds"), TABLE)
def test_every_model_in_every_format(facts, kind, seconds, untrained, tmp_path, converted_here):
    run = untrained(facts, features={"clip_seconds": seconds})
    if kind == "serving":
        _, check = export_serving(run, tmp_path / "model")
    elif kind == "onnx":
        _, check = export_onnx(run, tmp_path / "model.onnx", least_agreement=0.0)
    else:
        _, check = export_litert(run, tmp_path / "model.tflite", quantize=kind, least_agreement=0.0)
    assert check.difference < (1e-4 if kind in ("serving", "onnx", "none") else 1.0)


@pytest.mark.full
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_over_clips_of_one_length_is_not_calibrated(name, untrained, tmp_path):
    with raises("export-unsupported"):
        export_litert(untrained(model_facts(name)), tmp_path / "model.tflite", quantize="int8")


STREAMS = [
    pytest.param(facts, id=facts.name) for facts in list_models(per_frame=False) if facts.stream_options is not None
]


@pytest.mark.full
@pytest.mark.parametrize("quantize", ["none", "dynamic"])
@pytest.mark.parametrize("facts", STREAMS)
def test_every_state_in_a_file(facts, quantize, untrained, tmp_path, converted_here):
    run = untrained(facts, **facts.stream_options)
    _, check = export_litert(run, tmp_path / "a.tflite", quantize=quantize, stream=True, least_agreement=0.0)
    assert check.difference < (1e-4 if quantize == "none" else 1.0)


@pytest.mark.full
def test_a_file_carries_a_state(untrained, tmp_path, rng):
    run = untrained(model_facts("Conv1DLSTM"))
    path, check = export_litert(run, tmp_path / "a.tflite", stream=True)
    assert check.difference < 1e-4
    sound = (0.1 * rng.standard_normal(5000)).astype("float32")
    stream_models = [open_stream_model(name, carry_state=True) for name in (str(path), str(run.path))]
    (ends, probs), (run_ends, run_probs) = (
        zip(*stream_model.follow(800).process(sound), strict=True) for stream_model in stream_models
    )
    assert ends == run_ends == (976, 1776, 2576, 3376, 4176, 4976)
    np.testing.assert_allclose(probs, run_probs, atol=1e-4)
    # Beside it there is the signature for whole clips.
    windows = dict(open_stream_model(str(path)).follow(800).process(sound))
    end = run.config.features.clip_samples
    np.testing.assert_allclose(windows[end], run.probs([sound[:end]])[0], atol=1e-4)


def test_a_state_that_is_not_there_is_told(untrained, tone_run, tmp_path):
    with raises("streaming-unsupported"):
        export_litert(load_run(tone_run), tmp_path / "a.tflite", stream=True)
    causal = untrained(model_facts("TCResNet8"), causal=True)
    with raises("settings-conflict"):
        export_litert(causal, tmp_path / "a.tflite", stream=True, quantize="int8")
    with raises("settings-conflict"):
        export.main([str(tone_run), "--to", str(tmp_path / "tones"), "--stream"])


@pytest.mark.full
def test_a_file_without_a_state_carries_none(untrained, tmp_path):
    path, _ = export_litert(untrained(model_facts("TCResNet8"), causal=True), tmp_path / "a.tflite")
    with raises("streaming-unsupported"):
        open_stream_model(str(path), carry_state=True)


@pytest.mark.parametrize("quantize", ["none", pytest.param("dynamic", marks=pytest.mark.full)])
def test_a_phone_hears_clips_of_any_length(untrained, tmp_path, quantize, rng, converted_here):
    run = untrained(model_facts("Conv1DLSTM"), features={"clip_seconds": None})
    path, _ = export_litert(run, tmp_path / "any.tflite", quantize=quantize, least_agreement=0.0)
    interpreter = Interpreter(str(path))
    place = interpreter.get_input_details()[0]["index"]
    hear = Interpreter(str(path)).get_signature_runner()
    # Shorter than a frame, longer than a block of frames, and the same length again: nothing stays from clip to clip.
    for size in (100, 9000, 9000, 1, 40_000):
        waveform = 0.1 * rng.standard_normal((1, size)).astype("float32")
        interpreter.resize_tensor_input(place, waveform.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, waveform)
        interpreter.invoke()
        answer, expected = hear(waveform=waveform), run.logits(list(waveform))
        np.testing.assert_allclose(answer["logits"], expected, atol=1e-4 if quantize == "none" else 0.2)
        answers = [interpreter.get_tensor(item["index"]) for item in interpreter.get_output_details()]
        assert any(np.array_equal(given, answer["probs"]) for given in answers)
    facts = json.loads(Path(f"{path}.json").read_text())
    assert facts["input"]["shape"] == [1, None]
    with raises("clip-length-missing"):
        open_stream_model(str(path))


@pytest.mark.full
@pytest.mark.parametrize(("seconds", "change"), [(0.1, "shorter"), (0.7, "longer")])
def test_the_json_says_how_a_phone_takes_clips_of_other_lengths(tone_run, tmp_path, seconds, change, rng):
    run = load_run(tone_run)
    path, _ = export_litert(run, tmp_path / "tones.tflite")
    facts = json.loads(Path(f"{path}.json").read_text())["input"]
    _, size = facts["shape"]
    clip = 0.1 * rng.standard_normal(round(seconds * facts["sample_rate"])).astype("float32")
    if change == "shorter":
        assert facts[change].startswith("add zeros at its end")
        given = np.pad(clip, (0, size - len(clip)))
    else:
        assert facts[change].startswith("give the 3200 samples in its middle")
        given = clip[(len(clip) - size) // 2 :][:size]
    answer = Interpreter(str(path)).get_signature_runner()(waveform=given[None])
    np.testing.assert_allclose(answer["logits"], run.logits([clip]), atol=1e-4)


@pytest.mark.full
def test_the_programs_in_the_documentation_hear_what_the_run_hears(tone_run, tmp_path, monkeypatch, capsys):
    run = load_run(tone_run)
    export_litert(run, tmp_path / "phone" / "digits.tflite")
    export_onnx(run, tmp_path / "onnx" / "digits.onnx")
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 2
    item = run.utterances("test")[0]
    shutil.copy(item.path, tmp_path / "clip.wav")
    monkeypatch.chdir(tmp_path)
    for program in programs:
        exec(program, {})
        probs = run.predict_files([item.path])[0]
        assert capsys.readouterr().out == f"{run.labels[probs.argmax()]} {probs.max():.0%}\n"


@pytest.mark.full
def test_saved_model_cli_runs_it(served, tone_run, tmp_path):
    waveform, _, _, logits = listen(load_run(tone_run))
    np.save(tmp_path / "waveform.npy", waveform)
    command = ["saved_model_cli", "run", "--dir", served / "tones" / "1", "--tag_set", "serve", "--outdir", tmp_path]
    command += ["--signature_def", "serving_default", "--inputs", f"waveform={tmp_path / 'waveform.npy'}"]
    subprocess.run([Path(sys.executable).with_name("saved_model_cli"), *command[1:]], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), logits, atol=1e-4)


class _Place(ctypes.Structure):
    """C's `TF_Output`: one of an operation's tensors."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


def test_the_c_api_runs_it(served, tone_run):
    """`TF_LoadSessionFromSavedModel` and `TF_SessionRun` are what a C++ server calls."""
    library = ctypes.CDLL(str(Path(tf.sysconfig.get_lib()) / "libtensorflow_cc.so.2"))
    pointer = ctypes.c_void_p

    def call(name, *arguments, returns=pointer):
        function = getattr(library, name)
        function.restype = returns
        return function(*arguments)

    def place(graph, name):
        operation, _, index = name.partition(":")
        return _Place(call("TF_GraphOperationByName", graph, operation.encode()), int(index))

    waveform, _, _, logits = listen(load_run(tone_run))
    folder = served / "tones" / "1"
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    status, graph = (pointer(call(f"TF_New{name}")) for name in ("Status", "Graph"))
    options, tags = pointer(call("TF_NewSessionOptions")), (ctypes.c_char_p * 1)(b"serve")
    session = pointer(
        call("TF_LoadSessionFromSavedModel", options, None, str(folder).encode(), tags, 1, graph, None, status)
    )
    assert call("TF_GetCode", status, returns=ctypes.c_int) == 0, call("TF_Message", status, returns=ctypes.c_char_p)
    shape = (ctypes.c_int64 * 2)(*waveform.shape)
    given = pointer(
        call("TF_AllocateTensor", int(tf.float32.as_datatype_enum), shape, 2, ctypes.c_size_t(waveform.nbytes))
    )
    ctypes.memmove(call("TF_TensorData", given), waveform.tobytes(), waveform.nbytes)
    inputs, outputs = (
        (_Place * 1)(place(graph, signature.inputs["waveform"].name)),
        (_Place * 1)(place(graph, signature.outputs["logits"].name)),
    )
    values, answers = (pointer * 1)(given.value), (pointer * 1)()
    call("TF_SessionRun", session, None, inputs, values, 1, outputs, answers, 1, None, 0, None, status)
    assert call("TF_GetCode", status, returns=ctypes.c_int) == 0, call("TF_Message", status, returns=ctypes.c_char_p)
    size = call("TF_TensorByteSize", pointer(answers[0]), returns=ctypes.c_size_t)
    answer = np.frombuffer(ctypes.string_at(call("TF_TensorData", pointer(answers[0])), size), np.float32)
    np.testing.assert_allclose(answer.reshape(logits.shape), logits, atol=1e-4)


@pytest.mark.parametrize("sample_rate", [11025, 16000, 22050, 24000, 32000, 44100, 48000])
def test_a_file_of_any_common_rate_is_heard_as_the_run_hears_it(signatures, tone_run, tmp_path, rng, sample_rate):
    run = load_run(tone_run)
    paths = []
    for number, path in enumerate(listen(run)[2]):
        clip, rate = soundfile.read(path)
        waveform = resample(clip.astype("float32"), rate, sample_rate)
        paths.append(str(tmp_path / f"{number}.wav"))
        soundfile.write(paths[-1], waveform + 0.01 * rng.standard_normal(len(waveform)), sample_rate, subtype="FLOAT")
    answer = signatures["serve_wav"](wav=tf.constant([Path(path).read_bytes() for path in paths]))
    np.testing.assert_allclose(answer["probs"], run.predict_files(paths), atol=1e-3)


@pytest.mark.full
def test_every_signature_is_warmed_up_and_answers_with_no_nan(untrained, tmp_path):
    version, _ = export_serving(untrained(model_facts("Conv1DLSTM")), tmp_path / "tones")
    signatures = tf.saved_model.load(version).signatures
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        for record in tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    ]
    assert {log.model_spec.signature_name for log in logs} == set(signatures) >= {"serving_default", "stream"}
    for log in logs:
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in log.inputs.items()}
        function = signatures[log.model_spec.signature_name]
        assert np.isfinite(function(**inputs)["logits"]).all()
        for name in [name for name, value in inputs.items() if value.dtype == tf.float32]:
            with pytest.raises(tf.errors.InvalidArgumentError, match="number"):
                function(**{**inputs, name: np.nan * inputs[name]})


def test_a_list_of_models_that_someone_changed_is_left_alone(quick, tone_run, tmp_path):
    export_serving(load_run(tone_run), tmp_path / "one")
    export_serving(load_run(tone_run), tmp_path / "two")
    listed = tmp_path / "models.config"
    assert listed.read_text().count("config {") == 2
    mine = listed.read_text().split("\n", 1)[1].replace('"one"', '"one" model_version_policy { all {} }')
    listed.write_text(mine)
    export_serving(load_run(tone_run), tmp_path / "three")
    assert listed.read_text() == mine


def test_a_file_name_wants_a_files_format(tone_run, tmp_path):
    with raises("settings-conflict"):
        export.main([str(tone_run), "--to", str(tmp_path / "a.tflite")])
    with raises("setting-out-of-range"):
        export.main([str(tone_run), "--to", str(tmp_path / "a.onnx"), "--format", "onnx", "--least-agreement", "99.9"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
def test_two_formats_share_a_folder(tone_run, tmp_path):
    run = load_run(tone_run)
    export_litert(run, tmp_path / "tones.tflite")
    export_onnx(run, tmp_path / "tones.onnx")
    kinds = {path.name: json.loads(path.read_text())["format"] for path in tmp_path.glob("*.json")}
    assert kinds == {"tones.tflite.json": ["litert", "none"], "tones.onnx.json": ["onnx"]}
    with raises("export-unsupported"):
        open_stream_model(str(tmp_path / "tones.onnx"))
