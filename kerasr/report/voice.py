"""The page of a voice: sentences as it says them beside the recordings, to look at and to play."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from kerasr.core import atomic
from kerasr.core.scores import Monitor
from kerasr.decoding.alignment import FrameTimes
from kerasr.inference.speech import Speech
from kerasr.report.clips import sound_file
from kerasr.report.figures import draw_training, spectrogram_colours
from kerasr.report.page import PAGE, PICTURES, write_metrics, write_pictures
from kerasr.report.render import write_page
from kerasr.report.style import FAINT, INK, RIGHT, STYLE, WIDTH, Picture, shorten

BARS = "Bars: how long each character sounds. "
# The page's template.
TEMPLATE = "voice.html"
# Inches that a second takes: its characters stand beside each other.
_INCHES_A_SECOND = 2.4


@dataclass(frozen=True, kw_only=True, eq=False)
class Sentence:
    """A sentence of the test, as the voice says it and as it was recorded.

    Attributes:
        path: the recording.
        speech: what the voice says.
        energies: float32 `(time, n_mels)` of the recording, in dB.
        waveform: of the recording, at the speech's rate.
        times: when the frames of both are.
        heard: by each judge's name, each word beside the one that was heard, "" where there is none.
    """

    path: str
    speech: Speech
    energies: np.ndarray
    waveform: np.ndarray
    times: FrameTimes
    heard: Mapping[str, Sequence[tuple[str, str]]]

    @property
    def sounds(self) -> tuple[bytes, bytes]:
        """WAV files' contents: the recording, and the speech."""
        rate = self.speech.sample_rate
        return sound_file(self.waveform, rate), sound_file(self.speech.waveform, rate)


def write_voice_report(
    folder: str | os.PathLike[str],
    *,
    title: str,
    subtitle: str,
    metrics: Mapping[str, Any],
    tiles: Mapping[str, str],
    facts: Mapping[str, str],
    notes: Sequence[str],
    history: Sequence[Mapping[str, float]],
    kept: int | None,
    monitor: Monitor,
    sentences: Sequence[Sentence],
) -> Path:
    """Write `metrics.json`, `pictures/*.png` and `report.html`, each whole or not at all, the page last.

    Args:
        folder: made where it is missing.
        title: the page's heading.
        subtitle: what was measured on what, in a line.
        metrics: of `kerasr.evaluation.voice`.
        tiles: name and value of the few numbers that stand beside the headline.
        facts: name and value of all that is worth knowing about the run, in order.
        notes: what a reader must know to judge the scores.
        history: one row an epoch.
        kept: the epoch whose weights are kept, from 1; None where that is not known.
        monitor: the history's column that tells which is the best.
        sentences: those that are shown.

    Returns:
        The path of the page.

    Raises:
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    atomic.without_links(folder, PICTURES).mkdir(parents=True, exist_ok=True)
    pictures = [draw_sentence(sentence, number) for number, sentence in enumerate(sentences, 1)]
    named = [picture.name for picture in pictures]
    if history:
        pictures.append(draw_training(history, kept, monitor))
    drawn = write_pictures(folder / PICTURES, pictures)
    write_metrics(folder, metrics, notes, facts)
    write_page(
        folder / PAGE,
        TEMPLATE,
        title=title,
        subtitle=subtitle,
        metrics=metrics,
        tiles=tiles,
        facts=facts,
        notes=notes,
        sentences=list(zip(named, sentences, strict=True)),
        **drawn,
    )
    return folder / PAGE


def draw_sentence(sentence: Sentence, number: int = 1) -> Picture:
    """The recording's energies, the speech's under them, and how long each token sounds in it.

    Args:
        sentence: what is drawn.
        number: tells its file from those of others.
    """
    speech, times = sentence.speech, sentence.times
    seconds = max(speech.seconds, times.span(0, len(sentence.energies) - 1)[1])
    width = max(WIDTH, 0.9 + _INCHES_A_SECOND * seconds)
    with mpl.rc_context(STYLE):
        note = f"{BARS if speech.alignment else ''}{shorten(Path(sentence.path).name, 24)}"
        picture = Picture(f"sentence-{number}", width, 4.2, shorten(speech.text, round(11 * width)), note)
        recorded, spoken, bars = picture.subplots(3, 1, height_ratios=(1, 1, 0.35))
        for axes, energies, name in ((recorded, sentence.energies, "recording"), (spoken, speech.log_mel, "voice")):
            colours = np.swapaxes(spectrogram_colours(energies), 0, 1)
            extent = (*times.span(0, len(energies) - 1), 0, 1)
            axes.imshow(colours, origin="lower", aspect="auto", extent=extent, interpolation="none")
            axes.set(xlim=(0, seconds), xticks=[], yticks=[], ylabel=name)
        _draw_bars(bars, speech)
        bars.set(xlim=(0, seconds), ylim=(0, 1), yticks=[], xlabel="seconds")
        bars.set_xticks(np.arange(0, seconds, 0.5 if seconds > 1 else 0.1))
        bars.xaxis.set_major_formatter("{x:g}")
        for axes in (recorded, spoken, bars):
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
    return picture


def _draw_bars(axes: Axes, speech: Speech) -> None:
    """Each token from its beginning to its end, and its character in it."""
    for token, start, end in speech.alignment:
        is_silence = not token.strip()
        axes.barh(0.5, end - start, 0.8, start, color=FAINT if is_silence else RIGHT, edgecolor="white", linewidth=0.6)
        if not is_silence:
            axes.text((start + end) / 2, 0.5, token, ha="center", va="center", fontsize=7, color=INK)
