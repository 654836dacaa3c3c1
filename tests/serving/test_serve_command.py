"""`python -m kerasr.serve`, from what keeps it from starting to the last answer of one that is told to end."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from _client import Client, assert_same, clips, make_request, serving, to_arrays, wait_until
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kerasr import serve
from kerasr.core import cli
from kerasr.core.extras import EXTRAS, Extra

ROOT = Path(__file__).parents[2]


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
    arguments = ["--grpc-port", "0", "--rest-port", "0", "--batch-timeout-ms", "2000", "--poll-seconds", "0.2"]
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
