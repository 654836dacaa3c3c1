"""Recordings on disk: read as mono float32 at any rate, judged by their header, written as 16-bit WAV.

libsndfile decodes (WAV of any width, float WAV, FLAC, OGG, MP3, AIFF, ...) and soxr resamples. A path may name several
recordings, joined with pauses between them (`kerasr.audio.joined`).
"""

import io
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from kerasr.audio.joined import split_path
from kerasr.audio.sound import why_no_sound
from kerasr.core import atomic
from kerasr.core.regular import is_special
from kerasr.errors import UserError

# What a folder is searched for. libsndfile reads more than these, which a manifest may list.
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")

# Hz. Of less there is no speech, and at a common rate a small file of it would take more memory than there is.
MIN_SAMPLE_RATE = 1000

# Frames decoded at a time: a long recording with many channels is mixed down block by block.
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What the header of a recording says.

    Attributes:
        sample_rate: in Hz.
        num_samples: samples in each channel.
        channels: number of channels.
    """

    sample_rate: int
    num_samples: int
    channels: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sample_rate


def facts(path: str | os.PathLike[str]) -> AudioFacts:
    """What the header of the recording says; its samples are not decoded.

    Args:
        path: of any format.

    Returns:
        Its rate, its samples and its channels.

    Raises:
        UserError: the file is missing, may not be read, is no recording, or has no samples. The line names the file.
    """
    path = os.fspath(path)
    with _open(path) as file:
        return AudioFacts(file.samplerate, file.frames, file.channels)


def read(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    max_seconds: float | None = None,
    *,
    start_seconds: float = 0.0,
) -> tuple[np.ndarray, int]:
    """The recording as one channel, the mean of those it has.

    Args:
        path: any format that libsndfile reads, of any rate and width.
        sample_rate: resample to this rate in Hz; None keeps the recording's own.
        max_seconds: decode no more than this, so that a long file costs what is asked of it.
        start_seconds: where to begin.

    Returns:
        The waveform, float32 `(samples,)`, full scale at 1.0, and its rate in Hz. Resampling gives
        `ceil(samples * new / old)` samples, as `librosa.resample` does.

    Raises:
        UserError: the file is missing, may not be read, is no recording, breaks off in its header, has no samples, or
            has samples that are no sound (`kerasr.audio.sound`). The line names the file.
    """
    path = os.fspath(path)
    with _open(path) as file:
        rate = file.samplerate
        start = min(round(start_seconds * rate), file.frames)
        left = file.frames - start
        limit = left if max_seconds is None else min(left, math.ceil(max_seconds * rate))
        blocks: list[np.ndarray] = []
        try:
            if start:
                file.seek(start)
            while limit > 0:
                block = file.read(min(limit, _BLOCK), dtype="float32", always_2d=True)
                if len(block) == 0:
                    break
                blocks.append(_mix(path, block))
                limit -= len(block)
        except soundfile.LibsndfileError as error:
            raise UserError(
                "recording-unreadable", f"{path}: cannot be decoded ({_reason(error)}); remove it or record it again"
            ) from error
    if not blocks:
        raise UserError("recording-empty", f"{path}: has no samples; remove it or record it again")
    waveform = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    del blocks
    if sample_rate is None or sample_rate == rate:
        return np.ascontiguousarray(waveform), rate
    return resample(waveform, rate, sample_rate), sample_rate


def blocks(path: str | os.PathLike[str], sample_rate: int, seconds: float) -> Iterator[np.ndarray]:
    """The recording piece by piece, float32 `(samples,)` at `sample_rate`: a file of hours takes no more memory.

    Args:
        path: of any format and rate.
        sample_rate: in Hz, of the pieces.
        seconds: of a piece; the last one, and those of a rate that is converted, have other lengths.

    Raises:
        UserError: as `read` does.
    """
    path = os.fspath(path)
    with _open(path) as file:
        convert = resampler(file.samplerate, sample_rate)
        try:
            for block in file.blocks(max(1, round(seconds * file.samplerate)), dtype="float32", always_2d=True):
                yield convert(_mix(path, block), False)
        except soundfile.LibsndfileError as error:
            raise UserError(
                "recording-unreadable", f"{path}: cannot be decoded ({_reason(error)}); remove it or record it again"
            ) from error
        yield convert(np.zeros(0, np.float32), True)


def resampler(old_rate: int, new_rate: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """A function of the next samples of a stream, and of whether they are its last, to them at another rate.

    Args:
        old_rate: of the stream, in Hz.
        new_rate: of what is made of it, in Hz.
    """
    if old_rate == new_rate:
        return lambda samples, _: samples
    stream = soxr.ResampleStream(old_rate, new_rate, 1, dtype="float32", quality="HQ")
    return stream.resample_chunk


def resample(waveform: np.ndarray, old_rate: int, new_rate: int) -> np.ndarray:
    """The waveform `(samples,)` at another rate in Hz, by soxr at its high quality.

    Equal to `librosa.resample` with `res_type="soxr_hq"`, without the seconds that importing librosa takes.

    Args:
        waveform: float32 `(samples,)`.
        old_rate: its rate, in Hz.
        new_rate: the other, in Hz.

    Returns:
        float32 `(samples,)`, as many as `ceil(samples * new_rate / old_rate)`.
    """
    num_samples = math.ceil(len(waveform) * new_rate / old_rate)
    resampled = soxr.resample(waveform, old_rate, new_rate, quality="HQ")[:num_samples]
    return np.pad(resampled, (0, num_samples - len(resampled)))


def write(path: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int) -> None:
    """Write `waveform` `(samples,)` as a mono 16-bit WAV file, whole or not at all; beyond full scale it is clipped.

    Args:
        path: of the file; its folder must be there.
        waveform: float `(samples,)` in [-1, 1].
        sample_rate: in Hz.

    Raises:
        ValueError: the waveform has more than one axis, no samples, or samples that are not finite.
        OSError: the file cannot be written.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not len(waveform) or not np.isfinite(waveform).all():
        raise ValueError(f"a waveform is a line of finite samples; this one has shape {waveform.shape} or holds NaN")
    memory = io.BytesIO()
    soundfile.write(memory, np.clip(waveform, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    atomic.write_bytes(path, memory.getvalue())


def _mix(path: str, block: np.ndarray) -> np.ndarray:
    """One channel `(samples,)` of a block `(samples, channels)`, or the line that says why it is no sound."""
    if why := why_no_sound(block):
        raise UserError("sound-invalid", f"{path}: {why}; remove it or export it again")
    return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)


def _open(path: str) -> soundfile.SoundFile:
    """The recording, open and known to have samples, or the line that says why not."""
    paths, pauses = split_path(path)
    if pauses:
        return _join(paths, pauses)
    if is_special(path):
        raise UserError("recording-unreadable", f"{path}: is a pipe or a device, not a recording; remove it")
    try:
        # As bytes, a name that is no valid text opens too; Windows has no such names, and soundfile wants text there.
        file = soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path))
    except (soundfile.SoundFileError, OSError, TypeError, UnicodeError) as error:
        raise _diagnose(path, error) from error
    if file.frames <= 0:
        file.close()
        raise UserError("recording-empty", f"{path}: has no samples; remove it or record it again")
    if file.samplerate < MIN_SAMPLE_RATE:
        file.close()
        why = f"has {file.samplerate} samples a second, and speech needs {MIN_SAMPLE_RATE} at least"
        raise UserError("recording-unreadable", f"{path}: {why}; remove it or record it again")
    return file


def _join(paths: list[str], pauses: list[float]) -> soundfile.SoundFile:
    """Recordings with silence between them, at the rate of the first, as a file in memory."""
    first, rate = read(paths[0])
    parts = [first]
    for path, pause in zip(paths[1:], pauses, strict=True):
        parts += [np.zeros(round(pause * rate), np.float32), read(path, rate)[0]]
    memory = io.BytesIO()
    soundfile.write(memory, np.concatenate(parts), rate, format="WAV", subtype="FLOAT")
    memory.seek(0)
    return soundfile.SoundFile(memory)


def _diagnose(path: str, error: Exception) -> UserError:
    """Why a recording does not open: libsndfile says `System error` for most of it."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except (FileNotFoundError, ValueError):  # ValueError: the name holds a zero byte.
        return UserError("recording-not-found", f"{path}: there is no such file")
    except IsADirectoryError:
        return UserError("recording-not-found", f"{path}: is a folder, not a recording")
    except OSError as refusal:
        why = f"cannot be read ({refusal.strerror}); check its permissions"
        return UserError("recording-unreadable", f"{path}: {why}")
    if not start:
        return UserError("recording-empty", f"{path}: is an empty file; remove it or record it again")
    if start[:4] in (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM"):
        why = f"its header is cut short or damaged ({_reason(error)}); remove it or record it again"
    else:
        why = f"is not a recording in a known format ({_reason(error)}); remove it, or convert it to WAV"
    return UserError("recording-unreadable", f"{path}: {why}")


def _reason(error: Exception) -> str:
    """What libsndfile says of it."""
    words = getattr(error, "error_string", str(error))
    return words.strip().rstrip(".")
