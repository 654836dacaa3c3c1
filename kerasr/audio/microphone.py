"""The system's microphone and loudspeaker, by way of the extra `microphone`."""

import queue
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kerasr.core.console import make_console
from kerasr.core.extras import install_line
from kerasr.errors import UserError


class Loudspeaker:
    """Plays sounds, one after the other.

    Raises:
        UserError: sounddevice or PortAudio is not installed, or there is no loudspeaker.
    """

    def __init__(self) -> None:
        sounddevice = self._device = _sound_device()
        self._guarded(sounddevice.check_output_settings)

    def play(self, waveform: np.ndarray, sample_rate: int) -> None:
        """Begin to play `waveform` `(samples,)` once what was played before it has ended; `wait` tells the end.

        Raises:
            UserError: nothing can be played.
        """
        self.wait()
        self._guarded(lambda: self._device.play(waveform, sample_rate))

    def wait(self) -> None:
        """Return once all has been played."""
        self._device.wait()

    def _guarded(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except self._device.PortAudioError as error:
            raise UserError(
                "loudspeaker-unavailable", f"nothing can be played ({error}): plug in a loudspeaker, or write a file"
            ) from error


class Microphone:
    """Records a take, or listens on and on.

    Args:
        sample_rate: in Hz, of what is recorded.

    Raises:
        UserError: sounddevice or PortAudio is not installed, or there is no microphone.
    """

    def __init__(self, sample_rate: int) -> None:
        sounddevice = self._device = _sound_device()
        self._sample_rate = sample_rate
        self._guarded(lambda: sounddevice.check_input_settings(samplerate=sample_rate, channels=1))

    def record(self, seconds: float) -> np.ndarray:
        """The next seconds of sound, float32 `(samples,)`."""
        frames = round(seconds * self._sample_rate)
        return self._guarded(
            lambda: self._device.rec(frames, samplerate=self._sample_rate, channels=1, dtype="float32", blocking=True)
        )[:, 0]

    def chunks(self, seconds: float) -> Iterator[np.ndarray]:
        """The sound from now on, float32 `(samples,)`, in chunks of so many seconds until the process is stopped.

        Raises:
            UserError: the microphone does not start, or goes away.
        """
        recorded: queue.SimpleQueue[tuple[np.ndarray, Any] | None] = queue.SimpleQueue()
        # PortAudio calls back from a thread of its own, which must not wait for who takes the chunks.
        stream = self._guarded(
            lambda: self._device.InputStream(
                samplerate=self._sample_rate,
                blocksize=round(seconds * self._sample_rate),
                channels=1,
                dtype="float32",
                callback=lambda data, _frames, _time, flags: recorded.put((data[:, 0].copy(), flags)),
                finished_callback=lambda: recorded.put(None),
            )
        )
        is_told = False
        try:
            self._guarded(stream.start)
            while (found := recorded.get()) is not None:
                chunk, flags = found
                if flags.input_overflow and not is_told:
                    warning = "warning: some sound was lost, as this machine does not keep up"
                    make_console(stderr=True).print(warning, style="yellow")
                    is_told = True
                yield chunk
        finally:
            stream.close()
        raise UserError("microphone-unavailable", "the microphone has stopped: is it still plugged in?")

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except self._device.PortAudioError as error:
            raise UserError(
                "microphone-unavailable",
                f"the sound device does not work at {self._sample_rate} Hz ({error}); plug in a microphone, or try "
                "--sample-rate 44100",
            ) from error


def _sound_device() -> Any:
    """The package sounddevice."""
    try:
        import sounddevice  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError) as error:
        raise UserError(
            "microphone-unavailable",
            f"sound in and out needs sounddevice and PortAudio ({error}): {install_line('microphone')}, and on Linux "
            "install libportaudio2",
        ) from error
    return sounddevice
