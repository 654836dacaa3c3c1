"""A run's folder: everything a training leaves behind, and everything needed to tell it again.

config.json     the resolved settings
run.json        labels, split rule, fingerprint of the recordings, versions, machine, what really ran
manifest.csv    the recordings, each with its split
model.keras     waveform to logits: the best weights so far, with the front-end and its statistics
history.csv     one row an epoch
checkpoint.npz  where to go on after a kill
metrics.json, report.html, pictures/    written by the evaluation
"""

import dataclasses
import datetime
import functools
import json
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasr import __version__, atomic
from kerasr.config import TrainConfig, from_json, to_json
from kerasr.data.clips import batch_clips, pad_clips, read_clip
from kerasr.data.corpora import cache_folder
from kerasr.data.manifest import Utterance, read_manifest, write_manifest
from kerasr.data.progress import Notice
from kerasr.errors import UserError
from kerasr.features import Features
from kerasr.presets import CARD, list_presets, preset_folder
from kerasr.sound import why_no_sound
from kerasr.tasks import Task, task_for

# Counted up when a run's files change in a way that an older or newer kerasr cannot read.
FORMAT = 1

CONFIG, FACTS, MANIFEST, MODEL = "config.json", "run.json", "manifest.csv", "model.keras"
HISTORY, CHECKPOINT, METRICS = "history.csv", "checkpoint.npz", "metrics.json"

PACKAGES = ("tensorflow", "keras", "numpy", "librosa", "scikit-learn", "soundfile", "soxr")


class Run:
    """A training's folder, read when it is asked for.

    Attributes:
        path: the folder.
        config: the settings it was trained with.
        facts: what `run.json` holds.
        labels: the words, in the order of `probs`.
        task: how logits are read.
    """

    def __init__(self, path: Path, config: TrainConfig, facts: dict[str, Any]):
        self.path = path
        self.config = config
        self.facts = facts
        self.task: Task = task_for(tuple(facts["corpus"]["labels"]), config.wanted)
        self.labels = self.task.labels

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, model={self.config.model!r}, labels={list(self.labels)})"

    @property
    def split_rule(self) -> str:
        """How the recordings were divided, in a sentence."""
        return self.facts["split_rule"]

    @functools.cached_property
    def model(self) -> keras.Model:
        """Waveforms `(batch, samples)` at the spec's rate to logits; trailing exact zeros are padding."""
        path = self.path / MODEL
        if not path.exists():
            raise UserError(
                f"{path}: this run has no model yet: continue it with python -m kerasr.train --resume {self.path}"
            )
        _import_layers()
        try:
            model = keras.saving.load_model(path, compile=False)
        except Exception as error:  # Keras lets zipfile's, h5py's, json's and its own errors through.
            raise UserError(
                f"{path}: cannot be loaded ({_first_line(error)}); train anew or restore the file"
            ) from error
        outputs = model.output_shape[-1]
        if outputs != self.task.num_outputs:
            raise UserError(
                f"{path}: these weights have {outputs} outputs and {self.path / FACTS} lists "
                f"{len(self.labels)} labels: they belong to another run"
            )
        return model

    @property
    def features(self) -> Features:
        """The front-end, with the training split's statistics."""
        return Features(self.config.features, **self.facts["statistics"], name="features")

    @property
    def front_ends(self) -> list[Features]:
        """The front-end at each speed at which the run hears a clip."""
        spec, statistics = self.config.features, self.facts["statistics"]
        # Named by their speeds: names that Keras makes up depend on what was built before.
        return [
            Features(spec, **statistics, speed=speed, name="features" if speed == 1 else f"features_at_{speed:g}")
            for speed in self.config.hear_at
        ]

    @property
    def network(self) -> keras.Model:
        """Features `(batch, time, feature)` to logits."""
        return next(layer for layer in self.model.layers if isinstance(layer, keras.Model))

    @property
    def history(self) -> list[dict[str, float]]:
        """One row an epoch; empty before the first has ended."""
        path = self.path / HISTORY
        if not path.exists():
            return []
        names, *rows = (line.split(",") for line in path.read_text("utf-8").splitlines())
        return [{name: float(value) for name, value in zip(names, row, strict=True)} for row in rows]

    @property
    def metrics(self) -> dict[str, Any] | None:
        """What the last evaluation on the test split measured; None before it."""
        path = self.path / METRICS
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    @property
    def is_preset(self) -> bool:
        """Whether it came without recordings, in a folder that is not to be written into."""
        return (self.path / CARD).exists()

    @property
    def evaluations(self) -> Path:
        """The folder for evaluations on anything but the run's own test split; for a preset, on that too."""
        return Path("runs", "evaluations", self.path.name) if self.is_preset else self.path / "evaluations"

    def utterances(self, split: str) -> list[Utterance]:
        """The recordings of the `train`, `validation` or `test` split; a preset lists only those of its test.

        Raises:
            UserError: a preset's test clips are not on this machine.
        """
        found = [item for item in read_manifest(self.path / MANIFEST).utterances if item.split == split]
        return self._at_hand(found) if self.is_preset and found else found

    def _at_hand(self, listed: list[Utterance]) -> list[Utterance]:
        """A preset's clips, which its manifest names from a folder of corpora, where this machine has them."""
        names = [os.path.relpath(item.path, self.path) for item in listed]
        for folder in filter(None, (os.environ.get("KERASR_DATA"), cache_folder())):
            if os.path.exists(os.path.join(folder, names[0])):
                paths = (os.path.abspath(os.path.join(folder, name)) for name in names)
                return [dataclasses.replace(item, path=path) for item, path in zip(listed, paths, strict=True)]
        raise UserError(
            f"{self.path.name}: the preset's test clips ({names[0]}, ...) are not on this machine: set KERASR_DATA to "
            "the folder that holds them, or name other recordings with --data"
        )

    def logits(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `(clips, outputs)` of waveforms `(samples,)` at the spec's rate, each on its own.

        Raises:
            UserError: a waveform is no sound (`kerasr.sound`), or the weights are damaged.
        """
        for number, waveform in enumerate(waveforms):
            if why := why_no_sound(waveform):
                raise UserError(f"waveform {number}, counted from 0, {why}")
        return self._logits(pad_clips(waveforms), np.array([len(waveform) for waveform in waveforms]))

    def probs(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities `(clips, labels)` of waveforms `(samples,)` at the spec's rate; errors as of `logits`."""
        return self._probs(self.logits(waveforms))

    def predict_files(self, paths: Sequence[str | os.PathLike[str]], notice: Notice | None = None) -> np.ndarray:
        """Probabilities `(files, labels)` of recordings of any format and rate.

        Args:
            paths: the recordings.
            notice: is told of each file that has been heard.

        Raises:
            UserError: one cannot be read, which the message names, or the weights are damaged.
        """
        found = [np.zeros((0, len(self.labels)), np.float32)]
        for batch in batch_clips(read_clip(os.fspath(path), self.config.features) for path in paths):
            found.append(self._probs(self._logits(*batch)))
            if notice is not None:
                notice.advance(len(found[-1]))
        return np.concatenate(found)

    def _logits(self, waveform: np.ndarray, num_samples: np.ndarray) -> np.ndarray:
        logits = keras.ops.convert_to_numpy(hear(self.front_ends, self.network, waveform, num_samples))
        if not np.isfinite(logits).all():
            raise UserError(f"{self.path / MODEL}: gives NaN: its weights are damaged; train anew")
        return logits

    def _probs(self, logits: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(self.task.probs(logits))


def hear(front_ends: Sequence[Features], network: keras.Model, *clips: Any) -> Any:
    """Logits `(batch, outputs)` of `waveform` `(batch, samples)` and, where given, `num_samples` `(batch,)`.

    With several front-ends, each at a speed of its own, the logits are averaged.
    """
    logits = [network(front_end(*clips), training=False) for front_end in front_ends]
    return keras.layers.average(logits) if len(logits) > 1 else logits[0]


def join(front_ends: Sequence[Features], network: keras.Model) -> keras.Model:
    """The front-ends and a network as one model, from waveform to logits."""
    waveform = keras.Input((None,), name="waveform")
    return keras.Model(waveform, hear(front_ends, network, waveform), name=f"{network.name}_from_waveform")


def new_run(config: TrainConfig, *, facts: dict[str, Any], utterances: Sequence[Utterance]) -> Run:
    """Make a folder of its own for a training: all of its first files, or no folder at all.

    Raises:
        OSError: `config.out` cannot be written.
    """
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now().astimezone()
    facts = {"format": FORMAT, "started": now.isoformat(timespec="seconds"), **facts, **provenance()}
    beside = Path(tempfile.mkdtemp(dir=out, prefix=".new-run-"))
    try:
        beside.chmod(0o755)
        (beside / CONFIG).write_text(json.dumps(to_json(config), indent=2) + "\n", "utf-8")
        (beside / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
        write_manifest(beside / MANIFEST, utterances)
        # Every run's folder has files from the start, so that no other can be renamed onto it.
        path = atomic.claim_folder(beside, (out / f"{now:%Y-%m-%d}-{config.recipe}-{number}" for number in count(1)))
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Run(path, config, facts)


def load_run(path: str | os.PathLike[str]) -> Run:
    """The run in a folder, or else the preset of that name.

    Raises:
        UserError: there is none, it is damaged, or another version of kerasr made it.
    """
    path = Path(path)
    if not (path / FACTS).exists():
        preset = preset_folder(os.fspath(path))
        if preset is None:
            presets = f", and the presets are {', '.join(list_presets())}" if list_presets() else ""
            raise UserError(
                f"{path}: no run is here (a run's folder holds {FACTS}); python -m kerasr.runs lists them{presets}"
            )
        path = preset
    facts = _read_json(path / FACTS)
    if facts.get("format") != FORMAT:
        raise UserError(
            f"{path}: this run has format {facts.get('format')} and kerasr {__version__} reads format {FORMAT}: "
            f"use kerasr {facts.get('versions', {}).get('kerasr', 'of its time')}, or train anew"
        )
    try:
        config = from_json(TrainConfig, _read_json(path / CONFIG))
    except UserError as error:
        raise UserError(
            f"{path / CONFIG}: holds what this version of kerasr does not take ({error}): "
            f"use kerasr {facts.get('versions', {}).get('kerasr', 'of its time')}, or train anew"
        ) from error
    return Run(path, config, facts)


def from_preset(name: str) -> Run:
    """The preset called `name`: a run that needs no training, to hear recordings with or to start another from.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    folder = preset_folder(name)
    if folder is None:
        raise UserError(f"no preset is called {name!r}: choose one of {', '.join(list_presets()) or 'none'}")
    return load_run(folder)


def list_runs(out: str | os.PathLike[str] = "runs") -> list[Path]:
    """The runs' folders under `out`, oldest first."""
    # A name with a dot is a folder that was being filled.
    found = [path.parent for path in Path(out).glob(f"[!.]*/{FACTS}")]
    return sorted(found, key=lambda path: (path / FACTS).stat().st_mtime)


def update_facts(run: Run, **facts: Any) -> None:
    """Add to `run.json`."""
    run.facts.update(facts)
    text = json.dumps(run.facts, indent=2, ensure_ascii=False) + "\n"
    atomic.write_bytes(run.path / FACTS, text.encode())


def provenance() -> dict[str, Any]:
    """Versions of what a result hangs on, the machine, and the command."""
    versions = {"kerasr": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # JAX alone needs no TensorFlow.
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = {"system": platform.platform(), "processor": _processor(), "cores": cores}
    command = shlex.join(["python", *sys.orig_argv[1:]])
    return {"versions": versions, "machine": machine, "command": command}


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _import_layers() -> None:
    """Loading a `.keras` file needs the classes of its layers to be registered."""
    import kerasr.layers
    import kerasr.recurrent  # noqa: F401


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is damaged ({_first_line(error)}); restore it, or train anew") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
