"""What a detector takes for its word although nobody says it: counted on long recordings, and trained against.

Long recordings without the word (`TrainConfig.negatives`) are looked at in segments of a clip's length, each half a
clip after the last. The first four fifths of each recording train and the last fifth is measured, so that no second is
in both. Hard negatives are the clips and segments of the training part that an earlier run takes for the word: the
manifest marks them in its column `kerasr_hard`, with that run's probability, and the training draws them several times
as often as others.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np

from kerasr import audio
from kerasr.config import FeatureSpec, TrainConfig
from kerasr.core import atomic
from kerasr.core.progress import map_threaded
from kerasr.data.corpora import cache_folder, made_folder, mark_used
from kerasr.data.corpora.folder import walk_recordings
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError
from kerasr.metrics.detection import THRESHOLD, THRESHOLDS
from kerasr.metrics.intervals import rate_interval
from kerasr.tasks.trained import Trained

# Label of a segment, and the manifest's column that tells how sure an earlier run was of its mistake.
NEGATIVE, HARD = "_negative_", "kerasr_hard"

# Times that a hard negative is drawn for each time that another clip is.
HARD_REPEATS = 4
TRAINED_SHARE = 0.8

_BATCH = 256
# Part of the cache's key: count it up when the same recordings would give other segments.
_VERSION = 1


@dataclass(frozen=True)
class Segment:
    """A part of a long recording, as long as a clip, from `start` seconds on."""

    path: str
    start: float


def check_negatives(config: TrainConfig) -> None:
    """Raise where the settings ask a word model, or one of clips of any length, for what only a detector has."""
    if config.task.negatives is None and config.task.hard_negatives is None:
        return
    flag = "--negatives" if config.task.negatives is not None else "--hard-negatives"
    if config.task.wanted is None:
        raise UserError("setting-missing", f"{flag} is for a detector: name its word with --wanted")
    if config.features.clip_seconds is None:
        raise UserError("clip-length-missing", f"{flag} needs clips of one length: give --features.clip-seconds")


def add_negatives(
    config: TrainConfig, corpus: Corpus, open_run: Callable[[str], Trained]
) -> tuple[Corpus, tuple[Utterance, ...], dict[str, Any]]:
    """The training's hard negatives marked, and what long recordings add to it.

    Args:
        config: its `negatives`, `hard_negatives` and `wanted` are read.
        corpus: with every split decided.
        open_run: the run in a folder.

    Returns:
        The corpus; training clips cut out of long recordings; and what goes into the run's facts, empty where the
        settings ask for nothing.

    Raises:
        UserError: there is no such run or folder, the run does not know the word, or a recording cannot be read.
    """
    check_negatives(config)
    if config.task.negatives is None and config.task.hard_negatives is None:
        return corpus, (), {}
    others = [item for item in corpus.utterances if item.split == "train" and item.label != config.task.wanted]
    segments = list_segments(config.task.negatives, config.features, trained=True) if config.task.negatives else []
    # As many easy ones as there are other counter-examples, from everywhere in the recordings.
    step = max(1, math.ceil(len(segments) / max(len(others), 1)))
    chosen: dict[Segment, float | None] = dict.fromkeys(segments[::step])
    hard: dict[str, float] = {}
    if config.task.hard_negatives is not None:
        run = open_run(config.task.hard_negatives)
        column = _column(run, str(config.task.wanted))
        scores = run.predict_files([item.path for item in others])[:, column]
        hard = {item.path: float(score) for item, score in zip(others, scores, strict=True) if score >= THRESHOLD}
        candidates = [*segments, *_segments(corpus.noise, config.features, 0.0, 1.0)]
        found = zip(candidates, score_segments(run, candidates, column), strict=True)
        chosen |= {segment: float(score) for segment, score in found if score >= THRESHOLD}
    cut = _cut(chosen, config.features)
    facts = {
        "clips_hard": len(hard),
        "segments": len(cut),
        "segments_hard": sum(HARD in item.extra for item in cut),
        "hard_found_by": config.task.hard_negatives,
        "hard_repeats": HARD_REPEATS,
    }
    marked = (
        replace(item, extra={**item.extra, HARD: f"{hard[item.path]:.4f}"}) if item.path in hard else item
        for item in corpus.utterances
    )
    return replace(corpus, utterances=tuple(marked)), cut, facts


def repeat_hard(utterances: Iterable[Utterance]) -> list[Utterance]:
    """The training clips, hard negatives `HARD_REPEATS` times each."""
    return [item for item in utterances for _ in range(HARD_REPEATS if HARD in item.extra else 1)]


def measure_false_alarms(run: Trained) -> dict[str, Any]:
    """False alarms of a detector on the part of its long negatives that no training has met.

    Returns:
        What `alarm_rate` says at the threshold 0.5, and `by_threshold`: a list with `threshold` and what it says there.

    Raises:
        UserError: the folder is gone or has no recording, or one cannot be read.
    """
    spec = run.config.features
    segments = list_segments(str(run.config.task.negatives), spec, trained=False)
    scores = score_segments(run, segments, _column(run, str(run.config.task.wanted)))
    per_recording = Counter(segment.path for segment in segments)
    # Segments overlap by half: together they cover half a clip more than half their length.
    seconds = sum((count + 1) / 2 * float(spec.clip_seconds or 0) for count in per_recording.values())
    hours = seconds / 3600
    alarms = {value: count_alarms(segments, scores, value, spec) for value in (THRESHOLD, *THRESHOLDS)}
    return {
        **alarm_rate(alarms[THRESHOLD], hours),
        "by_threshold": [{"threshold": value, **alarm_rate(alarms[value], hours)} for value in THRESHOLDS],
    }


def alarm_rate(count: int, hours: float) -> dict[str, Any]:
    """`hours`, `false_alarms` in them, `false_alarms_per_hour`, and `false_alarms_per_hour_interval`, the 95% of it.

    The interval is exact for alarms that tell nothing of each other; those of one voice may come together.
    """
    return {
        "hours": hours,
        "false_alarms": count,
        "false_alarms_per_hour": count / hours,
        "false_alarms_per_hour_interval": rate_interval(count, hours),
    }


def list_segments(folder: str, spec: FeatureSpec, *, trained: bool | None = None) -> list[Segment]:
    """Segments of every recording in a folder: of the part that trains, of the part that is measured, or of all of it.

    Raises:
        UserError: there is no such folder, it has no recording, or none is long enough.
    """
    paths = list(walk_recordings(os.path.abspath(folder)))
    if not paths:
        raise UserError("no-recordings", f"{folder}: holds no recording ({', '.join(audio.SUFFIXES)})")
    name, first, last = {
        True: ("its first four fifths", 0.0, TRAINED_SHARE),
        False: ("its last fifth", TRAINED_SHARE, 1.0),
        None: ("it", 0.0, 1.0),
    }[trained]
    segments = _segments(paths, spec, first, last)
    if not segments:
        raise UserError(
            "recordings-unusable",
            f"{folder}: no recording is long enough; {name} must hold a clip of {spec.clip_seconds:g} s",
        )
    return segments


def score_segments(run: Trained, segments: Sequence[Segment], column: int = -1) -> np.ndarray:
    """`(segments,)` probability that a run gives to one of its labels, by default to a detector's word.

    Raises:
        UserError: a recording cannot be read.
    """
    spec = run.config.features
    clips = map_threaded(lambda segment: _read(segment, spec), segments, "Counting false alarms")
    scores = [np.zeros(0)]
    while batch := list(islice(clips, _BATCH)):
        scores.append(run.probs(batch)[:, column])
    return np.concatenate(scores)


def count_alarms(segments: Sequence[Segment], scores: np.ndarray, threshold: float, spec: FeatureSpec) -> int:
    """Alarms that somebody would notice: segments above the threshold, one after the other, are one."""
    raised = [segment for segment, score in zip(segments, scores, strict=True) if score >= threshold]
    # Neighbours lie half a clip apart, the next but one a whole clip.
    gap = 0.75 * float(spec.clip_seconds or 0)
    joined = sum(one.path == next_.path and next_.start - one.start < gap for one, next_ in pairwise(raised))
    return len(raised) - joined


def _column(run: Trained, wanted: str) -> int:
    """Which of the run's probabilities is the word's."""
    if wanted not in run.labels:
        raise UserError("word-not-found", f"{run.path}: does not know {wanted!r}; it knows {', '.join(run.labels)}")
    return run.labels.index(wanted)


def _segments(paths: Iterable[str], spec: FeatureSpec, first: float, last: float) -> list[Segment]:
    """Segments that lie between two shares of each recording's length."""
    seconds = float(spec.clip_seconds or 0)
    found = []
    for path in paths:
        duration = audio.facts(path).duration
        begin, end = first * duration, last * duration
        count = math.floor((end - begin - seconds) / (seconds / 2)) + 1
        found += [Segment(path, begin + number * seconds / 2) for number in range(max(count, 0))]
    return found


def _read(segment: Segment, spec: FeatureSpec) -> np.ndarray:
    """Its waveform `(samples,)` at the spec's rate."""
    waveform, _ = audio.read(segment.path, spec.sample_rate, spec.clip_seconds, start_seconds=segment.start)
    return waveform[: spec.clip_samples]


def _cut(chosen: dict[Segment, float | None], spec: FeatureSpec) -> tuple[Utterance, ...]:
    """Segments as training clips in the cache, where they stay; those with a score are hard."""
    if not chosen:
        return ()
    rows = [(os.path.abspath(segment.path), os.path.getsize(segment.path), segment.start) for segment in chosen]
    folder = made_folder(cache_folder(), "negatives", [_VERSION, spec.sample_rate, spec.clip_seconds, rows])
    names = [f"{number:06d}.wav" for number in range(len(chosen))]
    if not os.path.isdir(folder):
        with atomic.new_folder(folder) as beside:
            clips = map_threaded(lambda segment: _read(segment, spec), list(chosen), "Cutting negatives")
            for name, clip in zip(names, clips, strict=True):
                audio.write(os.path.join(beside, name), clip, spec.sample_rate)
    mark_used([folder])
    return tuple(
        Utterance(
            os.path.join(folder, name),
            label=NEGATIVE,
            split="train",
            duration=spec.clip_seconds,
            extra={} if score is None else {HARD: f"{score:.4f}"},
        )
        for name, score in zip(names, chosen.values(), strict=True)
    )
