"""The child process that knows how words are said: texts as JSON on stdin, a line each, and their phonemes on stdout.

espeak-ng keeps its state in globals and may end the process: in a process of its own it can do no harm. It runs by
path, and so imports nothing of kerasr. The working directory holds espeak-ng's data: its buffer for that path is too
short for many a real one.
"""

import ctypes
import json
import sys

DATA_FOLDER = "espeak-ng-data"
# From speak_lib.h: espeak_AUDIO_OUTPUT, the options of espeak_Initialize, espeakCHARS_UTF8, espeakPHONEMES_IPA.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_UTF8 = 1
_IPA = 2


class Speller:
    """espeak-ng behind its C interface."""

    def __init__(self, library: str, voice: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        if self._library.espeak_Initialize(_SYNCHRONOUS, 0, DATA_FOLDER.encode(), _DONT_EXIT) <= 0:
            raise RuntimeError("espeak-ng does not find its data; reinstall espeakng-loader")
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice!r}")

    def spell(self, text: str) -> str:
        """The phonemes of a text, clause by clause."""
        buffer = ctypes.create_string_buffer(text.encode())
        place = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while place.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, _IPA).decode())
        return " ".join(clauses)


def main() -> None:
    """Answer each text, until there are no more."""
    speller = Speller(*json.loads(sys.stdin.readline()))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(speller.spell(json.loads(line))), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError) as error:
        sys.exit(str(error))
