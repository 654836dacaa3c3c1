"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of one server.

    Attributes:
        requests: answered, by model, method, protocol and status. A model that is not served has no name here: clients
            could make up any number.
        seconds: that predictions took, from their parsed request to their answer.
        batch_rows: rows that ran together.
        batch_requests: requests that ran together.
        waiting: rows that wait for their turn.
        held_bytes: of requests that are not answered yet.
        loads: versions that were loaded, or could not be.
        warm_ups: recorded requests that were played.
        version: the newest version that is served.
    """

    def __init__(self):
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "kerasr_serve_requests", "Requests answered", ["model", "method", "protocol", "status"], registry=registry
        )
        self.seconds = Histogram(
            "kerasr_serve_predict_seconds",
            "Time of a prediction",
            ["model", "protocol"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_rows = Histogram(
            "kerasr_serve_batch_rows", "Rows run together", ["model"], buckets=_SIZES, registry=registry
        )
        self.batch_requests = Histogram(
            "kerasr_serve_batch_requests", "Requests run together", ["model"], buckets=_SIZES, registry=registry
        )
        self.waiting = Gauge("kerasr_serve_waiting_rows", "Rows that wait for their turn", ["model"], registry=registry)
        self.held_bytes = Gauge("kerasr_serve_held_bytes", "Bytes of requests not answered yet", registry=registry)
        self.loads = Counter("kerasr_serve_loads", "Versions loaded", ["model", "status"], registry=registry)
        self.warm_ups = Counter("kerasr_serve_warm_ups", "Recorded requests played", ["model"], registry=registry)
        self.version = Gauge("kerasr_serve_version", "Newest version that is served", ["model"], registry=registry)

    def page(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self._registry)
