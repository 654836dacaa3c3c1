"""What a training takes from an earlier run: its encoder, its logits for distillation, pseudo-labels."""

import functools
import operator
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from kerasr import audio
from kerasr.audio.features import Features
from kerasr.config import TrainConfig, name_of
from kerasr.config.transfer import HUB, is_hub
from kerasr.core.progress import ProgressBar
from kerasr.data.corpora.folder import walk_recordings
from kerasr.data.hashes import with_hashes
from kerasr.data.known import KnownRecordings
from kerasr.data.manifest import Corpus, Utterance, check_recordings
from kerasr.errors import UserError
from kerasr.models.head import encoder_layers
from kerasr.models.hub_encoder import read_encoder
from kerasr.runs.run import Run, load_run
from kerasr.tasks import Task
from kerasr.tasks.words import word_task
from kerasr.training.pretrained import begin_from_hub, name_as_origin

# Settings that name a folder which is looked at again after the training has begun.
PLACES = ("transfer.init_from", "transfer.teacher", "task.negatives", "task.hard_negatives")

# What an utterance's `extra` facts say of a pseudo-label.
SOURCE, PSEUDO = "label_source", "pseudo"


def inherit(config: TrainConfig) -> TrainConfig:
    """The config with the architecture and the front-end of the run that it begins from, where there is one.

    Raises:
        UserError: there is no such run or pretrained model, or the config asks for another architecture or front-end.
    """
    config = name_as_origin(config)
    for name in PLACES:
        group, setting = name.split(".")
        settings = getattr(config, group)
        settings = replace(settings, **{setting: _place(getattr(settings, setting))})
        config = replace(config, **{group: settings})
    if config.transfer.init_from is None:
        return config
    if config.transfer.pretrained:
        return begin_from_hub(config)
    begun = load_run(config.transfer.init_from)
    if not begun.has_builder:
        raise UserError(
            "network-unsupported",
            f"--init-from {config.transfer.init_from}: this network was built and fitted in a loop of one's own, and "
            "kerasr cannot build it again: begin from a run that kerasr.train has made",
        )
    source = begun.config
    for path in config.given:
        inherited = path.startswith(("model.name", "model.options", "features."))
        if inherited and config.value_of(path) != source.value_of(path):
            raise UserError(
                "settings-conflict",
                f"--init-from {config.transfer.init_from}: its weights are for {name_of(path)} "
                f"{source.value_of(path)}, and {config.value_of(path)} was asked for: leave --{path.split('.')[0]} out",
            )
    model = replace(config.model, name=source.model.name, options=source.model.options)
    return replace(config, model=model, features=source.features)


def _place(folder: str | None) -> str | None:
    """A folder from the root on, so that a training can be resumed from elsewhere; a preset keeps its name."""
    if folder and is_hub(folder):
        return f"{HUB}{_place(folder.removeprefix(HUB))}"
    return os.path.abspath(folder) if folder and os.path.isdir(folder) else folder


def inherited_features(config: TrainConfig, task: Task) -> Features | None:
    """The front-end of the earlier runs of this training, statistics included; None where there are none.

    Raises:
        UserError: there is no such run; the teacher has other labels, or another front-end.
    """
    init_from = None if config.transfer.pretrained else config.transfer.init_from
    source = load_run(init_from) if init_from else None
    if config.transfer.teacher is None:
        return source.features if source else None
    teacher = load_run(config.transfer.teacher)
    if teacher.labels != task.labels:
        raise UserError(
            "labels-differ",
            f"--teacher {config.transfer.teacher}: its labels are {', '.join(teacher.labels)}, and here they are "
            f"{', '.join(task.labels)}: a teacher knows the same words in the same order",
        )
    if teacher.config.features != config.features:
        raise UserError(
            "features-differ",
            f"--teacher {config.transfer.teacher}: has another front-end ({_difference(teacher, config)}): give both "
            "the same --features",
        )
    if source and source.facts["statistics"] != teacher.facts["statistics"]:
        raise UserError(
            "features-differ",
            f"--teacher {config.transfer.teacher}: normalises features otherwise than --init-from "
            f"{config.transfer.init_from}: take one of the two",
        )
    return teacher.features


def known_test_clips(earlier: Sequence[Run], utterances: Sequence[Utterance]) -> dict[str, Any]:
    """How much of the test the earlier runs of a training have learnt from, for its facts.

    Args:
        earlier: the run that it begins from and its teacher, as far as it has them.
        utterances: the recordings of the training, with their splits and hashes.

    Returns:
        `train_speakers`, whom the earlier runs and those before them learnt from, and `test_clips_known`, how many test
        recordings they learnt from or chose by; nothing where there is no earlier run. (A preset that was made by an
        earlier kerasr lists its speakers, not its clips.)
    """
    if not earlier:
        return {}
    known = known_to(earlier)
    return {
        "train_speakers": sorted(set().union(*(run.known_speakers for run in earlier))),
        "test_clips_known": sum(item.split == "test" and item in known for item in utterances),
    }


def earlier_runs(config: TrainConfig) -> list[Run]:
    """The runs that a training begins from and learns from.

    Raises:
        UserError: there is no such run.
    """
    return [load_run(run) for run in config.transfer.runs]


def known_to(runs: Sequence[Run]) -> KnownRecordings:
    """The recordings that any of these runs, or of those before them, has learnt from or chosen by."""
    return functools.reduce(operator.or_, (run.known for run in runs), KnownRecordings())


def _difference(teacher: Run, config: TrainConfig) -> str:
    """The first setting of the front-end that the teacher has and the config has not."""
    theirs, ours = vars(teacher.config.features), vars(config.features)
    name = next(name for name in theirs if theirs[name] != ours[name])
    return f"{name} {theirs[name]}, here {ours[name]}"


def give_weights(network: keras.Model, origin: str) -> None:
    """Give a network the weights of the run or of the pretrained model that its training begins from, but for its head.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    if is_hub(origin):
        read_encoder(origin).give_weights(network)
    else:
        copy_encoder(network, load_run(origin))


def copy_encoder(network: keras.Model, source: Run) -> None:
    """Give a network all weights of a run of the same architecture, but for its head."""
    theirs = {layer.name: layer for layer in source.network.layers}
    for layer in encoder_layers(network):
        # (What has no weights may have been given its name by Keras, which counts on in a process.)
        if layer.weights:
            layer.set_weights(theirs[layer.name].get_weights())


def add_pseudo_labels(corpus: Corpus, config: TrainConfig, task: Task) -> Corpus:
    """The corpus with the unlabelled recordings of `pseudo_labels` that a run is sure of in its training split.

    A recording that the corpus has already, under whatever name, is left out: it may be in the test. What joins is
    marked in its `extra` facts, `label_source=pseudo`, beside the probability.

    Args:
        corpus: with every split decided.
        config: names the folder, the run (the teacher, else the one it begins from) and the threshold.
        task: what is trained.

    Raises:
        UserError: no run is named, it does not know the words, or the folder has nothing to label.
    """
    if config.transfer.pseudo_labels is None:
        return corpus
    name = config.transfer.teacher or config.transfer.init_from
    if name is None:
        raise UserError(
            "setting-missing",
            f"--pseudo-labels {config.transfer.pseudo_labels}: name the run that labels with --teacher or --init-from",
        )
    word_task(task, "--pseudo-labels")
    labeller = load_run(name)
    if labeller.labels != task.labels:
        raise UserError(
            "labels-differ",
            f"--pseudo-labels {config.transfer.pseudo_labels}: {name} cannot label it, its labels are "
            f"{', '.join(labeller.labels)} and here they are {', '.join(task.labels)}",
        )
    pool = _unknown_recordings(corpus, config)
    with ProgressBar("Labelling recordings", len(pool)) as progress:
        probs = labeller.predict_files([item.path for item in pool], progress)
    chosen = tuple(
        replace(
            item,
            label=task.labels[row.argmax()],
            split="train",
            extra={SOURCE: PSEUDO, "probability": f"{row.max():.3f}"},
        )
        for item, row in zip(pool, probs, strict=True)
        if float(row.max()) >= config.transfer.pseudo_threshold
    )
    return replace(corpus, utterances=corpus.utterances + chosen)


def _unknown_recordings(corpus: Corpus, config: TrainConfig) -> tuple[Utterance, ...]:
    """The readable recordings of the folder that the corpus does not have."""
    folder = os.path.abspath(str(config.transfer.pseudo_labels))
    found = [Utterance(path) for path in walk_recordings(folder)]
    if not found:
        raise UserError("no-recordings", f"--pseudo-labels {folder}: has no recordings ({', '.join(audio.SUFFIXES)})")
    pool = check_recordings(Corpus(Path(folder).name, tuple(found), source=folder), config.data.max_bad).utterances

    known = KnownRecordings(with_hashes(corpus.utterances))
    return tuple(item for item in with_hashes(pool) if item not in known)
