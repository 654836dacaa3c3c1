"""What a run costs to ask."""

from kerasr.core.timing import median_milliseconds
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.runs.run import Run

ROUNDS = 30


def measure_latency(run: Run, item: Utterance) -> float:
    """Median time from a clip's waveform (or given features) to its answer (`Run.predict`), in milliseconds."""
    waveform = read_clip(item.path, run.config.features)
    if run.config.features.is_given:
        return median_milliseconds(lambda: run.recognition.decode(run.probs([waveform])[0], run.threshold), ROUNDS)
    return median_milliseconds(lambda: run.predict(waveform), ROUNDS)
