"""Runs side by side on the test clips that they share: what each scores and costs, and whether they differ at all."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasr.core.console import isolate
from kerasr.core.progress import ProgressBar
from kerasr.data.known import KnownRecordings
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError
from kerasr.evaluation.latency import measure_latency
from kerasr.metrics.intervals import LEAST_SPEAKERS
from kerasr.metrics.paired import judge_pairs, paired_test
from kerasr.report.clips import Clip, make_clip
from kerasr.runs.facts import MODEL
from kerasr.runs.run import Run

# Of the clips that runs answer differently, as many are listed.
MAX_DISAGREEMENTS = 24


def compare_runs(runs: Sequence[Run], *, seed: int = 0) -> dict[str, Any]:
    """Measure runs on the clips that are in every one's test split, and test all pairs of them.

    Args:
        runs: two or more, of the same words, or all of transcripts.
        seed: of the resampling.

    Returns:
        Plain JSON types:

        - `num_clips`, and `notes`: what a reader must know to judge the comparison;
        - `threads`: those that the latency was measured with; None where that is the framework's choice;
        - `runs`: a list with `name`, `path`, `model`, `score` (the headline of `kerasr.core.scores.format_score`),
          `accuracy`, `accuracy_interval`, `interval_method`, `parameters`, `macs`, `seconds_per_epoch`, `latency_ms`,
          `model_bytes`;
        - `pairs`: for each two runs, what `paired_test` found of the later one against the earlier, `name`, `against`,
          `p_adjusted` (by Holm's method over all pairs; None without a test), `differs` and `sentence`;
        - `speakers`: a list with `speaker`, `num_clips` and `accuracies`, one a run, those first of whom the runs
          differ most; empty where no speaker is known;
        - `num_disagreements`, the clips of which not all runs say the same, and `disagreements`: those of which two
          runs are surest, `MAX_DISAGREEMENTS` at most, each with `path`, `word`, `speaker` and `answers`, one a run:
          `predicted`, `probability`, `correct`.

    Raises:
        UserError: they know different words, share no test clip, or a clip cannot be read.
    """
    _check(runs)
    names = _names(runs)
    shared, notes = _shared(runs, names)
    speakers = [item.speaker for item in shared]
    with ProgressBar("Predicting", len(shared) * len(runs)) as progress:
        probs = [run.predict_files([item.path for item in shared], progress) for run in runs]
    rows, correct = [], []
    for run, name, found in zip(runs, names, probs, strict=True):
        metrics = run.recognition.evaluate(run, shared, found, seed=seed)
        correct.append(run.recognition.is_correct(shared, found))
        kept = ("accuracy", "accuracy_interval", "interval_method")
        scores = {"score": run.task.headline(metrics), **{key: metrics[key] for key in kept}}
        rows.append({"name": name, "path": os.path.abspath(run.path), **scores, **_cost(run, shared[0])})
    pairs = [
        {"name": names[other], "against": names[one], **paired_test(correct[one], correct[other], speakers, seed=seed)}
        for one, other in combinations(range(len(runs)), 2)
    ]
    judge_pairs(pairs)
    for pair in pairs:
        pair["sentence"] = _sentence(pair)
    disagreements = _disagreements(runs, shared, probs, correct)
    return {
        "num_clips": len(shared),
        "notes": notes,
        "threads": _threads(),
        "runs": rows,
        "pairs": pairs,
        "speakers": _speakers(speakers, correct),
        "num_disagreements": len(disagreements),
        "disagreements": disagreements[:MAX_DISAGREEMENTS],
    }


def disagreement_clips(run: Run, comparison: Mapping[str, Any]) -> Iterator[Clip]:
    """The clips of a comparison's `disagreements` as a page shows them, in order.

    Args:
        run: the first of those that were compared: what it is given is shown and played.
        comparison: what `compare_runs` has returned.

    Raises:
        UserError: a recording cannot be read.
    """
    for item in comparison["disagreements"]:
        yield make_clip(run, Utterance(item["path"], speaker=item["speaker"]), word=item["word"], **item["answers"][0])


def _disagreements(
    runs: Sequence[Run], shared: Sequence[Utterance], probs: Sequence[np.ndarray], correct: Sequence[np.ndarray]
) -> list[dict[str, Any]]:
    """The clips of which not all runs say the same, those of which two runs are surest first."""
    found = []
    for index, item in enumerate(shared):
        shown = [run.recognition.shown(own[index]) for run, own in zip(runs, probs, strict=True)]
        # How sure the less sure one of two is that say different things.
        doubts = [min(one[1], other[1]) for one, other in combinations(shown, 2) if one[0] != other[0]]
        if doubts:
            answers = [
                {"predicted": predicted, "probability": probability, "correct": bool(right[index])}
                for (predicted, probability), right in zip(shown, correct, strict=True)
            ]
            word = runs[0].recognition.said(item)
            row = {"path": item.path, "word": word, "speaker": item.speaker, "answers": answers}
            found.append((max(doubts), row))
    return [row for _, row in sorted(found, key=lambda one: -one[0])]


def _speakers(speakers: Sequence[str | None], correct: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Each speaker's clips and what every run gets right of them, where the runs differ most first."""
    named = np.array(speakers, dtype=object)
    rows = []
    for speaker in sorted({*speakers} - {None}, key=str):
        own = named == speaker
        accuracies = [float(right[own].mean()) for right in correct]
        rows.append({"speaker": speaker, "num_clips": int(own.sum()), "accuracies": accuracies})
    return sorted(rows, key=lambda row: min(row["accuracies"]) - max(row["accuracies"]))


def _check(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise UserError("setting-missing", "name at least two runs to compare")
    first = runs[0]
    for run in runs[1:]:
        # Transcripts are of any words, whatever tokens they are written in.
        if first.recognition.has_words and run.recognition.has_words:
            continue
        if {*run.labels} != {*first.labels}:
            raise UserError(
                "runs-not-comparable",
                f"{run.path} knows other words than {first.path}: {', '.join(run.labels[:10])} and "
                f"{', '.join(first.labels[:10])}; compare runs of the same words",
            )


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, or the paths of those that are called the same."""
    names = [os.path.basename(os.path.abspath(run.path)) for run in runs]
    return [str(run.path) if names.count(name) > 1 else name for run, name in zip(runs, names, strict=True)]


def _shared(runs: Sequence[Run], names: Sequence[str]) -> tuple[list[Utterance], list[str]]:
    """The clips in every run's test split, and what to say where that is not all of each."""
    tests = [run.utterances("test") for run in runs]
    known = [KnownRecordings(test) for test in tests[1:]]
    shared = [item for item in tests[0] if all(item in others for others in known)]
    if not shared:
        sizes = _counts(names, list(map(len, tests)))
        raise UserError(
            "runs-not-comparable",
            f"these runs share no test clip ({sizes}): train them on the same split to compare them",
        )
    notes = []
    if any(len(test) > len(shared) for test in tests):
        own = ", ".join(f"{len(test):,} of {isolate(name)}" for name, test in zip(names, tests, strict=True))
        notes.append(f"The test splits differ ({own}): compared on the {len(shared):,} clips that are in all of them.")
    speakers = {item.speaker for item in shared} - {None}
    if 0 < len(speakers) < LEAST_SPEAKERS:
        who = "One speaker is" if len(speakers) == 1 else f"{len(speakers)} speakers are"
        notes.append(f"{who} too few to tell recognisers apart: others may turn the order round.")
    num_known = [len(speakers & run.known_speakers) for run in runs]
    if len({*num_known}) > 1:
        notes.append(
            f"Not the same was learnt from: of the {len(speakers)} speakers in the test, {_counts(names, num_known)}."
        )
    repeated = [sum(item in run.known for item in shared) for run in runs]
    if any(repeated):
        notes.append(
            f"Of these {len(shared):,} clips, so many were in a run's training or validation, or in that of a run that "
            f"it comes from: {_counts(names, repeated)}. That is no score on new recordings."
        )
    return [_at_hand(item, tests) for item in shared], notes


def _counts(names: Sequence[str], numbers: Sequence[int]) -> str:
    return ", ".join(f"{isolate(name)} {number:,}" for name, number in zip(names, numbers, strict=True))


def _at_hand(item: Utterance, tests: Sequence[Sequence[Utterance]]) -> Utterance:
    """The clip where it lies today: its folder may have moved between two trainings, and one of the runs knows it."""
    if os.path.exists(item.path) or item.content_hash is None:
        return item
    others = (other.path for test in tests for other in test if other.content_hash == item.content_hash)
    return replace(item, path=next(filter(os.path.exists, others), item.path))


def _cost(run: Run, item: Utterance) -> dict[str, Any]:
    facts = run.facts
    epochs, seconds = facts.get("epochs_run"), facts.get("train_seconds")
    return {
        "model": run.config.model.name,
        "parameters": run.network.count_params(),
        "macs": facts.get("macs"),
        "seconds_per_epoch": seconds / epochs if epochs and seconds else None,
        "latency_ms": measure_latency(run, item),
        "model_bytes": (Path(run.path) / MODEL).stat().st_size,
    }


def _threads() -> int | None:
    """Threads of one operation; None where TensorFlow or another backend chooses."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or None


def _sentence(pair: dict[str, Any]) -> str:
    """What the pair comes to."""
    name, against, points = isolate(pair["name"]), isolate(pair["against"]), 100 * pair["difference"]
    if pair["differs"]:
        verdict = f"{name} is {'better' if points > 0 else 'worse'} than {against}"
    elif pair["p_adjusted"] is None:
        verdict = f"too few speakers to tell whether {name} and {against} differ"
    else:
        verdict = f"{name} and {against} are not shown to differ"
    interval = f"no interval: {pair['interval_method']}"
    if pair["interval"]:
        low, high = (100 * end for end in pair["interval"])
        interval = f"95% interval {low:+.1f} to {high:+.1f}, {pair['interval_method']}"
    chance = "" if pair["p_adjusted"] is None else f", p = {pair['p_adjusted']:.2g}"
    return (
        f"{verdict}: {points:+.1f} points ({interval}); {pair['only_second']:,} clip{'s' * (pair['only_second'] != 1)} "
        f"only {name} gets right, {pair['only_first']:,} only {against}{chance}"
    )
