"""Runs side by side on the test clips that they share: what each scores and costs, and whether they differ at all."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy import stats

from kerasr.core.console import isolate
from kerasr.core.progress import ProgressBar
from kerasr.data.known import KnownRecordings
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError
from kerasr.evaluation.latency import measure_latency
from kerasr.metrics.intervals import CONFIDENCE, LEAST_SPEAKERS, group_units, mean_interval
from kerasr.runs.facts import MODEL
from kerasr.runs.run import Run


def compare_runs(runs: Sequence[Run], *, seed: int = 0) -> dict[str, Any]:
    """Measure runs on the clips that are in every one's test split, and test each against the first.

    Args:
        runs: two or more, of the same words.
        seed: of the resampling.

    Returns:
        Plain JSON types:

        - `num_clips`, and `notes`: what a reader must know to judge the comparison;
        - `threads`: those that the latency was measured with; None where that is the framework's choice;
        - `runs`: a list with `name`, `path`, `model`, `score` (the headline of `kerasr.core.scores.format_score`),
          `accuracy`, `accuracy_interval`, `interval_method`, `parameters`, `macs`, `seconds_per_epoch`, `latency_ms`,
          `model_bytes`;
        - `pairs`: for each run but the first, what `paired_test` found, `name`, `against`, `p_adjusted` (by Holm's
          method where there is more than one pair; None without a test), `differs` and `sentence`.

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
        metrics = run.task.evaluate(run, shared, found, seed=seed)
        correct.append(run.task.is_correct(shared, found))
        kept = ("accuracy", "accuracy_interval", "interval_method")
        scores = {"score": run.task.headline(metrics), **{key: metrics[key] for key in kept}}
        rows.append({"name": name, "path": os.path.abspath(run.path), **scores, **_cost(run, shared[0])})
    pairs = [
        {"name": name, "against": names[0], **paired_test(correct[0], one, speakers, seed=seed)}
        for name, one in zip(names[1:], correct[1:], strict=True)
    ]
    judge(pairs)
    for pair in pairs:
        pair["sentence"] = _sentence(pair)
    return {"num_clips": len(shared), "notes": notes, "threads": _threads(), "runs": rows, "pairs": pairs}


def paired_test(
    first: np.ndarray, second: np.ndarray, speakers: Sequence[str | None], *, seed: int = 0
) -> dict[str, Any]:
    """Do two recognisers differ on the same clips?

    McNemar's exact test (1947) asks whether the clips that only one of them gets right fall to both alike; it takes
    clips for independent. Clips of one speaker are not, so where speakers are known a t test over them must say so, too
    (a clip without one stands for itself), and of fewer than `LEAST_SPEAKERS` there is no test.

    Args:
        first: `(clips,)`, whether the first got each clip right.
        second: `(clips,)`, the second's.
        speakers: who speaks in each clip; None where that is not known.
        seed: of the resampling.

    Returns:
        `difference` of the accuracies, the second's less the first's; `interval`, its 95% interval, and
        `interval_method`, as of `mean_interval`; `only_first` and `only_second`, the clips that one alone recognises;
        `num_speakers`, 0 where none is known; `p_value`, None without a test.
    """
    gain = second.astype(int) - first.astype(int)
    interval, method = mean_interval(gain, speakers, seed, lowest=-1.0)
    return {
        "difference": float(gain.mean()),
        "interval": interval,
        "interval_method": method,
        "only_first": int((gain < 0).sum()),
        "only_second": int((gain > 0).sum()),
        "num_speakers": len({*speakers} - {None}),
        "p_value": _p_value(gain, speakers),
    }


def judge(pairs: list[dict[str, Any]]) -> None:
    """Add `p_adjusted`, by the method of Holm (1979), as of many pairs some differ by chance; and `differs`.

    A pair differs where its test and its interval both exclude chance; without a test it does not.

    Args:
        pairs: each what `paired_test` returns.
    """
    tested = [pair for pair in pairs if pair["p_value"] is not None]
    highest = 0.0
    for rank, pair in enumerate(sorted(tested, key=lambda pair: pair["p_value"])):
        highest = max(highest, min(1.0, (len(tested) - rank) * pair["p_value"]))
        low, high = pair["interval"]
        pair |= {"p_adjusted": highest, "differs": highest < 1 - CONFIDENCE and not low <= 0 <= high}
    for pair in pairs:
        if pair["p_value"] is None:
            pair |= {"p_adjusted": None, "differs": False}


def _p_value(gain: np.ndarray, speakers: Sequence[str | None]) -> float | None:
    """The greater one of the test over clips and the test over speakers; None where too few of these are known."""
    won, differ = int((gain > 0).sum()), int((gain != 0).sum())
    over_clips = float(stats.binomtest(won, differ).pvalue) if differ else 1.0
    units = group_units(gain, speakers)
    if not units.num_speakers:
        return over_clips
    if units.num_speakers < LEAST_SPEAKERS:
        return None
    # (Speakers who all gain alike have no spread; the clips decide then.)
    error = units.standard_error
    over_speakers = float(2 * stats.t.sf(abs(units.mean) / error, units.degrees)) if error else 0.0
    return max(over_clips, over_speakers)


def _check(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise UserError("setting-missing", "name at least two runs to compare")
    first = runs[0]
    for run in runs[1:]:
        if {*run.labels} != {*first.labels}:
            raise UserError(
                "runs-not-comparable",
                f"{run.path} knows other words than {first.path}: {', '.join(run.labels[:10])} and "
                f"{', '.join(first.labels[:10])}; compare runs of the same words",
            )


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, or their paths where two are called the same."""
    names = [os.path.basename(os.path.abspath(run.path)) for run in runs]
    return names if len({*names}) == len(names) else [str(run.path) for run in runs]


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
        f"{verdict}: {points:+.1f} points ({interval}); {pair['only_second']:,} clips only {name} gets right, "
        f"{pair['only_first']:,} only {against}{chance}"
    )
