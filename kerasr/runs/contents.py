"""What a run's folder tells without its model: settings, facts, history, and the recordings it has learnt from."""

import contextlib
import functools
import os
from pathlib import Path
from typing import Any, Self

from kerasr.config import TrainConfig, read_json
from kerasr.core import atomic
from kerasr.core.imports import check_imported
from kerasr.data.known import KnownRecordings
from kerasr.data.manifest import Utterance, read_manifest
from kerasr.errors import UserError
from kerasr.presets import CARD
from kerasr.presets.recordings import find_clips
from kerasr.runs.decoding import read_calibration
from kerasr.runs.facts import HISTORY, LEARNT_FROM, MANIFEST, METRICS, OWN_LOOP, read_run
from kerasr.runs.find import find_run
from kerasr.runs.history import read_history
from kerasr.runs.network import make_task
from kerasr.tasks import Recognition, Task


class RunContents:
    """A run's folder, read when it is asked for; `Run` adds the model.

    Attributes:
        path: the folder.
        config: the settings it was trained with.
        facts: what `run.json` holds.
        labels: what the outputs stand for.
        task: what the network was trained for.
        in_memory: whether the folder goes with the process.
    """

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """The run in a folder, or else the preset of that name; errors as of `load_run`."""
        path = find_run(path)
        config, facts = read_run(path)
        check_imported(config.runtime.imports, path)
        return cls(path, config, facts)

    def __init__(self, path: Path, config: TrainConfig, facts: dict[str, Any]):
        self.path = path
        self.config = config
        self.facts = facts
        self.task: Task = make_task(path, config, facts)
        if isinstance(self.task, Recognition):
            self.task.calibration = read_calibration(facts)
        self.labels = self.task.labels
        self.in_memory = False

    @property
    def split_rule(self) -> str:
        """How the recordings were divided, in a sentence."""
        return self.facts["split_rule"]

    @property
    def has_builder(self) -> bool:
        """Whether kerasr can build its network anew: not one that was fitted in a loop of one's own."""
        return self.config.recipe != OWN_LOOP

    @property
    def history(self) -> list[dict[str, float]]:
        """One row an epoch; empty before the first has ended."""
        return read_history(self.path / HISTORY)

    @property
    def metrics(self) -> dict[str, Any] | None:
        """What the last evaluation on the test split measured; None before it."""
        path = self.path / METRICS
        return read_json(path) if path.exists() else None

    @property
    def is_preset(self) -> bool:
        """Whether it came without recordings, in a folder that is not to be written into."""
        return (self.path / CARD).exists()

    def evaluation_folder(self, name: str) -> Path:
        """Where to write an evaluation on anything but the run's own test split; for a preset, on that too."""
        if self.is_preset:
            return Path("runs", "evaluations", self.path.name, name)
        return atomic.without_links(self.path, "evaluations", name)

    def utterances(self, split: str) -> list[Utterance]:
        """The recordings of the `train`, `validation` or `test` split; a preset lists only those of its test.

        Raises:
            UserError: a preset's test clips are not on this machine.
        """
        found = [item for item in read_manifest(self.path / MANIFEST).utterances if item.split == split]
        return find_clips(self.path, found, self.config.data.path) if self.is_preset and found else found

    @functools.cached_property
    def known(self) -> KnownRecordings:
        """The recordings that its weights were trained on or chosen by, and those of the runs that it comes from."""
        return self.known_before | KnownRecordings([*self.utterances("train"), *self.utterances("validation")])

    @functools.cached_property
    def known_before(self) -> KnownRecordings:
        """The recordings that the runs which it comes from have learnt from; of a preset, its own too."""
        found = KnownRecordings(hashes=self._listed.read_text("utf-8").split() if self._listed.exists() else ())
        for parent in () if self.is_preset else self.config.transfer.runs:
            # What is gone has handed its hashes on; what is of an earlier version has none, but paths.
            with contextlib.suppress(UserError):
                found |= RunContents.read(parent).known
        return found

    @property
    def tells_all_known(self) -> bool:
        """Whether `known` holds all there is to know: a preset of an earlier version, and its heirs, tell little."""
        return self._listed.exists() or not (self.is_preset or self.config.transfer.runs)

    @property
    def known_speakers(self) -> set[str]:
        """Whose recordings it has learnt from, and the runs that it comes from."""
        own = {item.speaker for item in self.utterances("train") if item.speaker}
        return own.union(self.facts.get("train_speakers", ()))

    @property
    def _listed(self) -> Path:
        return self.path / LEARNT_FROM
