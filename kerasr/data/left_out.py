"""Recordings that a task has no use for: named, counted and left out."""

from collections.abc import Callable
from dataclasses import replace

from kerasr.data.manifest import Corpus, Utterance, report_bad
from kerasr.errors import UserError


def leave_out(corpus: Corpus, why_bad: Callable[[Utterance], str | None], max_bad: int) -> Corpus:
    """The corpus less its bad recordings, which are listed on stderr.

    Args:
        corpus: its `bad` recordings, found before, count too.
        why_bad: why a recording is bad; None where it is not.
        max_bad: how many bad recordings are left out before it is too much.

    Raises:
        UserError: there are more bad recordings than that, or a split has no other.
    """
    reasons = [why_bad(item) for item in corpus.utterances]
    if not any(reasons):
        return corpus
    pairs = [*zip(corpus.utterances, reasons, strict=True)]
    kept = tuple(item for item, reason in pairs if not reason)
    bad = (*corpus.bad, *((item.path, reason) for item, reason in pairs if reason))
    report_bad(corpus, [*bad], max_bad, listed=len(corpus.bad))
    left = {item.split for item in kept}
    for item, reason in pairs:
        if item.split not in left:
            raise UserError(
                "recordings-unusable",
                f"{corpus.source}: none of its {f'{item.split} ' if item.split else ''}recordings can be used, as "
                f"{item.path} ({reason}): mend them, or take them out",
            )
    return replace(corpus, utterances=kept, bad=bad)
