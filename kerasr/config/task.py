"""Settings of the task: what the network is trained for."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from kerasr.config.bounds import VocabularySize, check_bounds
from kerasr.core.first_help import ESSENTIAL
from kerasr.core.signatures import plain_signature


@plain_signature
@dataclass(frozen=True)
class TaskConfig:
    """What the network is trained for."""

    name: Annotated[str, tyro.conf.arg(name="task")] = "auto"
    """What is asked of a clip: classify (which word?), detect (is it this word?), or another file of kerasr/tasks; auto
    detects where a word is wanted, and else classifies."""
    wanted: Annotated[str | None, ESSENTIAL] = None
    """Train a detector of this word: every other is a counter-example."""
    negatives: Annotated[str | None, ESSENTIAL] = None
    """With wanted: long recordings without the word, to train and count false alarms on."""
    vocabulary: Literal["characters", "words", "pieces"] = "characters"
    """What a transcript is written in: characters spell any word; whole words suit texts of few different ones, which
    each recording's text is then made of; pieces of words, the likeliest by a unigram model (SentencePiece), are fewer
    to a text than characters, and spell any word, too."""
    vocabulary_size: VocabularySize = 128
    """With --vocabulary pieces: how many there may be; texts of few words give fewer."""
    hard_negatives: str | None = None
    """With wanted: an earlier run; what it takes for the word in the training part is drawn more often in this one."""

    def __post_init__(self) -> None:
        check_bounds(self, names={"name": "task"})
