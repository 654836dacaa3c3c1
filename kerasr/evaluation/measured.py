"""What a report says of what was measured, whichever model it was: which recordings, where, and on what machine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasr.core.console import isolate
from kerasr.data.manifest import Corpus, Utterance, report_bad
from kerasr.errors import UserError
from kerasr.report.page import own_folder
from kerasr.runs.facts import METRICS
from kerasr.tasks import Task


def select_utterances(corpus: Corpus, split: str | None) -> list[Utterance]:
    """The recordings of a split of a corpus; all of them where it is None.

    Raises:
        UserError: the corpus has no such split (`split-not-found`).
    """
    if split is not None and not corpus.has_official_split:
        raise UserError(
            "split-not-found", f"{corpus.source}: comes with no split of its own; measure on all of it, without --split"
        )
    utterances = [item for item in corpus.utterances if split in (None, item.split)]
    if not utterances:
        raise UserError("split-not-found", f"{corpus.source}: its {split} split is empty")
    return utterances


def name_recordings(corpus: Corpus, split: str | None) -> str:
    """Them in a few words, for a title."""
    return f"{isolate(corpus.name)}{f', {split}' if split else ''}"


def columns_of(utterances: Sequence[Utterance]) -> dict[str, list[str | None]]:
    """What else is known of each recording, by the names of the manifest's columns."""
    columns = dict.fromkeys(name for item in utterances for name in item.extra)
    return {name: [item.extra.get(name) for item in utterances] for name in columns}


def check_usable(task: Task, corpus: Corpus, utterances: Sequence[Utterance], max_bad: int) -> list[Utterance]:
    """The recordings that a task can be measured on; errors as of `Task.usable` and `Task.check_utterances`."""
    usable = task.usable(replace(corpus, utterances=tuple(utterances)), max_bad).utterances
    task.check_utterances(usable, corpus.source)
    return [*usable]


def check_readable(corpus: Corpus, utterances: Sequence[Utterance], bad: list[tuple[str, str]], max_bad: int) -> None:
    """List the recordings that cannot be read, or raise where these are too many, or all.

    Args:
        corpus: whose they are.
        utterances: those that were tried.
        bad: the path and the reason of each that could not be read.
        max_bad: most of them.

    Raises:
        UserError: there are more (`too-many-bad-recordings`), or there is no other (`recordings-unusable`).
    """
    if bad:
        report_bad(corpus, bad, max_bad)
    if len(bad) == len(utterances):
        raise UserError(
            "recordings-unusable",
            f"{utterances[0].path}: neither this recording nor any other can be read: have they been moved?",
        )


def evaluation_name(corpus: Corpus | None, split: str | None) -> str:
    """Of the folder of an evaluation."""
    return "-".join(filter(None, (corpus.name if corpus else None, split)))


def evaluation_folder(folder: Path, **facts: Any) -> Path:
    """A folder that any file system takes, in which no evaluation lies whose metrics have other facts than these."""

    def is_same(written: str) -> bool:
        metrics = json.loads(written)
        return all(metrics.get(name) == value for name, value in facts.items())

    return own_folder(folder, METRICS, is_same)


def machine_facts(where: Mapping[str, Any]) -> dict[str, str]:
    """Machine, versions and command, for a report's table, by what `provenance` says."""
    machine = where["machine"]
    return {
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
        "versions": ", ".join(f"{name} {version}" for name, version in where["versions"].items()),
        "measured with": where["command"],
    }
