"""The probability below which a run's answer is none of its words, chosen on its validation clips."""

from typing import Any

from kerasr.metrics.rejection import choose_threshold
from kerasr.runs.run import Run
from kerasr.tasks import Recognition


def choose_rejection(run: Run) -> dict[str, Any] | None:
    """What goes into the run's facts: the threshold, chosen on its validation clips, and how.

    Returns:
        `threshold`, `keep` and `num_clips`; None for a task whose answer may be no already.

    Raises:
        UserError: a validation clip cannot be read any more, or the run has no model.
    """
    task = run.task
    if not isinstance(task, Recognition) or not task.rejects:
        return None
    utterances = run.utterances("validation")
    probs = run.predict_files([item.path for item in utterances])
    return choose_threshold(probs, task.truth(utterances))
