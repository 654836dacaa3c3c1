"""How much longer a voice's speech is to be than its durations say, fitted on a run's validation clips."""

import numpy as np
from keras import ops

from kerasr.data.spoken_text import spoken_text
from kerasr.runs.run import Run
from kerasr.tasks.synthesize import Synthesize
from kerasr.tasks.token_durations import parse_durations


def fit_length_factor(run: Run) -> float | None:
    """Let a voice speak as long as its recordings do, and what goes into its run's facts of it.

    What predicts logarithms of durations says less than their mean: the mean of logarithms is below the logarithm of
    the mean.

    Returns:
        The frames of the validation's recordings over those that are predicted of their texts; None for other tasks.
    """
    task = run.task
    if not isinstance(task, Synthesize):
        return None
    encoder, found, wanted = run.network.get_layer("encoder"), 0.0, 0
    for item in run.utterances("validation"):
        token_ids, voice = np.array([task.vocabulary.encode(spoken_text(item))]), task.voices.index(item.speaker or "")
        _, log_durations = encoder([token_ids, np.array([voice])])
        found += float(np.exp(ops.convert_to_numpy(log_durations)).sum())
        wanted += sum(parse_durations(item))
    task.length_factor = round(wanted / found, 4)
    return task.length_factor
