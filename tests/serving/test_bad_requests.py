"""What cannot be answered is refused as TensorFlow Serving refuses it, and the next request is answered.

Statuses and messages are TensorFlow Serving's. Where a test holds one, it names the file and function that gives it, of
https://github.com/tensorflow/serving if it does not say TensorFlow's.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from _client import PREDICT, assert_refused, clips, keep_busy, make_request
from tensorflow_serving.apis import classification_pb2, model_management_pb2, predict_pb2

from kerasr.serving.json_tensors import write_outputs


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
