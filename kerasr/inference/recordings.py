"""Recordings that a model is given: found among names, decoded, and which part of them it is given."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from kerasr import audio
from kerasr.audio.sound import why_no_sound
from kerasr.config import FeatureSpec
from kerasr.data.clips import MAX_CLIP_SECONDS, read_clip
from kerasr.data.corpora.folder import walk_recordings
from kerasr.errors import UserError

Source = str | os.PathLike[str] | np.ndarray


@dataclass(frozen=True, eq=False)
class Clip:
    """What a model is given of a recording.

    Attributes:
        waveform: float32 `(samples,)` at the model's rate.
        path: of the recording; None for a waveform.
        seconds: how long the recording is.
        start: where the part that the model looks at begins, in seconds.
        end: where it ends.
    """

    waveform: np.ndarray
    path: str | None
    seconds: float
    start: float
    end: float


def is_one(source: Source | Sequence[Source]) -> TypeGuard[Source]:
    """Whether it is one recording or waveform, and no list, folder or pattern."""
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        return not os.path.isdir(name) and not _is_pattern(name)
    return isinstance(source, np.ndarray) and source.ndim == 1


def find_recordings(sources: Iterable[Source]) -> Iterator[Source | UserError]:
    """The recordings in folders and of patterns that a shell has left as they are; other names and waveforms as is.

    Yields:
        In order, each of them, or why a folder or a pattern has none.
    """
    for source in sources:
        name = "" if isinstance(source, np.ndarray) else os.fspath(source)
        if os.path.isdir(name):
            try:
                inside = list(walk_recordings(name))
            except UserError as error:
                yield error
                continue
            yield from inside or [
                UserError("no-recordings", f"{name}: holds no recording ({', '.join(audio.SUFFIXES)})")
            ]
        elif _is_pattern(name):
            yield from sorted(glob.glob(name)) or [UserError("no-recordings", f"{name}: no file is called so")]
        else:
            yield source


def make_clip(source: Source, spec: FeatureSpec) -> Clip:
    """The clip of a recording, of any format and rate, or of a waveform `(samples,)` at the spec's rate.

    Raises:
        UserError: a recording cannot be read, or is no sound; the message names the file and says why.
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 1 or not len(source):
            raise UserError("sound-invalid", f"a waveform has the shape (samples,), and this one {source.shape}")
        if why := why_no_sound(source):
            raise UserError("sound-invalid", f"a waveform {why}")
        seconds = decoded = len(source) / spec.sample_rate
        waveform, path = source, None
    else:
        path = os.fspath(source)
        waveform, seconds = read_clip(path, spec), audio.facts(path).duration
        # Of a recording of hours, only the beginning is decoded.
        decoded = min(seconds, max(MAX_CLIP_SECONDS, spec.clip_seconds or seconds))
    length = min(decoded, spec.clip_seconds or decoded)
    start = (decoded - length) / 2
    return Clip(waveform, path, seconds, start, start + length)


def _is_pattern(name: str) -> bool:
    return glob.has_magic(name) and not os.path.exists(name)
