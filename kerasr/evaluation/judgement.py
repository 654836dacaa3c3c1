"""What is wrong with a run, said of every run in one place: the report, the terminal and metrics.json repeat it.

A judgement is no score. It says that a score is none to rely on, or that the model is no good, and what to change.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasr import audio
from kerasr.core.scores import ACCURACY, Monitor
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError
from kerasr.metrics.intervals import LEAST_SPEAKERS, binomial_interval
from kerasr.metrics.judgement import Judgement
from kerasr.runs.run import Run

# A validation has fallen for good where so many epochs stay so many standard errors below the best.
TREND_EPOCHS, STANDARD_ERRORS = 5, 3
# Training clips that are mostly so much longer or shorter than what the model looks at are cut, or mostly padding.
LONGER, SHORTER = 1.5, 0.25
# So many recordings, from everywhere among them, have their rate and length looked up.
NUM_LOOKED_UP = 20
# So many words fewer are found in a stream than in clips, and something about the clips is not as in the stream.
STREAM_LOSS = 0.15


def judge_run(run: Run, utterances: Sequence[Utterance], metrics: Mapping[str, Any]) -> list[Judgement]:
    """What is wrong with a run, of its scores on some recordings, its history and its clips; the worst first."""
    stream = run.facts.get("stream") or {}
    judges = (
        run.task.judge(metrics),
        judge_validation(run.history, run.config.fit.keep, len(run.utterances("validation")), run.task.monitor),
        judge_test(metrics),
        _judge_clips(run, utterances),
        # What `kerasr.evaluate stream` has found.
        [Judgement(item["code"], item["text"]) for item in stream.get("judgements", ())],
    )
    return [judgement for found in judges for judgement in found]


def judge_validation(
    history: Sequence[Mapping[str, float]],
    keep: str,
    num_clips: int,
    monitor: Monitor = ACCURACY,
) -> list[Judgement]:
    """Did the validation fall at the end, while the last weights are kept?

    It did where all of the last `TREND_EPOCHS` epochs are worse than the best one by more than `STANDARD_ERRORS` of its
    share of clips that are right; a score of which low is good is not judged.

    Args:
        history: a row an epoch.
        keep: which weights the run keeps.
        num_clips: of the validation.
        monitor: the history's column, and whether high or low is good.
    """
    accuracy = np.array([row.get(monitor.column, np.nan) for row in history])
    if (
        monitor.direction == "min"
        or keep != "last"
        or len(accuracy) <= TREND_EPOCHS
        or not num_clips
        or not np.isfinite(accuracy).all()
    ):
        return []
    best, last = int(accuracy.argmax()), accuracy[-TREND_EPOCHS:].max()
    error = np.sqrt(max(accuracy[best] * (1 - accuracy[best]), 1 / num_clips) / num_clips)
    if accuracy[best] - last <= STANDARD_ERRORS * error:
        return []
    return [
        Judgement(
            "falling_validation",
            f"The validation fell from {accuracy[best]:.1%} (epoch {best + 1}) to {last:.1%} at most in the last "
            f"{TREND_EPOCHS} epochs, and the last weights are kept: train with --keep best, or for fewer --epochs.",
        )
    ]


def judge_test(metrics: Mapping[str, Any], *, is_run: bool = True) -> list[Judgement]:
    """Is the test large enough to tell?

    Args:
        metrics: the scores.
        is_run: whether a training, which can be repeated, has made the model.
    """
    found = []
    if 0 < (number := len(metrics["speakers"])) < LEAST_SPEAKERS:
        found.append(
            Judgement(
                "few_test_speakers",
                f"The test has {number} speaker{'s' * (number > 1)}: others may score much better or worse. Record "
                f"more people{', or leave each out in turn (--leave-out NAME)' if is_run else ''}.",
            )
        )
    return found


def judge_stream(result: Mapping[str, Any], clips_right: float) -> list[Judgement]:
    """Are far fewer words found in a stream than clips promise, and more than by the luck of a few words?

    Args:
        result: of `kerasr.evaluation.stream.evaluate_stream`.
        clips_right: share of single clips of words that are right.
    """
    quietest = max(result["test"], key=lambda row: row["snr_db"])
    found, words = 1 - quietest["miss_rate"], quietest["num_words"]
    if found >= clips_right - STREAM_LOSS or binomial_interval(round(found * words), words)[1] >= clips_right:
        return []
    return [
        Judgement(
            "stream_misses",
            f"In a stream {found:.1%} of the words are found at {quietest['snr_db']:g} dB, and {clips_right:.1%} of "
            "single clips: what surrounds a word was not in the training. Train with --augment.silence 0.3 "
            "--augment.noise 0.8, or allow more --false-alarms-per-hour.",
        )
    ]


def _judge_clips(run: Run, utterances: Sequence[Utterance]) -> list[Judgement]:
    """Do the clips suit what the model looks at?"""
    spread = utterances[:: max(1, len(utterances) // NUM_LOOKED_UP)]
    facts = [one for item in spread if (one := _facts(item.path))]
    length, found = run.config.features.clip_seconds, []
    if length is not None:
        training = [item.duration for item in run.utterances("train") if item.duration]
        found = _judge_training_lengths(training, length) or _judge_lengths([one.duration for one in facts], length)
    return found + _judge_rates([one.sample_rate for one in facts], run.config.features.sample_rate)


def _judge_training_lengths(seconds: Sequence[float], length: float) -> list[Judgement]:
    half = float(np.median(seconds or length))
    for code, unfit, why in (
        ("long_clips", half > LONGER * length, f"are longer than {half:.2g} s: only their middle is taken"),
        ("short_clips", half < SHORTER * length, f"are shorter than {half:.2g} s: the model is given mostly padding"),
    ):
        if unfit:
            text = f"The model looks at {length:g} s, and half of the training clips {why}."
            return [Judgement(code, f"{text} Set --features.clip-seconds.")]
    return []


def _judge_lengths(seconds: Sequence[float], length: float) -> list[Judgement]:
    """Of the recordings that it is measured on, where those of the training fit."""
    half = float(np.median(seconds or length))
    if half <= LONGER * length:
        return []
    text = f"Half of the recordings are longer than {half:.2g} s, and the model looks at the middle {length:g} s"
    return [Judgement("long_recordings", f"{text}: cut them around the word, or run kerasr.listen on them --file.")]


def _judge_rates(rates: Sequence[int], sample_rate: int) -> list[Judgement]:
    rate = sorted(rates)[len(rates) // 2] if rates else sample_rate
    if rate >= sample_rate:
        return []
    return [
        Judgement(
            "lower_sample_rate",
            f"The recordings have {rate:,} Hz and the model {sample_rate:,}: the upper bands are empty. Train with "
            f"--features.sample-rate {rate}.",
        )
    ]


def _facts(path: str) -> audio.AudioFacts | None:
    """What a recording's header says; None where it cannot be read."""
    try:
        return audio.facts(path)
    except UserError:
        return None
