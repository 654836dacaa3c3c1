"""What an exported model answers, in every format."""

from typing import Any

from keras import ops

from kerasr.runs.run import Run


def answer(run: Run, logits: Any) -> dict[str, Any]:
    """`logits`, `probs`, what the task reads of them, and `rejected` where the run takes answers back; in a graph.

    Args:
        run: where the model comes from.
        logits: its network's `(batch, outputs)`, or `(batch, time, outputs)`.
    """
    probs = run.recognition.probs(logits)
    found = {"logits": logits, "probs": probs, **run.recognition.signature(probs)}
    if run.recognition.rejects:
        # As `Run.predict`; `label_index` stays the likeliest word's, which older clients read.
        found["rejected"] = ops.max(probs, axis=-1) < run.threshold
    return found
