"""A client of TensorFlow Serving, a server for it to ask, and what tests of both begin with."""

import asyncio
import json
import os
import queue
import threading
import time
from contextlib import contextmanager

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc

from kerasr.serving import Server, ServerOptions

# Above what any request here takes, and quick to fill.
SMALL = {"max_batch_size": 8, "max_enqueued_batches": 4, "max_request_mb": 4, "max_held_mb": 16}
PREDICT = "/tensorflow.serving.PredictionService/Predict"


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


def clips(count, size, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal((count, size))).astype("float32")


def keep_busy(client, pool):
    """Give each of the model's threads a request, at the closed gate; of other lengths, lest they run together."""
    batches = client.metric("kerasr_serve_batch_rows_count")
    asked = [pool.submit(client.predict, waveform=clips(1, 100 + number)) for number in range(os.cpu_count())]
    wait_until(lambda: client.metric("kerasr_serve_batch_rows_count") == batches + len(asked))
    return asked


def assert_same(answer, expected, tolerance=1e-6):
    """Outputs are equal, numbers to a tolerance: what is summed in another order is not quite the same."""
    assert answer.keys() == expected.keys(), answer.keys()
    for key, value in expected.items():
        if value.dtype == object:
            assert np.asarray(answer[key]).tolist() == value.tolist(), (key, answer[key])
        else:
            np.testing.assert_allclose(answer[key], value, atol=tolerance, rtol=tolerance, err_msg=key)


def assert_refused(code, words, call, *arguments, **kwargs):
    """A call of gRPC ends with a status."""
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, **kwargs)
    assert error.value.code() == code, error.value.details()
    assert words in error.value.details(), error.value.details()


def wait_until(holds, seconds=30):
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
