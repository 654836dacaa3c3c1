"""Load on `python -m kerasr.serve`: throughput and latency, what happens past saturation, and how it comes back.

    python benchmarks/serving.py                 about four minutes

Exports the preset `digits`, serves it from a process of its own, and sends clips of a second over loopback from this
one, which takes its share of the same processor. The load is open-loop: requests leave when their time has come,
whether or not others are answered, and their latency counts from that time. Each way of asking is set beside calling
the model in this process. Writes benchmarks/results/serving.json and prints tables.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from _parts import markdown_table, print_tables, write_result
from tensorflow_serving.apis import predict_pb2

from kerasr import audio
from kerasr.core.provenance import provenance
from kerasr.exporters import export_serving
from kerasr.runs.run import load_run

RESULTS = Path(__file__).parent / "results" / "serving.json"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
RATES = (10, 25, 50, 100, 200, 400, 800, 1600)
# A rate is held while this share of it is answered, no more than that is refused, and a request waits no longer than
# this, in seconds.
ANSWERED, SHED, WAIT = 0.95, 0.01, 1.0
# Past saturation: this many times the highest rate that was held.
OVERLOAD = 3
NUM_TIMED = 100

# Sends one request, and says how it went: OK or a status.
Ask = Callable[[], Awaitable[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each rate")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="requests a second, rising")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        version, _ = export_serving(load_run("digits"), Path(folder, "digits"))
        payloads = make_payloads(Path(folder))
        direct = time_direct(version, payloads)
        with served(Path(folder)) as (process, ports):
            found = asyncio.run(measure(process, ports, payloads, arguments.rates, arguments.seconds))
    found = {"in_process": direct, **found}
    write_result(RESULTS, {**provenance(), **found})
    print_tables(tables())


def make_payloads(folder: Path) -> dict[str, dict[str, Any]]:
    """A clip as each way of asking sends it: the signature, its input, and the bytes on the wire."""
    clip = 0.1 * np.random.default_rng(0).standard_normal(8000)
    audio.write(folder / "clip.wav", clip, 8000)
    wav, waveform = (folder / "clip.wav").read_bytes(), clip.astype(np.float32)[None]
    encoded = base64.b64encode(wav).decode()
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    request.inputs["waveform"].CopyFrom(tf.make_tensor_proto(waveform))
    floats = {"instances": waveform.round(5).tolist()}
    in_base64 = {"signature_name": "serve_wav", "instances": [{"b64": encoded}]}
    return {
        "gRPC, floats": {"signature": "serving_default", "input": waveform, "bytes": request.SerializeToString()},
        "REST, floats": {"signature": "serving_default", "input": waveform, "bytes": json.dumps(floats).encode()},
        "REST, WAV in base64": {
            "signature": "serve_wav",
            "input": np.array([wav], object),
            "bytes": json.dumps(in_base64).encode(),
        },
    }


def time_direct(version: Path, payloads: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Milliseconds of a clip in this process by signature, one after the other (median)."""
    signatures = tf.saved_model.load(str(version)).signatures
    found = {}
    for payload in payloads.values():
        name = payload["signature"]
        ((key, spec),) = signatures[name].structured_input_signature[1].items()
        seconds = []
        for _ in range(NUM_TIMED):
            started = time.perf_counter()
            signatures[name](**{key: tf.constant(payload["input"], spec.dtype)})["probs"].numpy()
            seconds.append(time.perf_counter() - started)
        found[name] = round(1000 * statistics.median(seconds), 2)
    return found


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen, tuple[int, int]]]:
    """The server's process, and its ports of gRPC and REST."""
    command = [sys.executable, "-m", "kerasr.serve", str(folder), "--grpc-port", "0", "--rest-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        grpc_port, rest_port = (part.split(",")[0].split("/")[0] for part in line.split("127.0.0.1:")[1:])
        yield process, (int(grpc_port), int(rest_port))
    finally:
        process.terminate()
        process.wait()


async def measure(
    process: subprocess.Popen,
    ports: tuple[int, int],
    payloads: dict[str, dict[str, Any]],
    rates: list[int],
    seconds: float,
) -> dict[str, Any]:
    """Rising rates for each way of asking, then an overload of each."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
        ways: dict[str, Ask] = {
            name: grpc_asker(channel, payload["bytes"])
            if name.startswith("gRPC")
            else RestAsker(ports[1], payload["bytes"])
            for name, payload in payloads.items()
        }
        found: dict[str, Any] = {"rates": {}, "overload": {}}
        for name, ask in ways.items():
            await load(ask, rates[0], 1.0)
            found["rates"][name] = await raise_rate(ask, rates, seconds)
        for name, ask in ways.items():
            held = [row["rate"] for row in found["rates"][name] if is_held(row)]
            if held:
                found["overload"][name] = await overload(ask, process.pid, rates[0], OVERLOAD * max(held), seconds)
        return found


async def raise_rate(ask: Ask, rates: list[int], seconds: float) -> list[dict[str, Any]]:
    """What each rate gives, up to the first that is not held."""
    rows = []
    for rate in rates:
        rows.append({"rate": rate, **await load(ask, rate, seconds)})
        if not is_held(rows[-1]):
            break
    return rows


def is_held(row: dict[str, Any]) -> bool:
    """Whether a rate is one that the server keeps up with."""
    keeps_up = row["answered_per_second"] >= ANSWERED * row["rate"]
    return keeps_up and row["shed"] <= SHED and row["p99_ms"] < 1000 * WAIT


async def overload(ask: Ask, pid: int, low: int, high: int, seconds: float) -> dict[str, Any]:
    """A calm rate, one that is too high, and the calm one again; memory before, at its highest and after."""
    before, memory_before = await load(ask, low, seconds), resident_mb(pid)
    peak = [memory_before]
    watching = asyncio.create_task(watch(pid, peak))
    during = await load(ask, high, seconds)
    watching.cancel()
    # The first second after it tells how soon it is well again.
    first = await load(ask, low, 1.0)
    after = await load(ask, low, seconds)
    memory = {"before": memory_before, "peak": max(peak), "after": resident_mb(pid)}
    return {
        "rate": high,
        "before": before,
        "during": during,
        "first_second": first,
        "after": after,
        "memory_mb": memory,
    }


async def watch(pid: int, peak: list[float]) -> None:
    while True:
        peak.append(resident_mb(pid))
        await asyncio.sleep(0.2)


def resident_mb(pid: int) -> float:
    """Memory of a process, in MB."""
    with open(f"/proc/{pid}/statm") as file:
        return round(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


async def load(ask: Ask, rate: float, seconds: float) -> dict[str, Any]:
    """Requests at a rate for some time, in even steps, until the last is answered."""
    latencies: list[float] = []
    statuses: Counter[str] = Counter()

    async def send(due: float) -> None:
        status = await ask()
        statuses[status] += 1
        if status == "OK":
            latencies.append(time.perf_counter() - due)

    started = due = time.perf_counter()
    sent = []
    for number in range(max(1, round(rate * seconds))):
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent.append(asyncio.create_task(send(due)))
    behind = time.perf_counter() - due
    await asyncio.gather(*sent)
    took = time.perf_counter() - started
    p50, p99 = np.percentile(latencies, [50, 99]) * 1000 if latencies else (np.nan, np.nan)
    return {
        "answered_per_second": round(len(latencies) / took, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "shed": round(1 - len(latencies) / len(sent), 4),
        "statuses": dict(statuses),
        # How late the last request left: the client itself was too slow if this is much.
        "client_behind_ms": round(1000 * behind, 1),
    }


def grpc_asker(channel: grpc.aio.Channel, message: bytes) -> Ask:
    """Asks over one channel."""
    predict = channel.unary_unary(PREDICT)

    async def ask() -> str:
        try:
            await predict(message)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    return ask


class RestAsker:
    """Asks over as many connections as requests are under way, and keeps them."""

    def __init__(self, port: int, body: bytes):
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        head = f"POST /v1/models/digits:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body

    async def __call__(self) -> str:
        try:
            reader, writer = connection = self._take() or await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            return type(error).__name__
        self._idle.append(connection)
        status = head.split(b" ", 2)[1].decode()
        return "OK" if status == "200" else status

    def _take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection that the server still keeps."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None


def tables() -> dict[str, str]:
    """Rates held, what a request costs beside a lone caller's, and what an overload does."""
    found = json.loads(RESULTS.read_text())
    rates = [(name, row) for name, rows in found["rates"].items() for row in rows]
    return {
        "rates": markdown_table(
            ("asked", "requests a second", "answered a second", "p50", "p99", "refused"),
            [rate_row(*rate) for rate in rates],
        ),
        "alone": markdown_table(
            (
                "asked",
                "alone in process",
                "p50 at the lowest rate",
                "times",
                "highest rate held",
                "times a lone caller",
            ),
            [alone_row(name, rows, found["in_process"]) for name, rows in found["rates"].items()],
        ),
        "overload": markdown_table(
            (
                "asked",
                "overload",
                "refused",
                "with",
                "p99 of the answered",
                "p50 before, after",
                "memory before, peak, after",
            ),
            [overload_row(name, row) for name, row in found["overload"].items()],
        ),
    }


def rate_row(name: str, row: dict[str, Any]) -> list[str]:
    times = (f"{row['p50_ms']:.1f} ms", f"{row['p99_ms']:.1f} ms")
    return [name, str(row["rate"]), f"{row['answered_per_second']:.0f}", *times, f"{row['shed']:.1%}"]


def alone_row(name: str, rows: list[dict[str, Any]], in_process: dict[str, float]) -> list[str]:
    direct = in_process["serve_wav" if "WAV" in name else "serving_default"]
    held = max((row["rate"] for row in rows if is_held(row)), default=0)
    times = (f"{direct:.1f} ms", f"{rows[0]['p50_ms']:.1f} ms", f"{rows[0]['p50_ms'] / direct:.2f}")
    return [name, *times, str(held), f"{held * direct / 1000:.2f}"]


def overload_row(name: str, row: dict[str, Any]) -> list[str]:
    during, memory = row["during"], row["memory_mb"]
    return [
        name,
        f"{row['rate']} a second",
        f"{during['shed']:.0%}",
        ", ".join(status for status in during["statuses"] if status != "OK"),
        f"{during['p99_ms']:.0f} ms",
        f"{row['before']['p50_ms']:.1f}, {row['after']['p50_ms']:.1f} ms",
        f"{memory['before']:.0f}, {memory['peak']:.0f}, {memory['after']:.0f} MB",
    ]


if __name__ == "__main__":
    main()
