"""What a voice has said: a sound, its energies, and how long each of its tokens sounds."""

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from kerasr.errors import UserError

# What files of it say of themselves.
MARK = "synthetic speech, kerasr"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Speech:
    """A text as a voice says it.

    Attributes:
        text: what is said, normalised.
        voice: who says it; "" where the voice has no name.
        waveform: float32 `(samples,)`.
        sample_rate: in Hz.
        log_mel: float32 `(time, n_mels)` energies in dB that it was made of.
        alignment: each token, with when it begins and ends, in seconds.
    """

    text: str
    voice: str
    waveform: np.ndarray
    sample_rate: int
    log_mel: np.ndarray
    alignment: tuple[tuple[str, float, float], ...]

    @classmethod
    def join(cls, parts: Sequence["Speech"]) -> "Speech":
        """What a voice has said in parts, as one."""
        ends = np.cumsum([0.0] + [part.seconds for part in parts]).tolist()
        return cls(
            text=" ".join(part.text for part in parts),
            voice=parts[0].voice,
            waveform=np.concatenate([part.waveform for part in parts]),
            sample_rate=parts[0].sample_rate,
            log_mel=np.concatenate([part.log_mel for part in parts]),
            alignment=tuple(
                (token, start + before, end + before)
                for part, before in zip(parts, ends, strict=False)
                for token, start, end in part.alignment
            ),
        )

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.waveform) / self.sample_rate

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a sound file that says of itself that nobody has spoken it.

        Args:
            path: of the file, whose suffix is its format: .wav, .flac, .ogg, ...; its folder must be there.

        Raises:
            OSError: the file cannot be written.
            ValueError: there is no such format.
        """
        with SpeechFile(path) as file:
            file.write(self)

    def __repr__(self) -> str:
        by = f", voice={self.voice!r}" if self.voice else ""
        return f"Speech({self.text!r}{by}, {self.seconds:.1f} s)"

    def _repr_html_(self) -> str:
        """What a notebook shows: a player."""
        memory = io.BytesIO()
        soundfile.write(memory, np.clip(self.waveform, -1, 1), self.sample_rate, format="WAV", subtype="PCM_16")
        sound = base64.b64encode(memory.getvalue()).decode()
        return f'<audio controls src="data:audio/wav;base64,{sound}"></audio>'


class SpeechFile:
    """A sound file that is written part by part, and is there, whole, once the last part is.

    Use as a context manager. It says of itself that nobody has spoken it.

    Args:
        path: of the file, whose suffix is its format.

    Raises:
        UserError: there is no such format.
        OSError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._path = Path(path)
        self._kind = self._path.suffix.removeprefix(".").upper()
        if self._kind not in soundfile.available_formats():
            raise UserError("format-unsupported", f"{path}: no sound is written as {self._kind!r}: name a .wav file")
        self._beside = self._path.with_name(f".{self._path.name}.part")
        self._file: soundfile.SoundFile | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, part: Speech) -> None:
        """Add a part."""
        file = self._file = self._file or self._begin(part.sample_rate)
        file.write(np.clip(part.waveform, -1, 1))

    def _begin(self, sample_rate: int) -> soundfile.SoundFile:
        file = soundfile.SoundFile(self._beside, "w", sample_rate, 1, format=self._kind)
        if self._kind in ("WAV", "FLAC", "OGG", "AIFF"):
            file.comment = MARK
        return file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            if kind is None:
                os.replace(self._beside, self._path)
            else:
                self._beside.unlink()
