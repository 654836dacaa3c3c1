"""Ctrl-C that is neither lost nor does harm.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside an import, a garbage collection or
TensorFlow's C++ it is swallowed, comes out as another error, or crashes the process.
"""

import os
import signal
import threading
from types import TracebackType

_NOTICE = b"stopping where nothing is lost; press Ctrl-C again to stop at once\n"


class Stopped(KeyboardInterrupt):
    """Ctrl-C after which it is known what stands, and what goes on from there.

    Args:
        said: what has become of the work.
        command: what to type next.
    """

    def __init__(self, said: str, command: str):
        super().__init__(f"{said}; go on with {command}")
        self.said, self.command = said, command


class Interruption:
    """A block that Ctrl-C leaves by KeyboardInterrupt: at its end at the latest, and whatever has become of it inside.

    Where Ctrl-C cannot be watched (in another thread than the main one, or where the program has a handler of its own)
    it does nothing.

    Args:
        held: hold the first Ctrl-C back until `obey` or the block's end.

    Attributes:
        asked: whether Ctrl-C has been pressed.
    """

    def __init__(self, *, held: bool = False):
        self.asked = False
        self._held = held

    def __enter__(self) -> "Interruption":
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # What a Ctrl-C that was held back cannot have caused is an error of its own.
        if self.asked and not isinstance(error, KeyboardInterrupt) and (error is None or not self._held):
            raise KeyboardInterrupt from None

    def _note(self, *_: object) -> None:
        is_first, self.asked = not self.asked, True
        if not (self._held and is_first):
            raise KeyboardInterrupt
        # Not by `print`, in which the main thread may be.
        os.write(2, _NOTICE)

    def obey(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C has been pressed."""
        if self.asked:
            raise KeyboardInterrupt
