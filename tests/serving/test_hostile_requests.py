"""What is sent to take memory, time or the server itself takes none: tensors that lie, masses of rows, noise.

Statuses and messages are TensorFlow Serving's. Where a test holds one, it names the file and function that gives it, of
https://github.com/tensorflow/serving if it does not say TensorFlow's.
"""

import base64
import gzip
import http.client
import json
import os
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
from _client import PREDICT, assert_refused, assert_same, clips, make_request, serving
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from kerasr.serving.status import Code, as_serving_error


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
