"""What the tasks share whose networks make speech: a voice, and a vocoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kerasr.audio.features import Features
from kerasr.config import TrainConfig, name_of
from kerasr.core.scores import Monitor
from kerasr.data.corpora.read_aloud import is_read_aloud
from kerasr.errors import UserError
from kerasr.metrics.judgement import Judgement
from kerasr.tasks.base import Task


class SpeechTask(Task):
    """A task whose network makes energies, or waveforms of them, as of the recordings: these stay as they are."""

    monitor = Monitor("val_loss", "min")
    min_labels = 0
    blends = False
    keeps_order = True

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Raise where a setting is of tasks that read recordings."""
        if unsuited := [name for name in config.given if name.startswith(("augment.", "transfer."))]:
            flag = f"--{name_of(unsuited[0])}"
            raise UserError("settings-conflict", f"{flag}: a {cls.kind} is taught recordings as they are: leave it out")
        if config.data.synthetic_voices or (config.data.flite_clips and not is_read_aloud(config.data.path)):
            raise UserError(
                "settings-conflict",
                f"--synthetic-voices and --flite-clips say single words, and a {cls.kind} learns of sentences: "
                "--synthetic-voices 0 --flite-clips 0",
            )
        if config.features.kind != "log_mel" or config.features.num_deltas:
            raise UserError("settings-conflict", f"--features.kind: a {cls.kind} has log_mel energies, without deltas")

    def whole_model(self, front_ends: Sequence[Features], network: keras.Model) -> keras.Model:
        """The network: no recording is read when it speaks."""
        return network

    def metrics(self) -> list[keras.metrics.Metric]:
        """None beside the losses, which the history has."""
        return []

    def judge(self, metrics: Mapping[str, Any]) -> list[Judgement]:
        """Nothing is judged yet."""
        return []

    def headline(self, metrics: Mapping[str, Any]) -> str:
        """How far it is from the recordings."""
        return f"mel-cepstral distortion {metrics['distortion_db']:.1f} dB"

    def pictures(self, metrics: Mapping[str, Any]) -> list[str]:
        """None but the recordings' own."""
        return []
