"""Both protocols over one set of models, from the first look at the folder to the last answer."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from kerasr.core.cli import command_line
from kerasr.errors import UserError
from kerasr.serving.batching import Batcher, BatchOptions
from kerasr.serving.grpc import GrpcServer
from kerasr.serving.metrics import Metrics
from kerasr.serving.models import Models
from kerasr.serving.options import ServerOptions
from kerasr.serving.predict import Predictor
from kerasr.serving.rest import make_app

# Connections and calls beyond this are refused before they are read.
_MAX_CONNECTIONS = 768
# How long a shutdown waits for what was taken.
_GRACE_SECONDS = 30
# How long requests that have been sent, and not been looked at yet, are still taken: gRPC would cancel them.
_LAST_CALL_SECONDS = 0.25
# How long a request's head may take, from the connection or from its first byte on a connection that is kept.
_HEAD_SECONDS = 10.0


class Server:
    """Serves the models under a path.

    Args:
        path: a folder of models, one model's folder, or a `models.config`.
        options: where and how.
        say: takes a line for whoever runs the server; nobody is told where None.

    Attributes:
        models: what is served.
        host: where it listens.
        grpc_port: the port, once it runs.
        rest_port: likewise.
    """

    def __init__(self, path: Path, options: ServerOptions, say: Callable[[str], None] | None = None):
        self._path, self._options = path, options
        self.host, self.grpc_port, self.rest_port = options.host, options.grpc_port, options.rest_port
        self._metrics = Metrics()
        self.models = Models(path, self._metrics, say or (lambda _: None))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        """Load the models and answer requests; on leaving, answer what was taken, and end.

        Raises:
            UserError: there is no model that can be loaded, or a port is taken.
        """
        options = self._options
        timeout = options.batch_timeout_ms / 1000
        batcher = Batcher(
            BatchOptions(options.max_batch_size, timeout, options.max_enqueued_batches, os.cpu_count() or 1),
            self._metrics,
        )
        predictor = Predictor(self.models, batcher, self._metrics, options.max_held_mb * 2**20)
        with self._listen() as rest_socket:
            grpc_server = self._make_grpc_server(predictor)
            rest_server = _RestServer(_rest_config(predictor, options))
            await self._load_models()
            await grpc_server.start()
            serving = asyncio.create_task(rest_server.serve(sockets=[rest_socket]))
            polling = asyncio.create_task(self.models.poll(options.poll_seconds))
            try:
                yield self
            finally:
                polling.cancel()
                grpc_server.announce_end()
                await asyncio.sleep(_LAST_CALL_SECONDS)
                rest_server.should_exit = True
                await asyncio.gather(grpc_server.stop(_GRACE_SECONDS), serving)
                batcher.close()
                self.models.close()

    def _listen(self) -> socket.socket:
        host, port = self._options.host, self._options.rest_port
        try:
            # With its protocol named, asyncio turns Nagle's algorithm off, which would hold answers back for 40 ms.
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)[0]
            found = socket.socket(family, kind, protocol)
            if sys.platform != "win32":
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(_MAX_CONNECTIONS)
        except OSError as error:
            raise UserError(
                "port-unavailable",
                f"--rest-port {port}: cannot listen at {host} ({error.strerror}); another one may be free, and 0 takes "
                "any that is",
            ) from error
        self.rest_port = found.getsockname()[1]
        return found

    def _make_grpc_server(self, predictor: Predictor) -> GrpcServer:
        host, port = self._options.host, self._options.grpc_port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            server = GrpcServer(predictor, address, self._options.max_request_mb * 2**20, _MAX_CONNECTIONS)
        except OSError as error:
            raise UserError(
                "port-unavailable", f"--grpc-port {port}: {error}; another one may be free, and 0 takes any that is"
            ) from error
        self.grpc_port = server.port
        return server

    async def _load_models(self) -> None:
        await self.models.refresh()
        if not self.models.names():
            raise UserError(
                "served-model-not-found",
                f"{self._path}: holds no model; "
                f"`{command_line('export', 'RUN', '--to', f'{self._path}/NAME')}` writes one",
            )
        if not any(self.models.available(name) for name in self.models.names()):
            errors = [
                f"{name} {number}: {version.error.message}"
                for name in self.models.names()
                for number, version in self.models.versions(name).items()
                if version.error
            ]
            raise UserError("served-model-damaged", f"{self._path}: no model in it can be loaded ({'; '.join(errors)})")


class _RestServer(uvicorn.Server):
    """uvicorn, which leaves the signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _ImpatientProtocol(H11Protocol):
    """Closes a connection on which no request's head comes: uvicorn would wait, and such clients take every place.

    Between two requests uvicorn is impatient itself, but any byte of the next one calms it for ever.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._timer = self.loop.call_later(_HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering and self._timer:
            self._timer.cancel()
            self._timer = None
        elif not is_answering and not self._timer:
            self._timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)


def _rest_config(predictor: Predictor, options: ServerOptions) -> uvicorn.Config:
    return uvicorn.Config(
        make_app(predictor, options.max_request_mb * 2**20),
        # h11 bounds the headers, too.
        http=_ImpatientProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


async def serve_until_signal(server: Server, ready: Callable[[Server], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        server: the server.
        ready: is called once it answers.

    Raises:
        UserError: it cannot be started.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)
    async with server.running():
        ready(server)
        await stop.wait()
