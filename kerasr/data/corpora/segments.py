"""Segments of long recordings as recordings of their own, in the cache.

Whatever reads a recording then reads a segment. They are cut anew where a recording or a segment has changed.
"""

import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from urllib.parse import quote

from kerasr import audio
from kerasr.core import atomic
from kerasr.core.progress import map_threaded
from kerasr.data.corpora.user_cache import made_folder, mark_used, writable_cache
from kerasr.errors import UserError

NAME = "segments"
# Seconds by which a segment may end after its recording, as Kaldi's `extract-segments` allows.
MOST_OVERSHOOT = 0.5

_VERSION = 1


@dataclass(frozen=True)
class Segment:
    """A part of a recording.

    Attributes:
        recording: absolute path.
        start: in seconds.
        end: in seconds; None for the recording's own.
    """

    recording: str
    start: float
    end: float | None


def cut_segments(segments: Mapping[str, Segment]) -> tuple[str, dict[str, str], list[tuple[str, str]]]:
    """Cut segments out of their recordings, as WAV files of one channel and 16 bits; once, while the cache is kept.

    Args:
        segments: by name.

    Returns:
        The folder, the path of each that could be cut, and paths and reasons of the others.

    Raises:
        UserError: the cache cannot be written.
    """
    problems = _problems(segments)
    sound = {name: segment for name, segment in segments.items() if name not in problems}
    stats = {path: os.stat(path) for path in {segment.recording for segment in sound.values()}}
    facts = [
        [name, *astuple(segment), stats[segment.recording].st_size, stats[segment.recording].st_mtime_ns]
        for name, segment in sorted(sound.items())
    ]
    folder = made_folder(writable_cache(), NAME, [_VERSION, facts])
    files = {name: f"{quote(name, safe='')}.wav" for name in sound}

    def cut(name: str, beside: str) -> None:
        one = sound[name]
        seconds = None if one.end is None else round(one.end - one.start, 6)
        try:
            waveform, rate = audio.read(one.recording, max_seconds=seconds, start_seconds=one.start)
        except UserError:
            return
        audio.write(os.path.join(beside, files[name]), waveform, rate)

    if not os.path.isdir(folder):
        with atomic.new_folder(folder) as beside:
            for _ in map_threaded(lambda name: cut(name, beside), list(sound), "Cutting segments"):
                pass
    mark_used([folder])
    present = set(os.listdir(folder))
    problems |= {name: "cannot be decoded there" for name in sound if files[name] not in present}
    bad = [(segments[name].recording, f"{name}: {problem}") for name, problem in problems.items()]
    return folder, {name: os.path.join(folder, files[name]) for name in sound if name not in problems}, bad


def _problems(segments: Mapping[str, Segment]) -> dict[str, str]:
    """Why segments cannot be cut, by the headers of their recordings."""
    paths = sorted({segment.recording for segment in segments.values()})
    found = dict(zip(paths, map_threaded(_duration, paths, "Reading headers"), strict=True))
    problems = {}
    for name, one in segments.items():
        length = found[one.recording]
        if isinstance(length, str):
            problems[name] = length
        elif one.start >= length or (one.end or 0) > length + MOST_OVERSHOOT:
            end = "its end" if one.end is None else f"{one.end:g} s"
            problems[name] = f"is from {one.start:g} s to {end}, and the recording ends at {length:g} s"
    return problems


def _duration(path: str) -> float | str:
    """In seconds, or why there is none."""
    try:
        return audio.facts(path).duration
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
