"""How high each token of a text sounds in its recording, in a corpus whose tunes a voice is to learn."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kerasr.config import FeatureSpec
from kerasr.core.progress import ProgressBar
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Corpus, Utterance, report_bad
from kerasr.metrics.pitch import pitch
from kerasr.tasks.token_durations import is_own, parse_durations

# The manifest's column with the mean pitch of each token of an utterance in Hz, 0 where it has none.
PITCHES = "pitches"
# Steps in a deviation: a target is a whole number.
STEPS = 1000
# A voice whose log pitch deviates less than this speaks in a monotone: what is left of it is not to be blown up.
LEAST_DEVIATION = 0.01


def add_pitches(corpus: Corpus, spec: FeatureSpec, max_bad: int) -> Corpus:
    """The corpus, each recording with the pitches of its tokens, whose durations it has.

    Recordings that bring them, in a manifest's column `pitches`, keep them.

    Raises:
        UserError: more recordings than `max_bad` bring pitches that are not theirs.
    """
    bad = list(corpus.bad)
    items, found = [item for item in corpus.utterances if is_own(item, PITCHES, _check_pitches, bad)], []
    if len(bad) > len(corpus.bad):
        report_bad(corpus, bad, max_bad, listed=len(corpus.bad))
    with ProgressBar("Finding how high each sound is", len(items)) as progress:
        for item in items:
            found.append(item if PITCHES in item.extra else _with_pitches(item, spec))
            progress.advance(1)
    return replace(corpus, utterances=tuple(found), bad=tuple(bad))


def _check_pitches(item: Utterance) -> None:
    """Raise where the pitches that a recording brings are not those of its tokens."""
    hertz, num_tokens = _hertz(item), len(parse_durations(item))
    if len(hertz) != num_tokens:
        raise ValueError(f"of {len(hertz)} tokens, and its text has {num_tokens}")
    if not (np.isfinite(hertz).all() and (hertz >= 0).all()):
        raise ValueError(f"{item.extra[PITCHES]!r} are no frequencies in Hz")


def _with_pitches(item: Utterance, spec: FeatureSpec) -> Utterance:
    frames = np.array(parse_durations(item))
    means = mean_pitches(pitch(read_clip(item.path, spec), spec), frames)
    return replace(item, extra={**item.extra, PITCHES: " ".join(f"{mean:.1f}" for mean in means)})


def mean_pitches(pitches: np.ndarray, durations: np.ndarray) -> np.ndarray:
    """`(tokens,)` geometric means in Hz over the frames of each token that have a pitch; 0 where none has.

    Args:
        pitches: `(time,)` of the frames in Hz, NaN where there is none.
        durations: int `(tokens,)`, in frames.
    """
    token = np.repeat(np.arange(len(durations)), durations)[: len(pitches)]
    logs = np.log(pitches[: len(token)])
    voiced = np.isfinite(logs)
    sums, counts = (np.bincount(token[voiced], weights, len(durations)) for weights in (logs[voiced], None))
    return np.where(counts > 0, np.exp(sums / np.maximum(counts, 1)), 0.0)


def measure_pitches(utterances: Sequence[Utterance], voices: Sequence[str]) -> list[tuple[float, float]]:
    """Mean and deviation of the tokens' log pitch, of each voice in the training; 0 and 1 where it has no pitch."""
    found = []
    for voice in voices:
        own = [item for item in utterances if item.split == "train" and (item.speaker or "") == voice]
        hertz = np.array([each for item in own for each in _hertz(item)])
        logs = np.log(hertz[hertz > 0])
        found.append((float(logs.mean()), max(float(logs.std()), LEAST_DEVIATION)) if len(logs) else (0.0, 1.0))
    return found


def standard_pitches(item: Utterance, mean: float, deviation: float) -> np.ndarray:
    """`(tokens,)` how far each token's log pitch is from its voice's mean, in deviations; 0 where it has no pitch."""
    hertz = _hertz(item)
    return np.where(hertz > 0, (np.log(np.maximum(hertz, 1.0)) - mean) / deviation, 0.0)


def _hertz(item: Utterance) -> np.ndarray:
    return np.array([float(each) for each in item.extra[PITCHES].split()])
