"""`python -m kerasr.serve`: a client of TensorFlow Serving gets what the model answers, whatever others send meanwhile.

Statuses and messages are TensorFlow Serving's. Where a test holds one, it names the file and function that gives it, of
https://github.com/tensorflow/serving if it does not say TensorFlow's.
"""

import asyncio
import base64
import gzip
import http.client
import json
import os
import queue
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from _deployment import probes
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kerasr import serve
from kerasr.core import cli
from kerasr.core.extras import EXTRAS, Extra
from kerasr.exporters.saved_model import write_saved_model
from kerasr.exporters.serving import EXTRA, WARM_UP, export_serving, write_warm_up
from kerasr.runs.run import load_run
from kerasr.serving import Server, ServerOptions, batching
from kerasr.serving.folders import Source, find_sources, versions_of
from kerasr.serving.json_tensors import parse_body, write_outputs
from kerasr.serving.metrics import Metrics
from kerasr.serving.models import Models
from kerasr.serving.servable import Signature, Tensor
from kerasr.serving.status import Code, as_serving_error

ROOT = Path(__file__).parents[2]
# Above what any request here takes, and quick to fill.
SMALL = {"max_batch_size": 8, "max_enqueued_batches": 4, "max_request_mb": 4, "max_held_mb": 16}
# TensorFlow's shared_batch_scheduler.h, Queue::Schedule.
FULL = "The batch scheduling queue to which this task was submitted is full"
PREDICT = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def versions(tone_run, tmp_path_factory):
    """Two versions of the tones' model, which answer differently; a test serves copies of them."""
    folder = tmp_path_factory.mktemp("versions")
    run = load_run(tone_run)
    for name in ("1", "2"):
        write_saved_model(run, str(folder / name))
        (folder / name / EXTRA).mkdir()
        write_warm_up(run, "tones", folder / name / EXTRA / WARM_UP)
        bias = run.network.get_layer("logits").bias
        bias.assign(bias + np.array([3.0, 0.0, -1.0]))
    return folder


@pytest.fixture(scope="module")
def model(versions):
    """What the first version answers in this process: signature and inputs to outputs."""
    signatures = tf.saved_model.load(str(versions / "1")).signatures
    return lambda name, **inputs: {
        key: value.numpy()
        for key, value in signatures[name](**{key: tf.constant(value) for key, value in inputs.items()}).items()
    }


@contextmanager
def serving(path, **options):
    """A client of a server of this process, which has its own thread and ports."""
    lines: list[str] = []
    server = Server(
        path, ServerOptions(**{"grpc_port": 0, "rest_port": 0, "poll_seconds": 0.1, **SMALL, **options}), lines.append
    )
    ready: queue.Queue[object] = queue.Queue()

    async def run():
        stop = asyncio.Event()
        async with server.running():
            ready.put((asyncio.get_running_loop(), stop))
            await stop.wait()

    def work():
        try:
            asyncio.run(run())
        except Exception as error:
            ready.put(error)

    thread = threading.Thread(target=work)
    thread.start()
    started = ready.get()
    if isinstance(started, Exception):
        raise started
    client = Client(server.grpc_port, server.rest_port, lines)
    client.loop, client.stop = started
    try:
        yield client
    finally:
        client.close()
        loop, stop = started
        loop.call_soon_threadsafe(stop.set)
        thread.join()


class Client:
    """A client as one writes it for TensorFlow Serving: the stubs of tensorflow-serving-api, and requests."""

    def __init__(self, grpc_port, rest_port, lines):
        self.grpc_port, self.rest_port, self.lines = grpc_port, rest_port, lines
        self.channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.http = requests.Session()
        self.address = f"http://127.0.0.1:{rest_port}/v1/models/tones:predict"

    def close(self):
        self.channel.close()
        self.http.close()

    def predict(self, signature="", version=None, label="", output_filter=(), **inputs):
        """Over gRPC: outputs as arrays."""
        request = make_request(signature, version, label, output_filter, **inputs)
        return to_arrays(self.predictions.Predict(request, timeout=60))

    def models_served(self):
        """Versions that answer."""
        states = self.get("/v1/models/tones").json()["model_version_status"]
        return [int(row["version"]) for row in states if row["state"] == "AVAILABLE"]

    def get(self, path):
        return self.http.get(f"http://127.0.0.1:{self.rest_port}{path}", timeout=60)

    def post(self, body, path="/v1/models/tones:predict", **kwargs):
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.http.post(f"http://127.0.0.1:{self.rest_port}{path}", data=data, timeout=60, **kwargs)

    def metric(self, name, **labels):
        """A counter's value."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def make_request(signature="", version=None, label="", output_filter=(), name="tones", **inputs):
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def to_arrays(response):
    return {key: tf.make_ndarray(value) for key, value in response.outputs.items()}


def assert_same(answer, expected, tolerance=1e-6):
    """Outputs are equal, numbers to a tolerance: what is summed in another order is not quite the same."""
    assert answer.keys() == expected.keys()
    for key, value in expected.items():
        if value.dtype == object:
            assert np.asarray(answer[key]).tolist() == value.tolist()
        else:
            np.testing.assert_allclose(answer[key], value, atol=tolerance, rtol=tolerance, err_msg=key)


def assert_refused(code, words, call, *arguments, **kwargs):
    """A call of gRPC ends with a status."""
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, **kwargs)
    assert error.value.code() == code, error.value.details()
    assert words in error.value.details()


def wait_until(holds, seconds=30):
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def gate(monkeypatch):
    """Holds batches back before they run, until it is set."""
    gate = threading.Event()
    run = batching.run_together

    def wait_and_run(*arguments):
        assert gate.wait(30)
        return run(*arguments)

    monkeypatch.setattr(batching, "run_together", wait_and_run)
    yield gate
    gate.set()


def keep_busy(client, pool):
    """Give each of the model's threads a request, at the closed gate; of other lengths, lest they run together."""
    batches = client.metric("kerasr_serve_batch_rows_count")
    asked = [pool.submit(client.predict, waveform=clips(1, 100 + number)) for number in range(os.cpu_count())]
    wait_until(lambda: client.metric("kerasr_serve_batch_rows_count") == batches + len(asked))
    return asked


@pytest.fixture(scope="module")
def folder(versions, tmp_path_factory):
    """A folder of one model with one version."""
    folder = tmp_path_factory.mktemp("serving")
    shutil.copytree(versions / "1", folder / "tones" / "1")
    return folder


@pytest.fixture(scope="module")
def client(folder):
    """Of a server that most tests share: each leaves it able to answer the next."""
    with serving(folder) as client:
        yield client


def clips(count, size, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal((count, size))).astype("float32")


@pytest.fixture(scope="module")
def wavs(tones):
    return [path.read_bytes() for path in sorted(tones.rglob("*.wav"))[:3]]


@pytest.fixture
def harmless(client, model):
    """After whatever a test sent, the next request is answered, and exactly."""
    yield
    waveform = clips(2, 3000, seed=9)
    assert_same(client.predict(waveform=waveform), model("serving_default", waveform=waveform))
    rows = client.post({"instances": waveform.tolist()}).json()["predictions"]
    np.testing.assert_allclose(
        [row["logits"] for row in rows], model("serving_default", waveform=waveform)["logits"], atol=1e-6
    )


def test_both_protocols_answer_as_the_model_does(client, model, wavs):
    inputs = {
        "serving_default": {"waveform": clips(3, 2000)},
        "with_num_samples": {"waveform": clips(2, 3200), "num_samples": np.array([3200, 1000], np.int32)},
        "serve_wav": {"wav": np.array(wavs, object)},
        "features": {"features": clips(2, 37 * 20).reshape(2, 37, 20) * 100 - 20},
    }
    for signature, given in inputs.items():
        expected = model(signature, **given)
        assert_same(client.predict(signature, **given), expected)
        plain = {key: to_json(value) for key, value in given.items()}
        columns = client.post({"signature_name": signature, "inputs": plain}).json()["outputs"]
        assert_same({key: from_json(value) for key, value in columns.items()}, expected)
        instances = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
        rows = client.post({"signature_name": signature, "instances": instances}).json()["predictions"]
        assert_same({key: from_json([row[key] for row in rows]) for key in rows[0]}, expected)


def to_json(value):
    if value.dtype == object:
        return [{"b64": base64.b64encode(content).decode()} for content in value]
    return value.tolist()


def from_json(values):
    return np.array([value.encode() for value in values], object) if isinstance(values[0], str) else np.array(values)


def test_the_answer_names_who_gave_it_and_is_written_value_by_value(client):
    """servables/tensorflow/predict_util.cc: MakeModelSpec, and PostProcessPredictionResult with kAsProtoField."""
    response = client.predictions.Predict(make_request(waveform=clips(2, 100)))
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("tones", 1, "serving_default")
    assert len(response.outputs["probs"].float_val) == 6
    assert len(response.outputs["label"].string_val) == 2


def test_outputs_are_filtered(client, model):
    """servables/tensorflow/predict_util.cc, PreProcessPrediction."""
    waveform = clips(2, 500)
    expected = model("serving_default", waveform=waveform)
    answer = client.predict(waveform=waveform, output_filter=["probs", "label"])
    assert_same(answer, {key: expected[key] for key in ("probs", "label")})
    for names, words in (
        (["nothing"], "output tensor alias not found in signature: nothing"),
        (["probs"] * 2, "duplicate"),
    ):
        assert_refused(grpc.StatusCode.INVALID_ARGUMENT, words, client.predict, waveform=waveform, output_filter=names)


def test_all_forms_of_json_are_read(client, model):
    """util/json_tensor.cc, FillPredictRequestFromJson; its README's api_rest.md has the forms."""
    waveform = clips(2, 400)
    logits = model("serving_default", waveform=waveform)["logits"]
    plain = waveform.tolist()
    for key, body in [
        ("predictions", {"instances": plain}),
        ("predictions", {"instances": [{"waveform": row} for row in plain]}),
        ("outputs", {"inputs": plain}),
        ("outputs", {"inputs": {"waveform": plain}, "signature_name": "serving_default"}),
    ]:
        answer = client.post(body).json()[key]
        found = answer["logits"] if key == "outputs" else [row["logits"] for row in answer]
        np.testing.assert_allclose(found, logits, atol=1e-6)
    zipped = client.post(gzip.compress(json.dumps({"inputs": plain}).encode()), headers={"Content-Encoding": "gzip"})
    np.testing.assert_allclose(zipped.json()["outputs"]["logits"], logits, atol=1e-6)
    assert client.post({"inputs": plain}, path="/V1/Models/tones/versions/1:PREDICT").status_code == 200
    assert client.post({"instances": [[1, 0, -1]]}).status_code == 200


def test_what_is_no_sound_is_refused_and_its_neighbours_are_answered(client, harmless, gate):
    """JSON brings NaN to the graph (util/json_tensor.cc: ParseJson with kParseNanAndInfFlag), which refuses it."""
    good, invalid, lengths = clips(1, 4000), grpc.StatusCode.INVALID_ARGUMENT, np.array([4000], np.int32)
    gate.set()
    for value in (np.nan, np.inf, 1e19, -32768.0):
        bad = good.copy()
        bad[0, 70] = value
        answer = client.post(json.dumps({"inputs": bad.tolist()}))
        assert (answer.status_code, "times full scale" in answer.text) == (400, True)
        for signature, others in (("", {}), ("with_num_samples", {"num_samples": lengths})):
            assert_refused(invalid, "times full scale", client.predict, signature, waveform=bad, **others)
    gate.clear()
    with ThreadPoolExecutor(os.cpu_count() + 2) as pool:
        keep_busy(client, pool)
        neighbour, alone = (pool.submit(client.predict, waveform=waveform) for waveform in (good, bad))
        gate.set()
        assert np.isfinite(neighbour.result()["probs"]).all()
        assert alone.exception().code() == invalid
    # Another's model may well answer so (WriteDecimal).
    assert write_outputs({"x": np.array([np.nan, np.inf])}, as_rows=False) == b'{"outputs": [NaN, Infinity]}'


def test_status(client):
    """model_servers/get_model_status_impl.cc, and http_rest_api_util.cc, ToJsonString."""
    status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/tones", "/v1/models/tones/versions/1"):
        assert client.get(path).json() == {"model_version_status": [status]}
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "tones"
    (found,) = client.models.GetModelStatus(request).model_version_status
    assert (found.version, found.state, found.status.error_code) == (1, found.AVAILABLE, 0)
    request.model_spec.name = "others"
    words = "Could not find any versions of model others"
    assert_refused(grpc.StatusCode.NOT_FOUND, words, client.models.GetModelStatus, request)
    assert client.get("/v1/models/others").json() == {"error": words}
    assert client.get("/v1/models/tones/versions/7").status_code == 404


def test_metadata(client):
    """servables/tensorflow/get_model_metadata_impl.cc, and http_rest_api_util.cc, ToJsonString."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tones"
    response = client.predictions.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 1
    assert signatures.signature_def["serve_wav"].inputs["wav"].dtype == tf.string.as_datatype_enum
    found = client.get("/v1/models/tones/metadata").json()
    assert found["model_spec"] == {"name": "tones", "signature_name": "", "version": "1"}
    default = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert default["inputs"]["waveform"]["dtype"] == "DT_FLOAT"
    assert default["inputs"]["waveform"]["tensor_shape"]["dim"][0]["size"] == "-1"
    assert default["method_name"] == "tensorflow/serving/predict"
    for fields in ([], ["other"]):
        request.metadata_field[:] = fields
        assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "etadata", client.predictions.GetModelMetadata, request)


def test_health(client):
    stub = health_pb2_grpc.HealthStub(client.channel)
    assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    other = health_pb2.HealthCheckRequest(service="others")
    assert_refused(grpc.StatusCode.NOT_FOUND, "", stub.Check, other)
    watch = stub.Watch(other, timeout=60)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def test_what_a_container_is_probed_with_is_answered(client):
    assert {probe.kind for probe in probes()} == {"grpc", "httpGet"}
    for probe in probes():
        if probe.kind == "grpc":
            stub = health_pb2_grpc.HealthStub(client.channel)
            assert stub.Check(health_pb2.HealthCheckRequest(), timeout=probe.seconds).status == 1
        else:
            url = f"http://127.0.0.1:{client.rest_port}{probe.path}"
            assert requests.get(url, timeout=probe.seconds).status_code == 200


def test_the_documented_client_of_grpc_gets_the_answer(client, wavs, tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n|^\n)+", page, re.MULTILINE)]
    (code,) = (block for block in blocks if "import grpc" in block)
    code = code.replace("localhost:8500", f"127.0.0.1:{client.grpc_port}").replace('"digits"', '"tones"')
    monkeypatch.chdir(tmp_path)
    Path("clip.wav").write_bytes(wavs[0])
    exec(code, {})
    word, probability = capsys.readouterr().out.split()
    expected = client.predict("serve_wav", wav=[wavs[0]])
    assert word == expected["label"][0].decode()
    assert float(probability) == pytest.approx(float(expected["probs"].max()), abs=1e-6)


def test_what_is_not_here_is_refused(client):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "tones"
    unimplemented = grpc.StatusCode.UNIMPLEMENTED
    assert_refused(unimplemented, "not served by kerasr.serve", client.predictions.Classify, request)
    reload = model_management_pb2.ReloadConfigRequest()
    assert_refused(unimplemented, "not served by", client.models.HandleReloadConfigRequest, reload)
    assert client.post({}, path="/v1/models/tones:classify").status_code == 501


BAD_BODIES = {
    # util/json_tensor.cc: ParseJson, FillSignature, FillPredictRequestFromJson.
    "empty": (b"", "JSON Parse error: The document is empty"),
    "no JSON": (b"hello", "JSON Parse error"),
    "not UTF-8": (b'{"inputs": "\xff\xfe"}', "JSON Parse error"),
    "half": (b'{"instances": [[0.1, 0.2', "JSON Parse error"),
    "a list": ([1], "Is not object"),
    "nested too deep": (b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "JSON Parse error"),
    "nested deep": (b'{"instances": ' + b"[" * 500 + b"]" * 500 + b"}", "unexpected level"),
    "a number of a million digits": (b'{"instances": [[' + b"9" * 1_000_000 + b"]]}", "JSON Parse error"),
    "neither key": ({}, "Missing 'inputs' or 'instances' key"),
    "both keys": ({"inputs": [[0.1]], "instances": [[0.1]]}, "expecting only one of 'inputs' or 'instances'"),
    "a signature's name": ({"signature_name": 3, "inputs": [[0.1]]}, "'signature_name' key must be a string value."),
    "instances no list": ({"instances": 3}, "Excepting 'instances' to be an list/array"),
    "no instances": ({"instances": []}, "No values in 'instances' array"),
    # FillTensorMapFromInstancesList.
    "plain for two inputs": (
        {"signature_name": "with_num_samples", "instances": [[0.1]]},
        "instances is a plain list, but expecting list of objects",
    ),
    "mixed": ({"instances": [{"waveform": [0.1]}, [0.1]]}, "Expecting object but got list at item 1 of input list"),
    "mixed otherwise": ({"instances": [[0.1], {"waveform": [0.1]}]}, "but got object at item 1 of input list"),
    "other name": ({"instances": [{"sound": [0.1]}]}, "must only have keys: waveform"),
    "missing input": ({"signature_name": "with_num_samples", "inputs": {"waveform": [[0.1]]}}, "Missing named input"),
    # AddValueToTensor and FillTensorProto.
    "text for a number": ({"instances": [["0.1"]]}, "Type: String is not of expected type: float"),
    "truth for a number": ({"instances": [[True]]}, "is not of expected type: float"),
    "nothing for a number": ({"instances": [[None]]}, "Type: Null is not of expected type: float"),
    "object for a number": ({"instances": [[{"b64": "AA=="}]]}, "is not of expected type: float"),
    "a fraction for an integer": (
        {"signature_name": "with_num_samples", "inputs": {"waveform": [[0.1]], "num_samples": [0.5]}},
        "Type: Number is not of expected type: int32",
    ),
    "too large an integer": (
        {"signature_name": "with_num_samples", "inputs": {"waveform": [[0.1]], "num_samples": [2**40]}},
        "is not of expected type: int32",
    ),
    "too large for a float": ({"instances": [[1e300]]}, "to float32 without loss of precision."),
    "too fine for a float": ({"instances": [[2**24 + 1]]}, "to float32 without loss of precision."),
    "rows of two lengths": ({"instances": [[0.1], [0.1, 0.2]]}, "Expecting shape [1] but got: [2]"),
    "columns of two lengths": ({"inputs": [[0.1], [0.1, 0.2]]}, "Encountered list at unexpected size: 2 at level: 1"),
    "a list among numbers": ({"inputs": [[0.1, [0.2]]]}, "Encountered list at unexpected level"),
    "a number among lists": ({"inputs": [[0.1], 0.2]}, "found at incorrect level"),
    # JsonDecodeBase64Object.
    "bad base64": ({"signature_name": "serve_wav", "instances": [{"b64": "*"}]}, "Unable to base64 decode"),
    "short base64": ({"signature_name": "serve_wav", "instances": [{"b64": "A"}]}, "Unable to base64 decode"),
    "two keys beside b64": (
        {"signature_name": "serve_wav", "instances": [{"wav": {"b64": "AAAA", "b65": ""}}]},
        "not formatted correctly for base64 data",
    ),
    # model_servers/http_rest_api_handler.cc, GetInfoMap.
    "unknown signature": ({"signature_name": "sing", "inputs": [[0.1]]}, '"sing" not found in signature def'),
    # What the graph would say in words of its own.
    "wrong rank": ({"instances": [0.1, 0.2]}, "a tensor of shape [2] came, and [?,?] is expected"),
    "wrong rank of columns": ({"inputs": 0.1}, "a tensor of shape [] came"),
    "no WAV file": ({"signature_name": "serve_wav", "instances": ["text"]}, "wav: 4 bytes that do not begin as a WAV"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_told_in_serving_s_words(client, harmless, name):
    body, words = BAD_BODIES[name]
    answer = client.post(body)
    # model_servers/http_server.cc, ToHTTPStatusCode: INVALID_ARGUMENT is 400.
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert words in answer.json()["error"]
    assert answer.json().keys() == {"error"}
    # model_servers/grpc_status_util.cc, ToGRPCStatus, cuts there.
    assert len(answer.json()["error"]) < 1100


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        # model_servers/http_rest_api_handler.cc, ProcessRequest and ProcessModelStatusRequest.
        ("POST", "/v1/models/tones", 400, "Malformed request: POST /v1/models/tones"),
        ("PUT", "/v1/models/tones:predict", 400, "Malformed request: PUT"),
        ("GET", "/v1/models/tones/versions/x", 400, "Malformed request: GET"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        # http_rest_api_util.cc, ParseModelInfo.
        ("POST", f"/v1/models/tones/versions/{9**30}:predict", 400, "Failed to convert version"),
        # core/basic_manager.cc, ServingMap::GetUntypedServableHandle.
        ("POST", "/v1/models/others:predict", 404, "Servable not found for request: Latest(others)"),
        ("POST", "/v1/models/tones/versions/9:predict", 404, "Servable not found for request: Specific(tones, 9)"),
        # model_servers/server_core.cc, GetModelVersionForLabel.
        ("POST", "/v1/models/tones/labels/best:predict", 400, "Unrecognized servable version label: best"),
        # util/net_http/server/internal/evhttp_server.cc, DispatchEvRequest.
        ("GET", "/elsewhere", 404, ""),
    ],
)
def test_a_bad_path_is_told_in_serving_s_words(client, harmless, method, path, status, words):
    answer = client.http.request(method, f"http://127.0.0.1:{client.rest_port}{path}", data='{"inputs": [[0.1]]}')
    assert answer.status_code == status
    assert words in answer.text


def test_a_bad_request_of_grpc_is_told_in_serving_s_words(client, harmless):
    invalid, predict = grpc.StatusCode.INVALID_ARGUMENT, client.predictions.Predict
    waveform = clips(1, 100)
    for code, words, request in [
        # core/basic_manager.cc, ServingMap::GetUntypedServableHandle.
        (grpc.StatusCode.NOT_FOUND, "Latest(others)", make_request(name="others", waveform=waveform)),
        (grpc.StatusCode.NOT_FOUND, "Specific(tones, 9)", make_request(version=9, waveform=waveform)),
        # model_servers/server_core.cc, ServableRequestFromModelSpec and GetModelVersionForLabel.
        (invalid, "ModelSpec has no name specified.", make_request(name="", waveform=waveform)),
        (invalid, "Unrecognized servable version label: best", make_request(label="best", waveform=waveform)),
        # servables/tensorflow/predict_impl.cc, Predict.
        (invalid, "Missing ModelSpec", predict_pb2.PredictRequest()),
        # servables/tensorflow/predict_util.cc, RunPredict.
        (grpc.StatusCode.FAILED_PRECONDITION, '"sing" not found', make_request("sing", waveform=waveform)),
        # VerifyRequestInputsSize.
        (invalid, "input size does not match signature: 0!=1", make_request()),
        (invalid, "Sent extra: {more}", make_request(waveform=waveform, more=waveform)),
        # TensorFlow's function_utils.cc (or process_function_library_runtime.cc): arguments of another type.
        (invalid, "to be float but double is provided", make_request(waveform=waveform.astype("float64"))),
        (invalid, "to be float but string is provided", make_request(waveform=[["a"]])),
        # TensorFlow's batching_session.cc, BatchingSession::ComputeInputSize.
        (
            invalid,
            "must have equal 0th-dimension size",
            make_request("with_num_samples", waveform=waveform, num_samples=np.array([1, 2], np.int32)),
        ),
        # What the graph would say in words of its own.
        (invalid, "a tensor of shape [100] came, and [?,?] is expected", make_request(waveform=waveform[0])),
        (invalid, "wav: 5 bytes that do not begin as a WAV", make_request("serve_wav", wav=[b"noise"])),
    ]:
        assert_refused(code, words, predict, request)


def test_a_tensor_that_is_not_what_it_declares(client, harmless):
    """TensorFlow's saved_model/util.cc, GetInputValues: `tensor parsing error`."""
    declares = make_request(waveform=clips(1, 100))
    declares.inputs["waveform"].tensor_shape.dim[1].size = 2**29
    filled = make_request(waveform=clips(1, 100))
    filled.inputs["waveform"].tensor_content = b""
    filled.inputs["waveform"].float_val.append(0.5)
    filled.inputs["waveform"].tensor_shape.dim[1].size = 2**29
    negative = make_request(waveform=clips(1, 100))
    negative.inputs["waveform"].tensor_shape.dim[1].size = -5
    unknown = make_request(waveform=clips(1, 100))
    unknown.inputs["waveform"].tensor_shape.unknown_rank = True
    # Rows without a value each, of which each would be work.
    empty = make_request(waveform=np.zeros((0, 0), "float32"))
    empty.inputs["waveform"].tensor_shape.dim[0].size = 2**40
    kind = make_request(waveform=clips(1, 100))
    kind.inputs["waveform"].dtype = 999
    for request in (declares, filled, negative, unknown, empty, kind):
        assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT, "tensor parsing error: waveform", client.predictions.Predict, request
        )


SIZES = (0, 1, 3, -1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1)


def test_tensors_of_any_type_and_shape_do_no_harm(client, model):
    """Sizes whose product overflows, or is zero beside a size that no memory has room for: each row would be work."""
    draw = random.Random(0)
    definitions = get_model_metadata_pb2.SignatureDefMap()
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "tones"
    client.predictions.GetModelMetadata(asked).metadata["signature_def"].Unpack(definitions)
    inputs = {name: item.inputs for name, item in definitions.signature_def.items() if item.inputs}
    waveform = clips(1, 100)
    expected = model("serving_default", waveform=waveform)
    before = resident_bytes()
    for number in range(600):
        name = draw.choice(sorted(inputs))
        attacked = draw.choice(sorted(inputs[name]))
        request = make_request(name)
        for key, info in inputs[name].items():
            fill(request.inputs[key], info, draw if key == attacked else None)
        answer = client.predictions.Predict.future(request, timeout=10)
        assert answer.code() in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), (number, request, answer)
        assert_same(client.predict(waveform=waveform), expected)
        assert resident_bytes() - before < 200 * 2**20, (number, request)


def fill(proto, info, draw):
    """A tensor as a signature wants it; with `draw`, of another type, shape or content."""
    proto.dtype = info.dtype
    sizes = [max(dim.size, 1) for dim in info.tensor_shape.dim]
    if draw:
        if draw.random() < 0.3:
            proto.dtype = draw.randrange(30)
        sizes = [draw.choice(SIZES) for _ in range(draw.choice((len(sizes), len(sizes), 0, 1, 2, 5)))]
    for size in sizes:
        proto.tensor_shape.dim.add().size = size
    match draw.randrange(4) if draw else 1:
        case 0:
            proto.tensor_content = draw.choice((b"", b"\0", b"\0" * 4, b"\xff" * 64))
        case 1:
            for field, value in (("float_val", 0.5), ("int_val", 4), ("string_val", b"noise")):
                getattr(proto, field).append(value)
        case 2:
            proto.int_val.extend((-(2**31), 2**31 - 1))
            proto.float_val.extend((float("nan"), -1e38))
        case _:
            proto.tensor_shape.unknown_rank = draw.random() < 0.2


def resident_bytes():
    """Memory that this process, and so its servers, takes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_half_surrogates_are_told_as_bad_requests(client, harmless):
    """RapidJSON's reader.h, ParseString: such a text is no JSON. A whole pair is one, whoever reads it."""
    for body in (
        rb'{"signature_name": "\ud800", "instances": [[0.1]]}',
        rb'{"instances": [{"\udfff": [0.1]}]}',
        rb'{"signature_name": "serve_wav", "instances": ["\ud800"]}',
        b'{"signature_name": "\xed\xa0\x80", "instances": [[0.1]]}',
        rb'{"signature_name": "\ud83d\ud83d", "instances": [[NaN]]}',
    ):
        answer = client.post(body)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("JSON Parse error")
    assert client.post(rb'{"instances": [[0.1]], "\ud83d\ude00\\ud800": 1e999}').status_code == 200
    for path in ("/v1/models/%ED%A0%80:predict", "/v1/models/%ED%A0%80/metadata"):
        assert client.post('{"instances": [[0.1]]}', path).status_code in (400, 404)
        assert client.get(path).status_code in (400, 404)


def test_a_text_for_a_row_of_several_inputs_is_a_bad_request(client, harmless):
    body = {"signature_name": "with_num_samples", "instances": [{"b64": "AAAA"}]}
    answer = client.post(body)
    assert (answer.status_code, "instances is a plain list" in answer.text) == (400, True)


def test_what_is_no_message_is_the_clients_fault(client, harmless):
    """gRPC in C++ says INTERNAL (grpcpp's proto_utils.h, GenericDeserialize), which its watchers take for its own."""
    for method in (PREDICT, "/tensorflow.serving.ModelService/GetModelStatus"):
        for content in (b"\xff" * 9, b"\n\x02\xff\xfe", make_request(waveform=clips(1, 9)).SerializeToString()[:-1]):
            assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "", client.channel.unary_unary(method), content)


def test_a_long_message_reaches_the_client_with_its_own_status(client):
    """Clients of gRPC refuse more than 8 KiB of it, in which a letter that is not ASCII takes up to twelve bytes."""
    for name in ("\N{GRINNING FACE}" * 5000, "é" * 5000, "x" * 5000):
        request = make_request(name=name, waveform=clips(1, 9))
        assert_refused(grpc.StatusCode.NOT_FOUND, "...TRUNCATED", client.predictions.Predict, request)


def test_lengths_that_are_no_part_of_the_clip_are_refused(client, harmless):
    waveform = clips(1, 100)
    for number in (-(2**31), -1, 101, 2**31 - 1):
        lengths = np.array([number], np.int32)
        code, words = grpc.StatusCode.INVALID_ARGUMENT, "num_samples: a clip has fewer"
        assert_refused(code, words, client.predict, "with_num_samples", waveform=waveform, num_samples=lengths)
        row = {"waveform": waveform[0].tolist(), "num_samples": number}
        answer = client.post({"signature_name": "with_num_samples", "instances": [row]})
        assert (answer.status_code, words in answer.text) == (400, True)
    for number in (0, 100):
        client.predict("with_num_samples", waveform=waveform, num_samples=np.array([number], np.int32))


def test_a_million_rows_are_refused_before_each_is_read(client, harmless, monkeypatch):
    def never(*_):
        raise AssertionError("a row was read")

    monkeypatch.setattr("kerasr.serving.json_tensors._stack", never)
    for row in (b"0,", b"[0],", b'{"waveform": [0]},'):
        answer = client.post(b'{"instances": [' + row * 100_000 + row[:-1] + b"]}")
        assert answer.status_code == 400
        assert "Task size 100001 is larger than maximum input batch size 32" in answer.json()["error"]


def test_lists_that_are_too_many_or_too_deep_are_refused_before_each_is_read(client, harmless, monkeypatch):
    def never(*_):
        raise AssertionError("a list was read")

    for module in ("_flatten", "_convert"):
        monkeypatch.setattr(f"kerasr.serving.json_tensors.{module}", never)
    many = b"[" + b"[0]," * 32 + b"[0]]"
    for columns in (many, b'{"waveform": %b}' % many):
        answer = client.post(b'{"inputs": %b}' % columns)
        assert answer.status_code == 400
        assert "Task size 33 is larger than maximum input batch size 32" in answer.json()["error"]
    monkeypatch.undo()
    monkeypatch.setattr("kerasr.serving.json_tensors._convert", never)
    for body in (b'{"instances": [%b]}', b'{"inputs": [%b]}'):
        answer = client.post(body % many)
        assert answer.status_code == 400
        assert "Encountered list at unexpected level" in answer.json()["error"]


def test_who_sends_a_large_body_keeps_no_other_waiting(client, harmless, monkeypatch):
    """It is read beside the event loop, one after another, and so is what must be unpacked."""
    gate, at_work = threading.Event(), []

    def parse(body):
        if len(body) > 2**18:
            at_work.append(body)
            assert gate.wait(30)
        return parse_body(body)

    monkeypatch.setattr("kerasr.serving.rest.parse_body", parse)
    large = b'{"instances": [[' + b"0.1," * 70_000 + b"0.1]]}"
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(requests.post, client.address, data=data, headers=headers, timeout=60)
            for data, headers in ((large, {}), (gzip.compress(large), {"content-encoding": "gzip"}))
        ]
        wait_until(lambda: at_work)
        assert client.post(b'{"instances": [[0.1, 0.2]]}').status_code == 200
        assert len(at_work) == 1
        gate.set()
        assert [answer.result().status_code for answer in asked] == [200, 200]
    assert at_work == [large, large]


def test_what_is_declared_takes_the_room_of_what_is_there(client, harmless, gate):
    """Thirty bytes that stand for 3.6 MB are held as 3.6 MB, and 4 MiB is the most."""

    def request(size):
        request = make_request(waveform=[[0.5]])
        request.inputs["waveform"].tensor_shape.dim[1].size = size
        return request

    invalid = grpc.StatusCode.INVALID_ARGUMENT
    assert_refused(invalid, "tensor parsing error", client.predictions.Predict, request(2**20 + 1))
    asked = [client.predictions.Predict.future(request(900_000), timeout=60) for _ in range(6)]
    wait_until(lambda: sum(answer.done() for answer in asked) == 2)
    assert 4 * 3_600_000 <= client.metric("kerasr_serve_held_bytes") <= 16 * 2**20
    gate.set()
    refused = [(answer.code(), answer.details()) for answer in asked if answer.exception()]
    assert refused == [(grpc.StatusCode.UNAVAILABLE, FULL)] * 2


def test_want_of_memory_is_no_fault_in_the_code():
    assert as_serving_error(MemoryError("2 GiB")).code == Code.RESOURCE_EXHAUSTED


def test_declared_lengths_of_two_gigabytes_cost_nothing(client, harmless):
    """libevent's http.c, evhttp_get_body: 413. gRPC: RESOURCE_EXHAUSTED. A WAV file ends where it ends."""
    with socket.create_connection(("127.0.0.1", client.rest_port)) as raw:
        raw.sendall(b"POST /v1/models/tones:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n{")
        raw.settimeout(60)
        answer = raw.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413")
        while raw.recv(65536):
            pass
    assert client.post(b" " * 5 * 2**20).status_code == 413
    zipped = gzip.compress(b" " * 50 * 2**20)
    assert len(zipped) < 2**20
    assert client.post(zipped, headers={"Content-Encoding": "gzip"}).status_code == 413
    chunks = (b" " * 2**20 for _ in range(5))
    assert (
        client.http.post(f"http://127.0.0.1:{client.rest_port}/v1/models/tones:predict", data=chunks).status_code == 413
    )
    large = make_request(waveform=clips(1, 2**21))
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert_refused(code, "Received message larger than max", client.predictions.Predict, large)
    with grpc.insecure_channel(f"127.0.0.1:{client.grpc_port}", compression=grpc.Compression.Gzip) as zipping:
        assert_refused(code, "larger than max", zipping.unary_unary(PREDICT), bytes(50 * 2**20))


def test_wav_files_that_lie_or_are_noise(client, model, harmless, wavs):
    """The graph's words, as an InvalidArgument: 400 by model_servers/http_server.cc, ToHTTPStatusCode."""
    (honest,) = model("serve_wav", wav=np.array(wavs[:1], object))["logits"]
    place = wavs[0].index(b"data") + 4
    lies = wavs[0][:place] + (2**31).to_bytes(4, "little") + wavs[0][place + 4 :]
    np.testing.assert_allclose(client.predict("serve_wav", wav=[lies])["logits"][0], honest, atol=1e-6)
    noise = np.random.default_rng(0).bytes(2 * 2**20)
    for content in (noise, wavs[0][:44] + noise[: 2**20], b"RIFF" + noise[:1000], b"", wavs[0][:30]):
        over_rest = client.post(
            {"signature_name": "serve_wav", "instances": [{"b64": base64.b64encode(content).decode()}]}
        )
        over_grpc = client.predictions.Predict.future(make_request("serve_wav", wav=[content]))
        if over_rest.status_code == 200:
            assert over_grpc.exception() is None
        else:
            assert (over_rest.status_code, over_grpc.code()) == (400, grpc.StatusCode.INVALID_ARGUMENT)
            assert "wav: " in over_grpc.details()


def test_ten_megabytes_of_noise_as_a_wav_file(folder, wavs):
    noise = np.random.default_rng(0).bytes(10 * 2**20)
    with serving(folder, max_request_mb=16, max_held_mb=32) as client:
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        assert_refused(invalid, "do not begin as a WAV file does", client.predict, "serve_wav", wav=[noise])
        assert np.isfinite(client.predict("serve_wav", wav=[wavs[0][:44] + noise])["probs"]).all()


def test_a_client_that_stops_half_way(client, harmless):
    head = b"POST /v1/models/tones:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    for sent in (
        b"",
        b"POST /v1/mod",
        head,
        head + b'{"instances": [[0.1,',
        b"\x16\x03\x01 this is TLS",
        b"GET / HTTP/9.9\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", client.rest_port)) as raw:
            raw.sendall(sent)
        with socket.create_connection(("127.0.0.1", client.grpc_port)) as raw:
            raw.sendall(sent)
    wait_until(lambda: client.metric("kerasr_serve_held_bytes") == 0)


def test_a_client_that_leaves_in_its_body_is_no_failure_of_the_server(client):
    def count(status):
        return client.metric("kerasr_serve_requests_total", protocol="rest", method="Predict", status=status)

    cancelled, internal = count("CANCELLED"), count("INTERNAL")
    with socket.create_connection(("127.0.0.1", client.rest_port)) as raw:
        raw.sendall(b"POST /v1/models/tones:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        wait_until(lambda: client.metric("kerasr_serve_held_bytes") == 1)
    wait_until(lambda: client.metric("kerasr_serve_held_bytes") == 0)
    assert (count("CANCELLED"), count("INTERNAL")) == (cancelled + 1, internal)


def test_clients_that_dawdle_take_no_place(client, model):
    """Of many that never finish their requests, none keeps another from being answered."""
    head = b"POST /v1/models/tones:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"
    sockets = [socket.create_connection(("127.0.0.1", client.rest_port)) for _ in range(100)]
    try:
        for raw in sockets:
            raw.sendall(head)
        wait_until(lambda: client.metric("kerasr_serve_held_bytes") == len(sockets))
        waveform = clips(1, 600)
        assert_same(client.predict(waveform=waveform), model("serving_default", waveform=waveform))
        assert client.post({"inputs": waveform.tolist()}).status_code == 200
    finally:
        for raw in sockets:
            raw.close()
    wait_until(lambda: client.metric("kerasr_serve_held_bytes") == 0)


def test_a_body_that_does_not_come_is_given_up(client, monkeypatch):
    monkeypatch.setattr("kerasr.serving.rest._BODY_SECONDS", 0.2)
    head = b"POST /v1/models/tones:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", client.rest_port), timeout=10) as raw:
        raw.sendall(head)
        assert raw.recv(100).startswith(b"HTTP/1.1 504 ")


def test_a_connection_without_a_request_is_closed(client, monkeypatch):
    monkeypatch.setattr("kerasr.serving.server._HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", client.rest_port), timeout=10) as raw:
        assert raw.recv(1) == b""
    assert client.get("/metrics").status_code == 200


def test_half_a_head_on_a_connection_that_is_kept_is_given_up(client, monkeypatch):
    connection = http.client.HTTPConnection("127.0.0.1", client.rest_port, timeout=10)

    def ask():
        connection.request("GET", "/v1/models/tones")
        return json.loads(connection.getresponse().read())

    ask()
    kept = connection.sock
    monkeypatch.setattr("kerasr.serving.server._HEAD_SECONDS", 0.2)
    ask()
    # To send nothing is no fault.
    time.sleep(0.3)
    assert "model_version_status" in ask()
    assert connection.sock is kept
    kept.sendall(b"GET /v1/mod")
    assert kept.recv(1) == b""
    connection.close()


def test_clips_run_together_and_answer_as_alone(client, model, gate, wavs):
    """A bad WAV file in their midst fails by itself."""
    inputs = [{"waveform": clips(count, 2500, seed=count)} for count in (1, 2, 1, 3)]
    others = [{"wav": np.array([wav], object)} for wav in (wavs[0], b"noise", wavs[1])]
    joined = (
        client.metric("kerasr_serve_batch_requests_bucket", le="1.0"),
        client.metric("kerasr_serve_batch_requests_sum"),
    )
    with ThreadPoolExecutor(20) as pool:
        first = keep_busy(client, pool)
        answers = [pool.submit(client.predict, **given) for given in inputs]
        heard = [pool.submit(client.predict, "serve_wav", **given) for given in others]
        wait_until(lambda: client.metric("kerasr_serve_waiting_rows") == 10)
        gate.set()
        for given, answer in zip(inputs, answers, strict=True):
            assert_same(answer.result(), model("serving_default", **given), 1e-5)
        for given, answer in zip(others, heard, strict=True):
            if given["wav"][0] == b"noise":
                assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "wav: 5 bytes", answer.result)
            else:
                assert_same(answer.result(), model("serve_wav", **given), 1e-5)
    alone, requests_run = joined
    assert client.metric("kerasr_serve_batch_requests_sum") - requests_run == len(first) + 7
    assert client.metric("kerasr_serve_batch_requests_bucket", le="1.0") - alone <= len(first)


def test_a_request_larger_than_a_batch_is_cut(client, model):
    """TensorFlow's shared_batch_scheduler.h with enable_large_batch_splitting."""
    waveform = clips(21, 1500)
    assert_same(client.predict(waveform=waveform), model("serving_default", waveform=waveform), 1e-5)
    # Queue::ValidateBatchTaskQueueCapacity; UNAVAILABLE would have a client try for ever.
    words = "Task size 33 is larger than maximum input batch size 32"
    assert_refused(grpc.StatusCode.INVALID_ARGUMENT, words, client.predict, waveform=clips(33, 100))


def ask_a_bare_batcher(sizes, num_answers, **options):
    """Ask one thread for clips of some lengths, in this order, and wait for the last answers.

    Returns:
        The shapes of the batches that ran.
    """
    batches: list[tuple[int, ...]] = []

    def hear(waveform):
        batches.append(tuple(waveform.shape))
        return {"waveform": waveform}

    tensors = {"waveform": Tensor("waveform", tf.float32, (None, None), 0)}
    signature = Signature("serving_default", tensors, tensors, hear)

    class Owner:
        model = "tones"

    async def run():
        batcher = batching.Batcher(
            batching.BatchOptions(max_batch_size=2, max_enqueued_batches=4, num_threads=1, **options), Metrics()
        )
        asked = [asyncio.create_task(batcher.run(Owner, signature, {"waveform": clips(1, size)})) for size in sizes]
        await asyncio.gather(*asked[-num_answers:])
        for one in asked:
            one.cancel()
        batcher.close()

    asyncio.run(run())
    return batches


def test_a_shape_with_a_full_batch_waiting_keeps_no_other_out():
    """Who has waited longest goes first, whom a full batch left behind before those who came later."""
    batches = ask_a_bare_batcher([1, 5, 9, 9, 9, 7], 6, timeout_seconds=0)
    assert batches == [(1, 1), (1, 5), (2, 9), (1, 9), (1, 7)]


def test_a_full_batch_does_not_wait_for_its_time():
    assert ask_a_bare_batcher([5, 9, 9], 2, timeout_seconds=60) == [(2, 9)]


def test_past_its_queue_the_server_sheds_and_recovers(client, model, harmless, gate):
    """UNAVAILABLE and 503, and each request that was taken is answered."""
    waveform = clips(1, 1000)
    expected = model("serving_default", waveform=waveform)
    body = json.dumps({"instances": waveform.tolist()})

    def over_grpc(_):
        try:
            return client.predict(waveform=waveform)
        except grpc.RpcError as error:
            return error.code(), error.details()

    def over_rest(_):
        answer = requests.post(f"http://127.0.0.1:{client.rest_port}/v1/models/tones:predict", body, timeout=60)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(42 + os.cpu_count()) as pool:
        first = keep_busy(client, pool)
        asked = [pool.submit(over_grpc, number) for number in range(40)]
        wait_until(lambda: sum(answer.done() for answer in asked) == 8)
        assert client.metric("kerasr_serve_waiting_rows") == 32
        assert pool.submit(over_rest, 0).result() == (503, {"error": FULL})
        assert over_grpc(0) == (grpc.StatusCode.UNAVAILABLE, FULL)
        # The server itself is well, and says so.
        assert client.get("/v1/models/tones").status_code == 200
        gate.set()
        answers = [answer.result() for answer in asked]
        assert all(answer.result() for answer in first)
    taken = [answer for answer in answers if isinstance(answer, dict)]
    assert {answer for answer in answers if not isinstance(answer, dict)} == {(grpc.StatusCode.UNAVAILABLE, FULL)}
    assert len(taken) == 32
    for answer in taken:
        assert_same(answer, expected, 1e-5)
    assert client.metric("kerasr_serve_requests_total", status="UNAVAILABLE", method="Predict") >= 3


def test_the_bytes_that_are_held_are_bounded(client, harmless, gate):
    waveform = clips(1, 900_000)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(client.predict, waveform=waveform) for _ in range(6)]
        wait_until(lambda: sum(answer.done() for answer in asked) == 2)
        assert client.metric("kerasr_serve_held_bytes") <= 16 * 2**20
        gate.set()
    refused = [answer.exception() for answer in asked if answer.exception()]
    assert [(error.code(), error.details()) for error in refused] == [(grpc.StatusCode.UNAVAILABLE, FULL)] * 2


def test_who_goes_away_is_not_waited_for(client, harmless, gate):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        first = keep_busy(client, pool)
        batches = client.metric("kerasr_serve_batch_rows_count")
        call = client.predictions.Predict.future(make_request(waveform=clips(4, 700)))
        wait_until(lambda: client.metric("kerasr_serve_waiting_rows") == 4)
        cancelled = client.metric("kerasr_serve_requests_total", status="CANCELLED")
        call.cancel()
        wait_until(lambda: client.metric("kerasr_serve_requests_total", status="CANCELLED") > cancelled)
        gate.set()
        assert all(one.result() for one in first)
    wait_until(lambda: client.metric("kerasr_serve_waiting_rows") == 0)
    assert client.metric("kerasr_serve_batch_rows_count") == batches


def test_the_warm_up_is_played(client):
    assert client.metric("kerasr_serve_warm_ups_total", model="tones") == 4
    assert any("tones 1 is loaded and warm" in line and "4 recorded" in line for line in client.lines)
    assert client.get("/monitoring/prometheus/metrics").text.count("kerasr_serve_") > 20


def test_names_that_clients_make_up_are_not_kept(client):
    client.post({"inputs": [[0.1]]}, path="/v1/models/made-up:predict")
    assert client.metric("kerasr_serve_requests_total", model="made-up") == 0
    assert client.metric("kerasr_serve_requests_total", model="", status="NOT_FOUND") > 0
    assert "made-up" not in client.get("/metrics").text


def test_versions_come_and_go_without_a_failed_request(versions, model, tmp_path):
    tones = tmp_path / "serving" / "tones"
    shutil.copytree(versions / "1", tones / "1")
    waveform = clips(1, 1200)
    old = model("serving_default", waveform=waveform)["logits"]
    new = tf.saved_model.load(str(versions / "2")).signatures["serving_default"](waveform=waveform)["logits"].numpy()
    assert abs(new - old).max() > 0.5
    with serving(tones) as client:
        stop, answers = threading.Event(), []

        def ask():
            while not stop.is_set():
                answers.append(client.predict(waveform=waveform)["logits"])
                answers.append(
                    np.array(client.post({"inputs": waveform.tolist()}).json()["outputs"]["logits"], np.float32)
                )

        def state(version):
            found = client.get(f"/v1/models/tones/versions/{version}").json()
            return found["model_version_status"][0]["state"] if "error" not in found else ""

        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(ask) for _ in range(2)]
            # One that cannot be loaded leaves the old one in its place, and is told.
            (tones / "2").mkdir()
            (tones / "2" / "saved_model.pb").write_bytes(b"half of it")
            wait_until(lambda: state(2) == "END")
            assert state(1) == "AVAILABLE"
            found = client.get("/v1/models/tones/versions/2").json()["model_version_status"][0]["status"]
            assert found["error_code"] != "OK"
            assert found["error_message"]
            # Mended, it takes over.
            shutil.rmtree(tones / "2")
            shutil.copytree(versions / "2", tmp_path / "beside")
            (tmp_path / "beside").rename(tones / "2")
            wait_until(lambda: state(2) == "AVAILABLE" and state(1) == "END")
            count = len(answers)
            wait_until(lambda: len(answers) > count + 20)
            # Back to the old one, as after a bad export.
            shutil.rmtree(tones / "2")
            wait_until(lambda: state(1) == "AVAILABLE" and state(2) == "END")
            count = len(answers)
            wait_until(lambda: len(answers) > count + 20)
            stop.set()
            for one in asking:
                one.result()
        seen = ["old" if np.abs(answer - old).max() < 1e-5 else "new" for answer in answers]
        for name, answer in zip(seen, answers, strict=True):
            np.testing.assert_allclose(answer, old if name == "old" else new, atol=1e-5)
        assert seen[0] == seen[-1] == "old"
        assert "new" in seen
        assert client.metric("kerasr_serve_requests_total", method="Predict") == client.metric(
            "kerasr_serve_requests_total", method="Predict", status="OK"
        )
        assert any("tones 2 cannot be loaded" in line for line in client.lines)
        assert any("tones 1 is unloaded" in line for line in client.lines)


def test_a_version_whose_warm_up_fails_is_not_served(versions, tmp_path):
    """servables/tensorflow/saved_model_warmup_util.cc, RunSavedModelWarmup: the version fails to load."""
    shutil.copytree(versions / "1", tmp_path / "tones" / "1")
    (tmp_path / "tones" / "1" / EXTRA / WARM_UP).write_bytes(b"no record" * 100)
    with pytest.raises(cli.UserError, match="no model in it can be loaded"), serving(tmp_path):
        pass


def test_a_models_config_gives_labels_and_policies(versions, model, tmp_path):
    shutil.copytree(versions, tmp_path / "tones")
    (tmp_path / "models.config").write_text(
        'model_config_list { config { name: "words" base_path: "/models/tones" model_platform: "tensorflow"\n'
        "  model_version_policy { specific { versions: 1 versions: 2 } }\n"
        '  version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 } } }\n'
    )
    waveform = clips(1, 900)
    old = model("serving_default", waveform=waveform)["logits"]
    with serving(tmp_path / "models.config") as client:
        body, answers = {"inputs": waveform.tolist()}, {}
        for part in ("", "/versions/1", "/versions/2", "/labels/stable", "/labels/canary"):
            answers[part] = client.post(body, path=f"/v1/models/words{part}:predict").json()["outputs"]["logits"]
        np.testing.assert_allclose(answers["/labels/stable"], old, atol=1e-6)
        assert answers["/versions/1"] == answers["/labels/stable"]
        assert answers[""] == answers["/versions/2"] == answers["/labels/canary"] != answers["/versions/1"]
        request = make_request(label="stable", name="words", waveform=waveform)
        np.testing.assert_allclose(to_arrays(client.predictions.Predict(request))["logits"], old, atol=1e-6)
        assert [one["version"] for one in client.get("/v1/models/words").json()["model_version_status"]] == ["2", "1"]
        # A file that is being written changes nothing.
        (tmp_path / "models.config").write_text("model_config_list { config {")
        wait_until(lambda: any("cannot look for models" in line for line in client.lines))
        assert client.post(body, path="/v1/models/words:predict").status_code == 200


def test_what_a_models_config_lists_and_is_not_there_is_told_once(tmp_path):
    (tmp_path / "tones" / "1").mkdir(parents=True)
    listed, lines = tmp_path / "models.config", []
    config = 'config { name: "typo" base_path: "/models/tonez" }\n'
    pinned = 'config { name: "pinned" base_path: "/models/tones" model_version_policy { specific { versions: 9 } } }\n'
    listed.write_text(f"model_config_list {{ {config} {pinned} }}")
    models = Models(listed, Metrics(), lines.append)
    for _ in range(2):
        asyncio.run(models.refresh())
    assert len(lines) == 2
    assert lines[0].startswith(f"typo: {tmp_path / 'tonez'} holds no version; ")
    assert lines[1].startswith(f"pinned: its policy asks for the versions 9, and {tmp_path / 'tones'} has 1; ")
    assert "asks for the versions 1, 9" in Source("tones", tmp_path / "tones", "specific", specific=(1, 9)).complaint()
    assert Source("tones", tmp_path / "tones", "specific", specific=(1,)).complaint() == ""
    # model_servers/server_core.cc, ValidateModelConfigList.
    listed.write_text(f"model_config_list {{ {config} {config} }}")
    with pytest.raises(cli.UserError, match="Illegal to list model typo multiple times in config list"):
        asyncio.run(models.refresh())


def test_a_model_whose_name_is_a_number_hides_no_other(tone_run, tmp_path):
    for version in ("tones/1", "tones/2", "7/1"):
        (tmp_path / version).mkdir(parents=True)
        (tmp_path / version / "saved_model.pb").touch()
    assert [source.name for source in find_sources(tmp_path)] == ["7", "tones"]
    assert find_sources(tmp_path / "tones") == [Source("tones", tmp_path / "tones")]
    with pytest.raises(cli.UserError, match="'8' becomes the model's name"):
        export_serving(load_run(tone_run), tmp_path / "8")
    assert not (tmp_path / "8").exists()
    with pytest.raises(cli.UserError, match="holds the model 7, and a server would take it for one model"):
        export_serving(load_run(tone_run), tmp_path)


def test_numbers_that_the_protocol_has_no_room_for_are_no_versions(tmp_path):
    for name in ("001", "20", str(2**63 - 1), str(2**63), "20261121093000123456", "٣", "²"):
        (tmp_path / name).mkdir()
    assert versions_of(tmp_path) == [1, 20, 2**63 - 1]


def test_thousands_of_mutated_requests_do_no_harm(client, harmless, wavs):
    """Whatever comes is answered or refused, and nothing is the server's own fault."""
    draw = random.Random(0)
    bodies = [
        json.dumps({"instances": clips(2, 20).tolist()}),
        json.dumps(
            {"signature_name": "with_num_samples", "inputs": {"waveform": clips(1, 9).tolist(), "num_samples": [4]}}
        ),
        json.dumps(
            {"signature_name": "serve_wav", "instances": [{"wav": {"b64": base64.b64encode(wavs[0][:400]).decode()}}]}
        ),
    ]
    messages = [
        make_request(waveform=clips(2, 20)),
        make_request("with_num_samples", waveform=clips(1, 9), num_samples=np.array([4], np.int32)),
        make_request("serve_wav", wav=[wavs[0][:400]]),
    ]
    connections = threading.local()

    def send(body):
        if not hasattr(connections, "mine"):
            connections.mine = http.client.HTTPConnection("127.0.0.1", client.rest_port)
        connections.mine.request("POST", "/v1/models/tones:predict", body)
        answer = connections.mine.getresponse()
        content = json.loads(answer.read())
        assert (answer.status, list(content) == ["error"]) in ((200, False), (400, True)), content
        return answer.status

    def call(message):
        answer = client.channel.unary_unary(PREDICT).future(message, timeout=60)
        if answer.code() == grpc.StatusCode.OK:
            predict_pb2.PredictResponse.FromString(answer.result())
        return answer.code().name

    with ThreadPoolExecutor(4) as pool:
        over_rest = set(pool.map(send, [mutate(bodies[number % 3].encode(), draw) for number in range(2000)]))
        mutated = [mutate(messages[number % 3].SerializeToString(), draw) for number in range(2000)]
        over_grpc = set(pool.map(call, mutated))
    assert over_rest == {200, 400}
    assert over_grpc == {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}


def mutate(content, draw):
    """Bytes with some of them changed, cut away, said twice or swapped for others that mean something."""
    content = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place, other = sorted((draw.randrange(len(content) + 1), draw.randrange(len(content) + 1)))
        other = min(other, place + 30)
        match draw.randrange(5):
            case 0:
                del content[place:other]
            case 1:
                content[place:place] = content[place:other]
            case 2 if place < len(content):
                content[place] ^= 1 << draw.randrange(8)
            case 3:
                content[place:other] = draw.choice(
                    [b"[", b"]", b"{}", b"null", b"1e999", b"-1", b"\xff" * 9, b"\0", b'"', b","]
                )
            case _:
                content[place:other] = draw.randbytes(other - place)
    return bytes(content)


@contextmanager
def command(*arguments):
    """The command in a process of its own, and its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kerasr.serve", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def test_the_command_serves_and_answers_what_it_has_taken(folder, model):
    """SIGTERM comes while requests wait for company: they are answered, and the process ends well.

    Who watches its health is told, and does not hold it up: a watch that is cut off, at the end of the grace, fails.
    """
    arguments = ["--grpc-port", "0", "--rest-port", "0", "--batch-timeout-ms", "3000", "--poll-seconds", "0.2"]
    waveform = clips(1, 800)
    expected = model("serving_default", waveform=waveform)
    with command(folder, *arguments) as (process, line):
        assert line.startswith("serving tones (1): gRPC 127.0.0.1:"), process.stderr.read()
        grpc_port, rest_port = (
            int(part.split("/")[0]) for part in line.split("127.0.0.1:")[1:] for part in [part.split(",")[0]]
        )
        client = Client(grpc_port, rest_port, [])
        watch = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest())
        seen = [next(watch).status]
        with ThreadPoolExecutor(4) as pool:
            over_grpc = pool.submit(client.predict, waveform=waveform)
            over_rest = pool.submit(client.post, {"inputs": waveform.tolist()})
            with requests.Session() as other:
                wait_until(
                    lambda: 'waiting_rows{model="tones"} 2.0' in other.get(f"http://127.0.0.1:{rest_port}/metrics").text
                )
            process.send_signal(signal.SIGTERM)
            seen += [answer.status for answer in watch]
            assert seen == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]
            assert_same(over_grpc.result(), expected)
            assert over_rest.result().status_code == 200
        assert process.wait(60) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", rest_port))
        client.close()


def test_what_was_sent_before_the_end_is_answered(folder):
    """While the event loop is busy with others, calls wait that gRPC has not handed over yet."""
    with serving(folder) as client:
        waveform = clips(1, 100)
        expected = client.predict(waveform=waveform)
        client.loop.call_soon_threadsafe(time.sleep, 0.5)
        asked = [client.predictions.Predict.future(make_request(waveform=waveform), timeout=60) for _ in range(20)]
        client.loop.call_soon_threadsafe(client.stop.set)
        for answer in asked:
            assert_same(to_arrays(answer.result()), expected, 1e-5)


def test_an_older_version_is_served_while_the_newest_is_broken(versions, tmp_path):
    for name in ("1", "2"):
        shutil.copytree(versions / name, tmp_path / "tones" / name)
    (tmp_path / "tones" / "2" / "saved_model.pb").write_bytes(b"damaged")
    with serving(tmp_path) as client:
        assert sorted(client.models_served()) == [1]
        assert any("tones 2 cannot be loaded" in line for line in client.lines)
        shutil.copy(versions / "2" / "saved_model.pb", tmp_path / "tones" / "2" / "saved_model.pb")
        wait_until(lambda: client.models_served() == [2])


def run_command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["serve", *map(str, arguments)])
    # As the command does for its process; here others need it.
    monkeypatch.setitem(sys.modules, "keras", sys.modules["keras"])
    with pytest.raises(SystemExit) as end:
        cli.run_command(serve.main)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_what_the_user_can_mend_is_one_line(folder, tmp_path, monkeypatch, capsys):
    def say(*arguments):
        return run_command(monkeypatch, capsys, *arguments)

    assert "no such folder" in say(tmp_path / "nowhere")
    assert "holds no model; `python -m kerasr.export" in say(tmp_path, "--rest-port", 0, "--grpc-port", 0)
    assert "--max-batch-size 0: give more than 0" in say(folder, "--max-batch-size", 0)
    assert "--rest-port 70000: ports are 0" in say(folder, "--rest-port", 70000)
    (tmp_path / "models.config").write_text("no config")
    assert "not a models.config" in say(tmp_path / "models.config", "--rest-port", 0, "--grpc-port", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"--rest-port {port}: cannot listen" in say(folder, "--rest-port", port, "--grpc-port", 0)
        assert f"--grpc-port {port}: cannot listen" in say(folder, "--grpc-port", port, "--rest-port", 0)
    monkeypatch.setitem(EXTRAS, "serve", Extra("", ("no_such_package",)))
    assert 'no_such_package, which is not installed: pip install "grpcio>=' in say(folder)
