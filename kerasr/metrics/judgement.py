"""Is a model better than an answer that does not listen? Said of scores alone, for each kind of task.

A judgement is no score. It says that a score is none to rely on, or that the model is no good, and what to change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasr.metrics.intervals import LEAST_SPEAKERS, binomial_interval

# Of fewer clips a detector's misses of its word, or its false alarms at others, are a matter of luck.
LEAST_CLIPS = 10
# So few clips tell next to nothing, however many are right.
FEW_CLIPS, RECORD_MORE = 30, "Record more to test on."


@dataclass(frozen=True)
class Judgement:
    """One thing that is wrong.

    Attributes:
        code: its stable name, for programs.
        text: what is wrong, and what to change.
    """

    code: str
    text: str


def judge_classification(metrics: Mapping[str, Any]) -> list[Judgement]:
    """Of what `classification_metrics` returns."""
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


def judge_detection(metrics: Mapping[str, Any]) -> list[Judgement]:
    """Of what `detection_metrics` returns."""
    return _judge_answers(metrics) + _judge_counts(metrics)


def _judge_counts(metrics: Mapping[str, Any]) -> list[Judgement]:
    """Has it enough clips to tell by?"""
    found = []
    others, words = map(sum, metrics["confusion"])
    for code, number, what in (
        ("few_positive_clips", words, "of the word: how many are missed"),
        ("few_negative_clips", others, "of anything else: how many raise a false alarm"),
    ):
        if number < LEAST_CLIPS:
            text = f"The test has {number} clip{'s' * (number != 1)} {what} cannot be told."
            found.append(Judgement(code, f"{text} {RECORD_MORE}"))
    return found


def _judge_answers(metrics: Mapping[str, Any]) -> list[Judgement]:
    (rejected, alarms), (missed, heard) = metrics["confusion"]
    words, others = missed + heard, rejected + alarms
    if not words or not others:
        return []
    if (heard, alarms) in ((words, others), (0, 0)):
        answer = "yes" if heard else "no"
        text = (
            f"It answers {answer} to every clip. Train longer, or with --sampling balanced and more counter-examples."
        )
        return [Judgement("constant_answer", text)]
    if binomial_interval(heard, words)[0] <= binomial_interval(alarms, others)[1]:
        text = (
            f"It is not shown to be better than chance: it answers yes to {heard:,} of {words:,} clips of its word, "
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
