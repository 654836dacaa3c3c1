"""TensorBoard's settings, pictures and sounds, beside the curves that Keras's own callback writes."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasr.config import write_settings
from kerasr.core import atomic
from kerasr.data.clips import read_clip
from kerasr.data.spoken_text import said_in
from kerasr.evaluation.voice import energies_of
from kerasr.inference.synthesizer import make_synthesizer
from kerasr.report.clips import make_clip
from kerasr.report.figures import spectrogram_colours
from kerasr.report.page import FIGURES
from kerasr.runs.run import Run
from kerasr.tasks import Recognition
from kerasr.tasks.synthesize import Synthesize

FOLDER, PICTURES = "tensorboard", "pictures"

# Labels of which a clip is shown.
MAX_CLIPS = 12
# Sentences of the validation that a voice says at each epoch's end.
NUM_SENTENCES = 5


def write_beginning(run: Run) -> None:
    """Write the run's settings, and log-mel energies, into its `tensorboard/`.

    They are those of a training clip of each label; of a voice, of the recordings of the sentences that it is to say.

    Raises:
        UserError: a recording cannot be read.
    """
    with _writer(run).as_default(step=0):
        lines = write_settings(run.config).splitlines()
        tf.summary.text("settings", "\n".join(f"    {line}" for line in lines))
        if isinstance(run.task, Recognition):
            first = {run.recognition.said(item): item for item in reversed(run.utterances("train"))}
            for said in sorted(first)[:MAX_CLIPS]:
                clip = make_clip(run, first[said], predicted="", probability=0.0, correct=True)
                _write_energies(f"log-mel/{said}", clip.spectrogram)
        elif isinstance(run.task, Synthesize):
            spec = run.config.features
            for number, item in enumerate(run.utterances("validation")[:NUM_SENTENCES], 1):
                waveform = read_clip(item.path, spec)
                _write_sentence(f"{number} recorded", energies_of(waveform, spec), waveform, spec.sample_rate)


class SaidSentences(keras.callbacks.Callback):
    """At each epoch's end, what a voice makes of the first sentences of the validation.

    Args:
        run: a voice.
        network: its network, which is being trained.
    """

    def __init__(self, run: Run, network: keras.Model):
        super().__init__()
        spec, statistics = run.config.features, run.facts["statistics"]
        self._synthesizer = make_synthesizer(network, run.task, run.config, statistics, run.path, run.vocoder(None))
        self._items, self._rate = run.utterances("validation")[:NUM_SENTENCES], spec.sample_rate
        self._writer = _writer(run)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        with self._writer.as_default(step=epoch):
            for number, item in enumerate(self._items, 1):
                (speech, *_) = self._synthesizer.say(said_in(item), item.speaker)
                _write_sentence(f"{number} said", speech.log_mel, speech.waveform, self._rate)


def _write_sentence(name: str, energies: np.ndarray, waveform: np.ndarray, sample_rate: int) -> None:
    _write_energies(f"log-mel/{name}", energies)
    tf.summary.audio(f"sound/{name}", np.clip(waveform, -1, 1)[None, :, None], sample_rate)


def _write_energies(name: str, energies: np.ndarray) -> None:
    """Upwards, as a picture of sound is read: the lowest band is the last row."""
    tf.summary.image(name, np.swapaxes(spectrogram_colours(energies), 0, 1)[::-1][None])


def write_end(run: Run) -> None:
    """Write the pictures that a recogniser's task draws of its scores on validation clips into the `tensorboard/`.

    The weights are those that are kept, and the step is their epoch, from 0 as the curves have it.

    Raises:
        UserError: a recording cannot be read.
    """
    if not isinstance(run.task, Recognition):
        return
    utterances = run.utterances("validation")
    probs = run.predict_files([item.path for item in utterances])
    metrics = run.recognition.evaluate(run, utterances, probs, seed=run.config.runtime.seed)
    with _writer(run).as_default(step=run.facts["best_epoch"] - 1):
        for name in run.task.pictures(metrics):
            picture = tf.io.decode_png(FIGURES[name](metrics).png(), channels=3)
            tf.summary.image(f"validation/{name}", picture[None])


def own_folder(run: Run) -> Path:
    """The run's `tensorboard/`, with no link in the place of what is written there."""
    for name in ("train", "validation", PICTURES):
        atomic.without_links(run.path, FOLDER, name)
    return run.path / FOLDER


def _writer(run: Run) -> tf.summary.SummaryWriter:
    return tf.summary.create_file_writer(str(own_folder(run) / PICTURES))
