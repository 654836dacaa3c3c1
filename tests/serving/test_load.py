"""Many clients at a time: their clips run together, none keeps another waiting, and what is too much is shed.

Statuses and messages are TensorFlow Serving's. Where a test holds one, it names the file and function that gives it, of
https://github.com/tensorflow/serving if it does not say TensorFlow's.
"""

import asyncio
import gzip
import http.client
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import requests
import tensorflow as tf
from _client import assert_refused, assert_same, clips, keep_busy, make_request, wait_until

from kerasr.serving import batching
from kerasr.serving.json_tensors import parse_body
from kerasr.serving.metrics import Metrics
from kerasr.serving.servable import Signature, Tensor

# TensorFlow's shared_batch_scheduler.h, Queue::Schedule.
FULL = "The batch scheduling queue to which this task was submitted is full"


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
