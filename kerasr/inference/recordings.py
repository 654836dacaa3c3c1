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
from kerasr.inference.download import fetched, is_url

Source = str | os.PathLike[str] | np.ndarray


@dataclass(frozen=True, eq=False)
class Clip:
    """What a model is given of a recording.

    Attributes:
        waveform: float32 `(samples,)` at the model's rate; None of a long file, which is read piece by piece.
        path: of the recording, or its address; None for a waveform.
        seconds: how long the recording is.
        start: where the part that the model looks at begins, in seconds.
        end: where it ends.
        in_windows: whether it is long, and the model looks at it in windows.
    """

    waveform: np.ndarray | None
    path: str | None
    seconds: float
    start: float
    end: float
    in_windows: bool = False

    def blocks(self, sample_rate: int, seconds: float) -> Iterator[np.ndarray]:
        """The waveform piece by piece, float32 `(samples,)` at the model's rate.

        Args:
            sample_rate: the model's.
            seconds: of a piece.

        Raises:
            UserError: a file cannot be read; the message names it.
        """
        if self.waveform is None:
            return audio.blocks(self.path or "", sample_rate, seconds)
        size = round(seconds * sample_rate)
        return (self.waveform[start : start + size] for start in range(0, len(self.waveform), size))


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


def make_clip(source: Source, spec: FeatureSpec, *, windows: bool = False) -> Clip:
    """The clip of a recording, of any format and rate, or of a waveform `(samples,)` at the spec's rate.

    A recording is a file, or an address of `http` or `https`, which is fetched.

    Args:
        source: the recording.
        spec: of the model's front-end.
        windows: whether the model looks at all of it, and in windows where it is longer than `MAX_CLIP_SECONDS`.

    Raises:
        UserError: a recording cannot be fetched or read, or is no sound; the message names it and says why.
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
        if windows and not is_url(path) and (seconds := audio.facts(path).duration) > MAX_CLIP_SECONDS:
            return Clip(None, path, seconds, 0.0, seconds, in_windows=True)
        waveform, seconds = _read(path, spec)
        # Of a recording of hours, only the beginning is decoded.
        decoded = min(seconds, max(MAX_CLIP_SECONDS, spec.clip_seconds or seconds))
    length = min(decoded, spec.clip_seconds or decoded)
    start = (decoded - length) / 2
    return Clip(waveform, path, seconds, start, start + length, windows and seconds > MAX_CLIP_SECONDS)


def check_some_readable(sources: Sequence[Source]) -> list[UserError]:
    """Why none of the recordings can be read, by their headers alone; nothing where one can, or is yet to be fetched.

    Imports no framework.
    """
    faults = []
    for found in find_recordings(sources):
        if isinstance(found, UserError):
            faults.append(found)
        elif isinstance(found, np.ndarray) or is_url(os.fspath(found)):
            return []
        else:
            try:
                audio.facts(found)
            except UserError as error:
                faults.append(error)
            else:
                return []
    return faults


def _read(path: str, spec: FeatureSpec) -> tuple[np.ndarray, float]:
    """The waveform of a recording that the model looks at, and the seconds of all of it."""
    if not is_url(path):
        return read_clip(path, spec), audio.facts(path).duration
    with fetched(path) as file:
        try:
            return read_clip(file, spec), audio.facts(file).duration
        except UserError as error:
            reason = str(error).removeprefix(f"{file}: ").partition(";")[0]
            raise UserError("recording-unreadable", f"{path}: what is there {reason}; check the address") from error


def _is_pattern(name: str) -> bool:
    return glob.has_magic(name) and not is_url(name) and not os.path.exists(name)
