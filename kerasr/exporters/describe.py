"""What whoever holds an exported file must know of it: its words, its front-end, its scores, its terms."""

from typing import Any

from kerasr.config import to_json
from kerasr.exporters.check import Check
from kerasr.rejection import least_probability, stream_threshold
from kerasr.run_directory import Run


def describe(run: Run, check: Check) -> dict[str, Any]:
    """The run's facts as plain JSON types, and what was measured of the export."""
    corpus, metrics = run.facts["corpus"], run.metrics or {}
    return {
        "labels": list(run.labels),
        "task": run.task.name,
        "threshold": least_probability(run),
        "stream_threshold": stream_threshold(run),
        "features": to_json(run.config.features),
        "statistics": run.facts["statistics"],
        "hear_at": list(run.config.hear_at),
        "model": run.config.model,
        "test": {key: metrics[key] for key in ("accuracy", "accuracy_interval", "num_clips") if key in metrics},
        "split_rule": run.split_rule,
        "data": {key: corpus[key] for key in ("name", "source", "licence", "fingerprint")},
        "check": vars(check),
        "versions": run.facts["versions"],
    }
