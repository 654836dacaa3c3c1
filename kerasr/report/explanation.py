"""A picture of the attribution of a recording's predicted word."""

from pathlib import Path

import numpy as np

from kerasr.audio.features import mel_matrix
from kerasr.core import atomic
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Utterance
from kerasr.inference.attribution import Explainer
from kerasr.report.clips import explain_clip, make_clip
from kerasr.report.figures import draw_explanation
from kerasr.runs.run import Run


def write_explanation(run: Run, explainer: Explainer, recording: str, path: Path) -> None:
    """Draw what in a recording spoke for the predicted word.

    Args:
        run: whose model predicts it.
        explainer: the run's.
        recording: of any format and rate.
        path: the PNG file to write, whole or not at all.

    Raises:
        UserError: the recording cannot be read.
        OSError: the picture cannot be written.
    """
    spec = run.config.features
    waveform = read_clip(recording, spec)
    probs = run.probs([waveform])[0]
    predicted = int(probs.argmax())
    clip = make_clip(
        run, Utterance(recording), predicted=run.labels[predicted], probability=float(probs[predicted]), correct=True
    )
    where = explainer.grad_cam(waveform, predicted)
    band_hz = mel_matrix(spec).argmax(0) * spec.sample_rate / spec.n_fft
    shown = None if where is None else where[: len(clip.spectrogram)]
    picture = draw_explanation(explain_clip(clip, run, explainer), shown, np.maximum.accumulate(band_hz))
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(path, picture.png())
