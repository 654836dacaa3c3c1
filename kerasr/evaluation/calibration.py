"""The calibration of the confidences of a transcript's words, fitted on a run's validation clips."""

from dataclasses import asdict
from typing import Any

from kerasr.runs.run import Run
from kerasr.tasks import Recognition


def calibrate(run: Run) -> dict[str, Any] | None:
    """Let a run give calibrated confidences, and what goes into its facts of it.

    Returns:
        The parameters of a `kerasr.metrics.calibration.PlattScaling`; None for a task without words that have a time,
        and where the run finds no word.

    Raises:
        UserError: a validation clip cannot be read any more, or the run has no model.
    """
    task = run.task
    if not isinstance(task, Recognition) or not task.has_words:
        return None
    utterances = run.utterances("validation")
    probs = run.predict_files([item.path for item in utterances])
    task.calibration = task.fit_calibration(utterances, probs)
    return task.calibration and asdict(task.calibration)
