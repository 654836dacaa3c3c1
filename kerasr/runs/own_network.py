"""The run that a network makes which was fitted in a loop of one's own: what is checked of it, and what is written."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.config import FitConfig, ModelConfig, RuntimeConfig, TaskConfig, TrainConfig, shorten
from kerasr.core.scores import Monitor
from kerasr.data import Corpus
from kerasr.data.clips import read_clips
from kerasr.data.hashes import content_hashes, with_hashes
from kerasr.data.known import count_copies
from kerasr.data.manifest import SPLITS
from kerasr.errors import UserError
from kerasr.inference.compiled import compile_probs
from kerasr.metrics.rejection import choose_threshold
from kerasr.models import count_macs
from kerasr.models.from_waveform import attach_front_ends, takes_features
from kerasr.runs.facts import HISTORY, MODEL, OWN_LOOP, corpus_facts
from kerasr.runs.files import process_folder, write_run
from kerasr.runs.history import write_history
from kerasr.runs.network import measure_stride
from kerasr.tasks import Recognition, find_task, recognition
from kerasr.tasks.base import list_words

# Random clips that are given to a network to see whether it ends in a softmax.
_PROBES, _PROBE_FRAMES = 4, 50


@dataclass(frozen=True)
class OwnNetwork:
    """A fitted network and what it was fitted with.

    Attributes:
        network: from features to logits.
        corpus: the recordings, with their splits.
        features: the front-end.
        task: what the network is for; `auto` is to tell the labels apart, or to detect the word that is wanted.
        wanted: the word of a detector.
        history: of `fit`.
        split_rule: how the recordings were divided, in a sentence.
    """

    network: keras.Model
    corpus: Corpus
    features: Features
    task: str = "auto"
    wanted: str | None = None
    history: keras.callbacks.History | None = None
    split_rule: str = ""

    def write(self, path: Path | None) -> tuple[Path, TrainConfig, dict[str, Any]]:
        """Check it, and write its run.

        Args:
            path: the run's folder; one that goes with the process where None.

        Returns:
            The folder, the settings and the facts.

        Raises:
            UserError: the network is none for these labels and features, the recordings have no splits, the history
                lacks a column, or the folder is taken.
            OSError: the folder cannot be written.
        """
        _check_free(path)
        _check_kind(self.network)
        config, task = self._settings()
        _check_shapes(self.network, self.features, task, self.corpus)
        _check_logits(self.network, task)
        _check_splits(self.corpus)
        task.check_utterances(self.corpus.utterances, self.corpus.source or self.corpus.name)
        rows = _history_rows(self.history, task.monitor)
        contents = content_hashes(self.corpus.utterances)
        utterances = with_hashes(self.corpus.utterances, contents)
        joined = attach_front_ends([self.features], self.network)

        def add(folder: Path) -> None:
            joined.save(folder / MODEL)
            _check_loadable(folder / MODEL)
            if rows:
                write_history(folder / HISTORY, rows)

        return write_run(
            [path] if path else _free_places(self.network.name),
            replace(config, fit=FitConfig(epochs=len(rows) or None)),
            facts=self._facts(task, contents, len(rows)),
            utterances=utterances,
            add=add,
        )

    def _settings(self) -> tuple[TrainConfig, Recognition]:
        config = TrainConfig(
            recipe=OWN_LOOP,
            task=TaskConfig(self.task, self.wanted),
            model=ModelConfig(self.network.name, tta_speeds=(self.features.speed,)),
            features=self.features.spec,
            runtime=RuntimeConfig(imports=_modules_of(self.network)),
        )
        kind = find_task(config.task)
        kind.check(config)
        return config, recognition(kind.of_corpus(self.corpus, config.task), "a network from features to logits")

    def _facts(self, task: Recognition, contents: list[str], epochs: int) -> dict[str, Any]:
        network = self.network
        return {
            "split_rule": self.split_rule or "as the recordings came",
            "corpus": {**corpus_facts(self.corpus, contents), "labels": task.labels},
            "test_copies": count_copies(self.corpus, contents),
            "statistics": {"mean": self.features.mean, "std": self.features.std},
            "status": "done",
            "backend": keras.backend.backend(),
            "parameters": network.count_params(),
            "macs": count_macs(network) if network.input_shape[1] else None,
            **({"epochs_run": epochs} if epochs else {}),
            **({"stride": measure_stride(network, self.features.spec)} if task.per_frame else {}),
            **task.facts(),
            **self._choices(task),
        }

    def _choices(self, task: Recognition) -> dict[str, Any]:
        """As a training makes them: a threshold or a calibration, by the validation clips that can be read."""
        made: dict[str, Any] = {"rejection": None}
        validation = [item for item in self.corpus.utterances if item.split == "validation"]
        if not ((task.rejects or task.has_words) and validation):
            return made
        found = [*read_clips([item.path for item in validation], self.features.spec, [], "Validating")]
        if not found:
            return made
        probs = compile_probs([self.features], self.network, task)([clip for _, clip in found])["probs"]
        items = [validation[place] for place, _ in found]
        if task.rejects:
            made["rejection"] = choose_threshold(probs, task.truth(items))
        calibration = task.fit_calibration(items, probs)
        return made | {"calibration": calibration and asdict(calibration)}


def _check_kind(network: Any) -> None:
    """Raise where it has no graph of layers, which the exporters read: a subclass of `keras.Model` has none."""
    if not isinstance(network, keras.Model) or len(getattr(network, "inputs", None) or ()) != 1:
        raise UserError(
            "network-unsupported",
            f"{getattr(network, 'name', type(network).__name__)}: a run takes a functional or Sequential keras.Model "
            "with one input: around a subclass, make one with keras.Model(inputs, network(inputs))",
        )


def _check_shapes(network: keras.Model, features: Features, task: Recognition, corpus: Corpus) -> None:
    if not takes_features(network, features.spec):
        raise UserError(
            "network-input-wrong",
            f"{network.name}: takes {network.input_shape}, and these features are {(None, *features.spec.shape)}: give "
            "the front-end that make_datasets returned with what the network was fitted on",
        )
    if not task.gives_logits(network):
        raise UserError(
            "network-output-wrong",
            f"{network.name}: gives {network.output_shape}, and to {task.about()} takes {task.output.shape} "
            f"({list_words(corpus.labels, 10)}): give the corpus that it was fitted on",
        )


def _check_logits(network: keras.Model, task: Recognition) -> None:
    if _ends_in_activation(network, task):
        raise UserError(
            "network-gives-probabilities",
            f"{network.name}: ends in a softmax or sigmoid, and a run's network gives logits: leave that out, and "
            "compile with a loss that has from_logits=True",
        )


def _ends_in_activation(network: keras.Model, task: Recognition) -> bool:
    """Whether what it gives are probabilities, by its last layer or, of a softmax anywhere, by their sum."""
    last = network.layers[-1]
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax) or activation in (keras.activations.softmax, keras.activations.sigmoid):
        return True
    if task.output.size < 2 or task.per_frame:
        return False
    frames, width = network.input_shape[1:]
    random = np.random.default_rng(0).standard_normal((_PROBES, frames or _PROBE_FRAMES, width))
    outputs = keras.ops.convert_to_numpy(network(random.astype(np.float32), training=False))
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(-1), 1, atol=1e-3))


def _modules_of(network: keras.Model) -> tuple[str, ...]:
    """The modules that a process must import before it can load the network: those of layers that are not Keras's."""
    modules = dict.fromkeys(type(layer).__module__ for layer in network.layers)
    return tuple(name for name in modules if name.partition(".")[0] not in ("keras", "kerasr", "__main__"))


def _check_splits(corpus: Corpus) -> None:
    found = {item.split for item in corpus.utterances}
    if None in found or not found.issuperset(("train", "test")):
        missing = ", ".join(name for name in SPLITS if name not in found)
        raise UserError(
            "split-missing",
            f"{corpus.name}: a run's recordings are divided, and these have no {missing or 'split'} in part: give the "
            "corpus that split_corpus returned",
        )


def _check_free(path: Path | None) -> None:
    if path is not None and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError("folder-taken", f"{path}: there is something in this place: name another folder, or remove it")


def _check_loadable(path: Path) -> None:
    """Raise where what was saved cannot be loaded: a layer of one's own that Keras does not know by name."""
    try:
        keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras lets its own errors and those of the layers through.
        raise UserError(
            "network-unsupported",
            f"what was saved of the network cannot be loaded again ({shorten(error)}): put "
            "@keras.saving.register_keras_serializable() above each class of your own",
        ) from error


def _history_rows(history: keras.callbacks.History | None, monitor: Monitor) -> list[dict[str, float]]:
    """A row an epoch, as a training writes it."""
    if history is None:
        return []
    columns = history.history
    needed = ("loss", "val_loss", monitor.name, monitor.column)
    if missing := [name for name in needed if name not in columns]:
        raise UserError(
            "history-incomplete",
            f"the history has no {missing[0]} (it has {', '.join(columns) or 'nothing'}): compile with "
            f"metrics=[{monitor.name!r}] and fit with validation_data, or leave the history out",
        )
    return [
        {"epoch": float(epoch + 1), **{name: float(values[row]) for name, values in columns.items()}}
        for row, epoch in enumerate(history.epoch)
    ]


def _free_places(name: str) -> Iterator[Path]:
    """Folders called as the network, for a run in memory."""
    folder = process_folder()
    return (folder / (name if number == 1 else f"{name}-{number}") for number in count(1))
