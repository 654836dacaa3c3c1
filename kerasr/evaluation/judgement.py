"""What is wrong with a run, said of every run in one place: the report, the terminal and metrics.json repeat it.

A judgement is no score. It says that a score is none to rely on, or that the model is no good, and what to change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasr import audio
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError
from kerasr.evaluation.intervals import LEAST_SPEAKERS, binomial_interval
from kerasr.runs.run import Run

# A validation has fallen for good where so many epochs stay so many standard errors below the best.
TREND_EPOCHS, STANDARD_ERRORS = 5, 3
# Of fewer clips a detector's misses of its word, or its false alarms at others, are a matter of luck.
LEAST_CLIPS = 10
# Training clips that are mostly so much longer or shorter than what the model looks at are cut, or mostly padding.
LONGER, SHORTER = 1.5, 0.25
# So few clips tell next to nothing, however many are right.
FEW_CLIPS, RECORD_MORE = 30, "Record more to test on."
# So many recordings, from everywhere among them, have their rate and length looked up.
NUM_LOOKED_UP = 20
# So many words fewer are found in a stream than in clips, and something about the clips is not as in the stream.
STREAM_LOSS = 0.15


@dataclass(frozen=True)
class Judgement:
    """One thing that is wrong.

    Attributes:
        code: its stable name, for programs.
        text: what is wrong, and what to change.
    """

    code: str
    text: str


def judge_run(run: Run, utterances: Sequence[Utterance], metrics: Mapping[str, Any]) -> list[Judgement]:
    """What is wrong with a run, of its scores on some recordings, its history and its clips; the worst first."""
    stream = run.facts.get("stream") or {}
    judges = (
        judge_scores(metrics),
        judge_validation(run.history, run.config.fit.keep, len(run.utterances("validation"))),
        judge_test(metrics),
        _judge_clips(run, utterances),
        # What `kerasr.evaluate stream` has found.
        [Judgement(item["code"], item["text"]) for item in stream.get("judgements", ())],
    )
    return [judgement for found in judges for judgement in found]


def judge_scores(metrics: Mapping[str, Any]) -> list[Judgement]:
    """Is it better than an answer that does not listen? Of the metrics that `compute_metrics` returns."""
    return _judge_detector(metrics) if "detector" in metrics else _judge_words(metrics)


def judge_validation(history: Sequence[Mapping[str, float]], keep: str, num_clips: int) -> list[Judgement]:
    """Did the validation fall at the end, while the last weights are kept?

    It did where all of the last `TREND_EPOCHS` epochs are worse than the best one by more than `STANDARD_ERRORS` of its
    accuracy.

    Args:
        history: a row an epoch, with `val_accuracy`.
        keep: which weights the run keeps.
        num_clips: of the validation.
    """
    accuracy = np.array([row.get("val_accuracy", np.nan) for row in history])
    if keep != "last" or len(accuracy) <= TREND_EPOCHS or not num_clips or not np.isfinite(accuracy).all():
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


def judge_test(metrics: Mapping[str, Any]) -> list[Judgement]:
    """Is the test large enough to tell?"""
    found = []
    if 0 < (number := len(metrics["speakers"])) < LEAST_SPEAKERS:
        found.append(
            Judgement(
                "few_test_speakers",
                f"The test has {number} speaker{'s' * (number > 1)}: others may score much better or worse. Record "
                "more people, or leave each out in turn (--leave-out NAME).",
            )
        )
    if "detector" in metrics:
        others, words = map(sum, metrics["confusion"])
        for code, number, what in (
            ("few_positive_clips", words, "of the word: how many are missed"),
            ("few_negative_clips", others, "of anything else: how many raise a false alarm"),
        ):
            if number < LEAST_CLIPS:
                text = f"The test has {number} clip{'s' * (number != 1)} {what} cannot be told."
                found.append(Judgement(code, f"{text} {RECORD_MORE}"))
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


def _judge_words(metrics: Mapping[str, Any]) -> list[Judgement]:
    clips = np.sum(metrics["confusion"], axis=1)
    commonest = int(clips.argmax())
    # (A test of one word alone has no answer to be better than but a guess.)
    constant = clips[commonest] / clips.sum() if (clips > 0).sum() > 1 else 0.0
    least = binomial_interval(metrics["num_correct"], metrics["num_clips"])[0]
    # (By few speakers chance is never out of the question: `judge_test` says that they are few.)
    if metrics["accuracy_interval"] is not None and not 0 < len(metrics["speakers"]) < LEAST_SPEAKERS:
        least = min(least, metrics["accuracy_interval"][0])
    way_out = "Look at the training curves and recordings; other --epochs, more recordings or another --model may help."
    if metrics["accuracy"] <= constant:
        text = f"It is no better than always answering {metrics['labels'][commonest]!r}, which is right {constant:.1%} "
        return [Judgement("worse_than_constant", f"{text}of the time. {way_out}")]
    chance = max(constant, 1 / len(clips))
    if least <= chance:
        clips = f"{metrics['num_correct']:,} of {metrics['num_clips']:,} clips"
        text = f"It is not shown to be better than chance ({chance:.1%}): {clips} do not tell them apart."
        return [Judgement("near_chance", f"{text} {RECORD_MORE if metrics['num_clips'] < FEW_CLIPS else way_out}")]
    return []


def _judge_detector(metrics: Mapping[str, Any]) -> list[Judgement]:
    (rejected, alarms), (missed, found) = metrics["confusion"]
    words, others = missed + found, rejected + alarms
    if not words or not others:
        return []
    if (found, alarms) in ((words, others), (0, 0)):
        answer = "yes" if found else "no"
        text = (
            f"It answers {answer} to every clip. Train longer, or with --sampling balanced and more counter-examples."
        )
        return [Judgement("constant_answer", text)]
    if binomial_interval(found, words)[0] <= binomial_interval(alarms, others)[1]:
        text = (
            f"It is not shown to be better than chance: it answers yes to {found:,} of {words:,} clips of its word, "
            f"and to {alarms:,} of {others:,} others. Train longer, or with more recordings of the word."
        )
        return [Judgement("near_chance", text)]
    if missed + alarms >= words:
        text = (
            f"It is no better than always answering no, which is wrong of {words:,} clips: it misses {missed:,} and "
            f"raises {alarms:,} false alarms. Take a higher --threshold from the report's table, or train against what "
            "it takes for the word (--hard-negatives RUN)."
        )
        return [Judgement("worse_than_constant", text)]
    return []


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
