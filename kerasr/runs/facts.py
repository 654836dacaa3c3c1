"""A run's folder: everything that a training leaves behind, and everything that is needed to repeat it.

config.json     the resolved settings
run.json        labels, split rule, fingerprint of the recordings, versions, machine, what really ran
manifest.csv    the recordings, each with its split and a hash of its content
learnt_from.txt the hashes of recordings that the weights know and the manifest does not list: of earlier runs, or a
                preset's own
model.keras     waveform to logits: the best weights so far, with the front-end and its statistics
history.csv     one row an epoch
run.lock        who trains it, while someone does (`kerasr.core.locks`)
checkpoint.npz  where to go on after a kill
metrics.json, report.html, pictures/    written by the evaluation
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from kerasr import __version__
from kerasr.config import FORMAT, TrainConfig, fault_of_json, from_json, migrate, read_json, shorten
from kerasr.data.hashes import fingerprint
from kerasr.data.manifest import Corpus
from kerasr.errors import UserError

CONFIG, FACTS, MANIFEST, MODEL = "config.json", "run.json", "manifest.csv", "model.keras"
HISTORY, CHECKPOINT, METRICS = "history.csv", "checkpoint.npz", "metrics.json"
LEARNT_FROM = "learnt_from.txt"

# What stands for a recipe where a network was fitted without one (`Run.from_model`); no recipe can be called so.
OWN_LOOP = "own loop"


class CorpusFacts(TypedDict):
    """What `run.json` says of the recordings."""

    name: str
    source: str
    licence: str
    labels: list[str]
    noise: list[str]
    fingerprint: str


class Statistics(TypedDict):
    """Mean and standard deviation of each feature over the training split."""

    mean: list[float]
    std: list[float]


class Remark(TypedDict):
    """A `kerasr.evaluation.judgement.Judgement`."""

    code: str
    text: str


class StreamChoice(TypedDict):
    """What `kerasr.evaluate stream` has chosen: the least mean probability of a word that is reported."""

    threshold: float
    judgements: NotRequired[list[Remark]]


class Calibration(TypedDict):
    """A `kerasr.metrics.calibration.PlattScaling`."""

    scale: float
    offset: float
    num_words: int


class RunFacts(TypedDict):
    """What is read of `run.json`; a training and an evaluation write more, and add some of these at their end."""

    corpus: CorpusFacts
    statistics: Statistics
    status: str
    split_rule: str
    versions: dict[str, str]
    machine: dict[str, Any]
    started: NotRequired[str]
    command: NotRequired[str]
    test_copies: NotRequired[int]
    test_clips_known: NotRequired[int]
    train_speakers: NotRequired[list[str]]
    voices: NotRequired[dict[str, Any]]
    negatives: NotRequired[dict[str, Any]]
    piece_scores: NotRequired[list[float]]
    backend: NotRequired[str]
    device: NotRequired[str]
    precision: NotRequired[str]
    parameters: NotRequired[int]
    macs: NotRequired[int | None]
    best_epoch: NotRequired[int]
    epochs_run: NotRequired[int]
    train_seconds: NotRequired[float]
    rejection: NotRequired[dict[str, float] | None]
    stream: NotRequired[StreamChoice]
    calibration: NotRequired[Calibration | None]
    decoding: NotRequired[dict[str, Any]]


# Facts as earlier versions call them.
_EARLIER = {
    "kernel": "implementation",
    "test_clips_heard": "test_clips_known",
    "stretches_hard": "segments_hard",
}


def corpus_facts(corpus: Corpus, contents: Sequence[str]) -> dict[str, Any]:
    """What `run.json` says of some recordings, whose `content_hashes` these are."""
    return {
        "name": corpus.name,
        "source": corpus.source,
        "licence": corpus.licence,
        "labels": corpus.labels,
        "noise": corpus.noise,
        "bad": corpus.bad,
        "fingerprint": fingerprint(corpus, contents),
    }


def read_run(path: Path) -> tuple[TrainConfig, dict[str, Any]]:
    """The settings and the facts that a run's folder holds, of any version's run as today's.

    Raises:
        UserError: they are damaged, or another version of kerasr made them.
    """
    facts = read_json(path / FACTS)
    versions = facts.get("versions")
    maker = f"kerasr {versions.get('kerasr', 'of its time')}" if isinstance(versions, dict) else "kerasr of its time"
    version = facts.get("format")
    if not isinstance(version, int) or not 1 <= version <= FORMAT:
        raise UserError(
            "run-of-another-version",
            f"{path}: this run has format {shorten(version)} and kerasr {__version__} reads formats 1 to "
            f"{FORMAT}: use {shorten(maker)}, or train again",
        )
    try:
        config = from_json(TrainConfig, migrate(read_json(path / CONFIG), version))
    except UserError as error:
        raise UserError(
            "run-of-another-version",
            f"{path / CONFIG}: holds what this version of kerasr does not take ({error}): use {shorten(maker)}, or "
            "train again",
        ) from error
    facts = migrate_facts(facts)
    check_facts(path / FACTS, facts, config)
    return config, facts


def migrate_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a run of any version, by today's names."""
    renamed = {_EARLIER.get(name, name): value for name, value in facts.items()}
    if isinstance(negatives := renamed.get("negatives"), dict):
        renamed["negatives"] = {_EARLIER.get(name, name): value for name, value in negatives.items()}
    return renamed


def check_facts(path: Path, facts: dict[str, Any], config: TrainConfig) -> None:
    """Raise where `run.json` is not as `RunFacts` says, or its statistics are not of the config's features."""
    if (fault := fault_of_json(facts, RunFacts) or _fault_of_statistics(facts["statistics"], config)) is not None:
        raise UserError("run-damaged", f"{path}: is damaged ({shorten(fault)}); restore it, or train again")


def _fault_of_statistics(statistics: Statistics, config: TrainConfig) -> str | None:
    width = config.features.num_features
    most = float(np.finfo(np.float32).max)
    for name, least in (("mean", -most), ("std", float(np.finfo(np.float32).tiny))):
        values = statistics[name]
        if len(values) != width or not all(least <= value <= most for value in values):
            return f"statistics: {name} is not {width} numbers, one for each feature"
    return None
