"""What the tasks with one word a clip share: a label each, an answer of one word."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasr.data.manifest import Utterance
from kerasr.decoding.greedy import likeliest
from kerasr.errors import UserError
from kerasr.tasks.base import Task, list_words
from kerasr.tasks.recognition import Label, Recognition
from kerasr.tasks.trained import Trained


class WordTask(Recognition):
    """A task whose clips have one word each."""

    @abc.abstractmethod
    def label_index(self, labels: Sequence[str]) -> np.ndarray:
        """`(clips,)` int32 index into `self.labels` of each clip's label."""

    @abc.abstractmethod
    def decode(self, probs: np.ndarray, threshold: float) -> Label:
        """What `(labels,)` say of a clip."""

    def truth(self, utterances: Sequence[Utterance]) -> np.ndarray:
        """`(clips,)` index of each clip's label."""
        return self.label_index([item.label or "" for item in utterances])

    def signature(self, probs: Any) -> dict[str, Any]:
        """The index of the likeliest label."""
        return {"label_index": likeliest(probs)}

    def notes(self, run: Trained, metrics: Mapping[str, Any]) -> list[str]:
        """Labels of which there is no clip."""
        missing = [word["word"] for word in metrics["words"] if not word["num_clips"]]
        return [f"No clip of {list_words(missing, 10)}: the scores say nothing about it."] if missing else []

    def said(self, utterance: Utterance) -> str:
        """The word."""
        return utterance.label or ""

    def shown(self, probs: np.ndarray) -> tuple[str, float]:
        """The label that is decided for, and its probability."""
        index = int(self.decide(probs[None])[0])
        return self.labels[index], float(probs[index])

    def check_utterances(self, utterances: Sequence[Utterance], source: str) -> None:
        """Raise where a recording has no label."""
        if unlabelled := [item.path for item in utterances if item.label is None]:
            raise UserError(
                "label-missing",
                f"{unlabelled[-1]}: has no label, and a word model can only be measured on labelled recordings",
            )


def word_task(task: Task, asked: str) -> WordTask:
    """The task, where its clips have one word each.

    Args:
        task: of a run.
        asked: what needs that, for the message: `--pseudo-labels`.

    Raises:
        UserError: they have not.
    """
    if isinstance(task, WordTask):
        return task
    raise UserError(
        "task-unsupported", f"{asked}: is for models that give each clip one word, and this one is to {task.about()}"
    )
