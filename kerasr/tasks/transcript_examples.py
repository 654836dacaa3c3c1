"""Transcripts that a report shows."""

from collections.abc import Callable, Sequence

import numpy as np

from kerasr.decoding.alignment import Alignment
from kerasr.metrics.transcription import word_pairs
from kerasr.tasks.recognition import Example


def worst_transcripts(
    truth: Sequence[str], found: Sequence[str], detail: Callable[[int], tuple[float, Alignment | None]], most: int
) -> list[Example]:
    """The transcripts with the most errors; where there is none, the least certain.

    Args:
        truth: what was said in each recording, normalised.
        found: what a model has written, normalised.
        detail: of a transcript, by its place: the confidence, and where its tokens are, if that is known.
        most: examples.
    """
    pairs = [tuple(word_pairs(*texts)) for texts in zip(truth, found, strict=True)]
    errors = np.array([sum(said != heard for said, heard in row) for row in pairs])
    examples = []
    # (Of as many errors, those in fewer words are more.)
    order: list[int] = np.lexsort((np.array([*map(len, pairs)]), -errors)).tolist()
    for index in order[:most] if errors.any() else order:
        confidence, alignment = detail(index)
        examples.append(
            Example(
                index=index,
                predicted=found[index],
                probability=confidence,
                correct=not errors[index],
                pairs=pairs[index],
                alignment=alignment,
            )
        )
    wrong = [example for example in examples if not example.correct]
    return wrong or sorted(examples, key=lambda example: example.probability)[:most]
