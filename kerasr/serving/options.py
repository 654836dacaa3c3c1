"""What a server is told: plain data, so that `--help` need not wait for TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerOptions:
    """Where to listen, and how much to take."""

    host: str = "127.0.0.1"
    """Address to listen at. The default is this machine alone; 0.0.0.0 is whoever can reach it, and nothing is
    encrypted or asks for a password."""
    grpc_port: int = 8500
    """Port of gRPC; 0 takes any free one."""
    rest_port: int = 8501
    """Port of REST and the counters; 0 takes any free one."""
    poll_seconds: float = 1.0
    """Time between two looks for new versions, in seconds."""
    max_batch_size: int = 32
    """Most clips that run together."""
    batch_timeout_ms: float = 2.0
    """How long a request waits for others while the processor is free, in milliseconds. 0 is quickest for a lone
    client; more fills batches when many ask at once."""
    max_enqueued_batches: int = 10
    """Batches that may wait for each signature. What comes on top is refused at once (UNAVAILABLE, 503), so that those
    who wait do not wait long."""
    max_request_mb: int = 16
    """Largest request, in MiB. JSON takes 13 to 21 bytes a sample, gRPC 4, and a WAV file 2."""
    max_held_mb: int = 256
    """Most of all requests that are not answered yet, in MiB; what comes on top is refused."""
