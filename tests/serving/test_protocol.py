"""A client of TensorFlow Serving gets what the model answers, and is told what there is.

Statuses and messages are TensorFlow Serving's. Where a test holds one, it names the file and function that gives it, of
https://github.com/tensorflow/serving if it does not say TensorFlow's.
"""

import base64
import gzip
import json
import re
import textwrap
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from _client import assert_refused, assert_same, clips, make_request
from _deployment import probes
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

ROOT = Path(__file__).parents[2]


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


def test_the_warm_up_is_played(client):
    assert client.metric("kerasr_serve_warm_ups_total", model="tones") == 4
    assert any("tones 1 is loaded and warm" in line and "4 recorded" in line for line in client.lines)
    assert client.get("/monitoring/prometheus/metrics").text.count("kerasr_serve_") > 20


def test_names_that_clients_make_up_are_not_kept(client):
    client.post({"inputs": [[0.1]]}, path="/v1/models/made-up:predict")
    assert client.metric("kerasr_serve_requests_total", model="made-up") == 0
    assert client.metric("kerasr_serve_requests_total", model="", status="NOT_FOUND") > 0
    assert "made-up" not in client.get("/metrics").text
