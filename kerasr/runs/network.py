"""A run's task, and its network from features to logits: whether it is one for the run's front-end and for its task."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasr.config import FeatureSpec, TrainConfig, shorten
from kerasr.core.regular import MOST_TIMES, max_unpacked
from kerasr.decoding.alignment import FrameTimes
from kerasr.errors import UserError
from kerasr.models.registry import MODELS
from kerasr.runs.facts import FACTS
from kerasr.tasks import Recognition, Task, find_task

# Frames of a clip by whose outputs it is told how many frames of features there are to an output.
_PROBE_FRAMES = 960


def make_task(path: Path, config: TrainConfig, facts: Mapping[str, Any]) -> Task:
    """What the network in a run's folder was trained for, with the times of its outputs.

    Raises:
        UserError: there is no such task, or the facts are not of its labels.
    """
    try:
        task = find_task(config.task).of_facts(facts, config.task)
    except ValueError as error:
        raise UserError("run-damaged", f"{path / FACTS}: is damaged ({error}); restore it, or train again") from error
    if isinstance(task, Recognition):
        task.frame_times = frame_times(config, facts)
    return task


def load_model(path: Path) -> Any:
    """What Keras has saved in a file.

    Raises:
        UserError: it is damaged, is none of Keras's, or would unpack to much more than it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > max_unpacked(path):
                raise ValueError(f"would unpack to more than {MOST_TIMES} times its size")
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras lets zipfile's, h5py's, json's and its own errors through.
        raise UserError(
            "run-damaged", f"{path}: cannot be loaded ({shorten(error)}); train again or restore the file"
        ) from error


def check_network(path: Path, model: Any, spec: FeatureSpec, task: Task) -> None:
    """Raise where what was loaded is not a run's model.

    Args:
        path: where it was loaded from.
        model: what was loaded.
        spec: of the run's front-end.
        task: the run's.

    Raises:
        UserError: it is something else, or a model of another run.
    """
    network = task.find_network(model)
    if network is None:
        raise UserError(
            "run-damaged",
            f"{path}: holds no network of a run, but {type(model).__name__}; train again or restore it",
        )
    if why := task.why_not_network(model, network, spec):
        raise UserError("run-damaged", f"{path}: {why}: they belong to another run")


def measure_stride(network: keras.Model, spec: FeatureSpec) -> int:
    """Frames of features for each output, of a network that gives one for each few frames."""
    frames = spec.shape[0] or _PROBE_FRAMES
    outputs = network(np.zeros((1, frames, spec.num_features), np.float32), training=False)
    return max(round(frames / outputs.shape[1]), 1)


def frame_times(config: TrainConfig, facts: Mapping[str, Any]) -> FrameTimes:
    """When a run's outputs are, where its network gives one for each few frames.

    Args:
        config: the run's settings, which name an architecture.
        facts: what its `run.json` holds; of a network that kerasr did not build, `stride` too.
    """
    known = MODELS.get(config.model.name)
    if known and "stride" not in facts:
        return FrameTimes.of(config.features, known.stride, known.window)
    return FrameTimes.of(config.features, facts.get("stride") or 1)
