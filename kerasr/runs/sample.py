"""A recording to try a run with, where nobody has one at hand."""

import os
from dataclasses import dataclass
from pathlib import Path

import soundfile

from kerasr.errors import UserError
from kerasr.presets import SAMPLE
from kerasr.runs.run import Run


@dataclass(frozen=True)
class Sample:
    """A recording and what it is.

    Attributes:
        path: the file.
        description: what it says and where it comes from, in words.
        label: what is said in it; None where that is not known.
    """

    path: Path
    description: str
    label: str | None


def find_sample(run: Run) -> Sample:
    """The recording that comes with a preset, or else the first of the run's test clips that there is.

    Raises:
        UserError: there is neither (`sample-not-found`).
    """
    own = run.path / SAMPLE
    if own.exists():
        with soundfile.SoundFile(own) as file:
            return Sample(own, file.comment or "the sample of this preset", file.title or None)
    try:
        clips = run.utterances("test")
    except UserError as error:  # A preset's test clips are not on this machine.
        raise UserError("sample-not-found", f"{run.path}: has no sample: {error}") from error
    clip = next((clip for clip in clips if os.path.exists(clip.path)), None)
    if clip is None:
        gone = f"its {len(clips)} test clips are no longer where they were" if clips else "it has no test clips"
        raise UserError("sample-not-found", f"{run.path}: has no sample: {gone}; name a recording of your own")
    said = "" if clip.label is None else f" labelled {clip.label}"
    return Sample(Path(clip.path), f"a test clip of this run{said}", clip.label)
