"""TensorBoard's settings and pictures, beside the curves that Keras's own callback writes."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasr.config import write_settings
from kerasr.core import atomic
from kerasr.report.clips import make_clip
from kerasr.report.figures import spectrogram_colours
from kerasr.report.page import FIGURES
from kerasr.runs.run import Run

FOLDER, PICTURES = "tensorboard", "pictures"

# Labels of which a clip is shown.
MAX_CLIPS = 12


def write_beginning(run: Run) -> None:
    """Write the run's settings, and the log-mel energies of a training clip of each label, into its `tensorboard/`.

    Raises:
        UserError: a recording cannot be read.
    """
    first = {run.recognition.said(item): item for item in reversed(run.utterances("train"))}
    with _writer(run).as_default(step=0):
        lines = write_settings(run.config).splitlines()
        tf.summary.text("settings", "\n".join(f"    {line}" for line in lines))
        for said in sorted(first)[:MAX_CLIPS]:
            clip = make_clip(run, first[said], predicted="", probability=0.0, correct=True)
            # Upwards, as a picture of sound is read: the lowest band is the last row.
            colours = np.swapaxes(spectrogram_colours(clip.spectrogram), 0, 1)[::-1]
            tf.summary.image(f"log-mel/{said}", colours[None])


def write_end(run: Run) -> None:
    """Write the pictures that the task draws of its scores, here of the validation clips, into the `tensorboard/`.

    The weights are those that are kept, and the step is their epoch, from 0 as the curves have it.

    Raises:
        UserError: a recording cannot be read.
    """
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
