"""The system's microphone and loudspeaker, by way of the extra `microphone`."""

import queue
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kerasr.core.console import make_console
from kerasr.core.extras import install_line
from kerasr.errors import UserError


class Microphone:
    """Records a take, plays it, or listens on and on.

    Args:
        sample_rate: in Hz, of what is recorded and played.

    Raises:
        UserError: sounddevice or PortAudio is not installed, or there is no microphone.
    """

    def __init__(self, sample_rate: int) -> None:
        try:
            import sounddevice  # pyright: ignore[reportMissingImports]
        except (ImportError, OSError) as error:
            raise UserError(
                "microphone-unavailable",
                f"the microphone needs sounddevice and PortAudio ({error}): {install_line('microphone')}, and on "
                "Linux install libportaudio2",
            ) from error
        self._device = sounddevice
        self._sample_rate = sample_rate
        self._guarded(lambda: sounddevice.check_input_settings(samplerate=sample_rate, channels=1))

    def record(self, seconds: float) -> np.ndarray:
        """The next seconds of sound, float32 `(samples,)`."""
        frames = round(seconds * self._sample_rate)
        return self._guarded(
            lambda: self._device.rec(frames, samplerate=self._sample_rate, channels=1, dtype="float32", blocking=True)
        )[:, 0]

    def play(self, waveform: np.ndarray) -> None:
        """Play `waveform` `(samples,)`."""
        self._guarded(lambda: self._device.play(waveform, self._sample_rate, blocking=True))

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
