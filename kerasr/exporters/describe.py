"""What whoever holds an exported file must know of it: its words, its front-end, its scores, its terms."""

from typing import Any

from kerasr.config import FeatureSpec, to_json
from kerasr.exporters.check import Check
from kerasr.runs.run import Run
from kerasr.streaming.client import StreamFacts

TEST_SCORES = ("wer", "wer_interval", "wer_method", "accuracy", "accuracy_interval", "interval_method", "num_clips")


def describe(run: Run, check: Check, stream: StreamFacts | None) -> dict[str, Any]:
    """The run's facts as plain JSON types, what was measured of the export, and how to call its signature `stream`."""
    corpus, metrics = run.facts["corpus"], run.metrics or {}
    return {
        "labels": list(run.labels),
        "task": run.task.name,
        "outputs": run.recognition.output_facts(),
        "threshold": run.threshold,
        "stream_threshold": run.stream_threshold,
        "features": to_json(run.config.features),
        "statistics": run.facts["statistics"],
        "tta_speeds": list(run.config.model.tta_speeds),
        "model": run.config.model.name,
        "test": {key: metrics[key] for key in TEST_SCORES if key in metrics},
        "split_rule": run.split_rule,
        "data": {key: corpus[key] for key in ("name", "source", "licence", "fingerprint")},
        "check": vars(check),
        "stream": stream.to_json() if stream else None,
        "versions": run.facts["versions"],
    }


def describe_input(kind: str, spec: FeatureSpec) -> dict[str, Any]:
    """What a file of that kind takes, and what becomes of clips of another length, for those who call it."""
    alone = kind == "litert"
    size = spec.clip_samples if alone and spec.clip_seconds else None
    facts = {"name": "waveform", "dtype": "float32", "shape": [1 if alone else None, size]}
    facts |= {"sample_rate": spec.sample_rate, "full_scale": 1.0}
    if size is not None:
        return {
            **facts,
            "shorter": f"add zeros at its end up to {size} samples: they are padding",
            "longer": f"give the {size} samples in its middle: that is what the run takes of it",
        }
    return {
        **facts,
        "shorter": "any length; zeros at the end are padding"
        + (": the input is resized to each clip (resize_tensor_input; a signature runner does it)" if alone else ""),
        "longer": "any length"
        if spec.clip_seconds is None
        else f"the {spec.clip_samples} samples in its middle are taken",
    }
