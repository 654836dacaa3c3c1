"""Serve exported models to clients of TensorFlow Serving: `python -m kerasr.serve`."""

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from kerasr.core.cli import command_line, import_quietly, parse, run_command
from kerasr.core.console import visible
from kerasr.core.extras import require_extra
from kerasr.errors import UserError
from kerasr.serving.options import ServerOptions

if TYPE_CHECKING:
    from kerasr.serving import Server

DESCRIPTION = """
Serve exported models with TensorFlow Serving's protocol, gRPC and REST, without Docker (extra `serve`).

  python -m kerasr.export PRESET --to serving/digits
  python -m kerasr.serve serving/                            every model in the folder, and those that come
  python -m kerasr.serve serving/digits                      one model
  python -m kerasr.serve serving/models.config               labels and version policies, too
  curl localhost:8501/v1/models/digits                       which versions there are
  curl localhost:8501/metrics                                counters for Prometheus

A new export is loaded, warmed up with its recorded requests, and takes over without a failed request. Clips of one
length are answered together. Ctrl-C or SIGTERM answers what was taken, and ends. It is for a laptop, a test and a first
deployment; docs/serving.md says what TensorFlow Serving does beyond it, and has clients.
"""


@dataclass(frozen=True)
class ServeConfig:
    """What to serve, where, and how much to take."""

    path: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SERVING")]
    """A folder of models, one model's folder (with 1/, 2/, ... in it), or a models.config."""
    options: Annotated[ServerOptions, tyro.conf.arg(name="")] = field(default_factory=ServerOptions)


def main(argv: list[str]) -> None:
    """Parse the arguments, then serve until SIGINT or SIGTERM."""
    config = parse(ServeConfig, argv, command="serve", description=DESCRIPTION, extensible=False)
    check(config)
    # TensorFlow imports Keras where it finds it, which takes seconds and memory; a SavedModel needs none.
    sys.modules["keras"] = None  # pyright: ignore[reportArgumentType]
    import_quietly(("tensorflow",))
    from kerasr.serving.server import Server, serve_until_signal

    server = Server(Path(config.path), config.options, say)
    asyncio.run(serve_until_signal(server, say_ready))


def check(config: ServeConfig) -> None:
    """Raise UserError for what no server can do."""
    require_extra("serve", "kerasr.serve")
    if not Path(config.path).exists():
        raise UserError(
            "folder-not-found",
            f"{config.path}: no such folder; `{command_line('export', 'RUN', '--to', Path(config.path) / 'NAME')}` "
            "makes one",
        )
    options = config.options
    for name in ("max_batch_size", "max_enqueued_batches", "max_request_mb", "max_held_mb", "poll_seconds"):
        if getattr(options, name) <= 0:
            raise UserError(
                "setting-out-of-range", f"--{name.replace('_', '-')} {getattr(options, name)}: give more than 0"
            )
    for name in ("grpc_port", "rest_port"):
        if not 0 <= getattr(options, name) < 2**16:
            raise UserError(
                "setting-out-of-range",
                f"--{name.replace('_', '-')} {getattr(options, name)}: ports are 0 (any free one) to 65535",
            )
    if options.batch_timeout_ms < 0:
        raise UserError("setting-out-of-range", f"--batch-timeout-ms {options.batch_timeout_ms}: give 0 or more")


def say(words: str) -> None:
    """A line about what goes on."""
    print(visible(words), file=sys.stderr, flush=True)


def say_ready(server: "Server") -> None:
    """The one line that says what is served, and where."""
    models = ", ".join(
        f"{name} ({', '.join(map(str, sorted(server.models.available(name))))})" for name in server.models.names()
    )
    address = f"gRPC {server.host}:{server.grpc_port}, REST http://{server.host}:{server.rest_port}/v1/models/"
    print(visible(f"serving {models}: {address}"), flush=True)


if __name__ == "__main__":
    run_command(main)
