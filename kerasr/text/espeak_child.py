"""The child process that speaks, or tells how texts are said; what it is asked is a line of JSON on stdin.

Of `jobs` it makes WAV files, with a line on stdout for every few of them. Of a `voice` it answers each further line, a
text, with one of its phonemes.

espeak-ng keeps its state in globals, may end the process, and has random numbers that depend on all it said before. In
a process of its own it can do no harm, and the same jobs give the same bytes. It runs by path, and so imports nothing
of kerasr. The working directory holds espeak-ng's data: its buffer for that path is too short for many a real one.
"""

import ctypes
import json
import sys
import wave

DATA_FOLDER = "espeak-ng-data"
# From speak_lib.h: espeak_AUDIO_OUTPUT, the options of espeak_Initialize, espeak_PARAMETER, the flags of espeak_Synth
# and of espeak_TextToPhonemes.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4
_POSITION_CHARACTER = 1
_UTF8 = 1
# Text in [[double brackets]] is phonemes, in espeak-ng's own notation.
_PHONEMES = 0x100
_IPA = 2

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_REPORT_EVERY = 50
# A command or a name is over long before; what takes longer is a text, or a word read out letter by letter.
_LONGEST_SECONDS = 10.0


class Speaker:
    """espeak-ng behind its C interface."""

    def __init__(self, library: str) -> None:
        self._library = ctypes.CDLL(library)
        self._declare(self._library)
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, DATA_FOLDER.encode(), _DONT_EXIT)
        if self.sample_rate <= 0:
            raise RuntimeError("espeak-ng does not find its data; reinstall espeakng-loader")
        self._blocks: list[bytes] = []
        # The library keeps the pointer alone: this attribute keeps the callback alive.
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    @staticmethod
    def _declare(library: ctypes.CDLL) -> None:
        """C's argument types, without which ctypes guesses."""
        library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        library.espeak_SetParameter.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
        library.espeak_SetSynthCallback.argtypes = [_CALLBACK]
        library.espeak_SetSynthCallback.restype = None
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p

    def _receive(self, samples, count, _events) -> int:
        if samples and count > 0:
            self._blocks.append(ctypes.string_at(samples, 2 * count))
        return 0

    def choose(self, voice: str) -> None:
        """Speak with a voice, in its language."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice!r}; reinstall espeakng-loader")

    def spell(self, text: str) -> str:
        """The phonemes of a text in the International Phonetic Alphabet, clause by clause."""
        buffer = ctypes.create_string_buffer(text.encode())
        place = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while place.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, _IPA).decode())
        return " ".join(clauses)

    def say(self, text: str, voice: str, rate: int, pitch: int, pitch_range: int) -> bytes:
        """The text spoken, as samples of 16 bits in the machine's order; empty where the voice says nothing."""
        self.choose(voice)
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._blocks.clear()
        # A voice's breath is noise, seeded with the time of day unless it is set.
        self._library.espeak_ng_SetRandSeed(1)
        terminated = text.encode() + b"\0"
        flags = _UTF8 | _PHONEMES
        code = self._library.espeak_Synth(terminated, len(terminated), 0, _POSITION_CHARACTER, 0, flags, None, None)
        if code != 0:
            raise RuntimeError(f"espeak-ng cannot say {text!r} (error {code})")
        return b"".join(self._blocks)


def main() -> None:
    """Do what is asked."""
    request = json.loads(sys.stdin.readline())
    speaker = Speaker(request["library"])
    if "jobs" in request:
        speak(speaker, request["jobs"])
    else:
        spell(speaker, request["voice"])


def spell(speaker: Speaker, voice: str) -> None:
    """Answer each text, until there are no more."""
    speaker.choose(voice)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(speaker.spell(json.loads(line))), flush=True)


def speak(speaker: Speaker, jobs: list[dict]) -> None:
    """Speak every job; a job is `path`, `text`, `voice`, `rate`, `pitch` and `pitch_range`."""
    for number, job in enumerate(jobs, start=1):
        samples = speaker.say(job["text"], job["voice"], job["rate"], job["pitch"], job["pitch_range"])
        seconds = len(samples) / 2 / speaker.sample_rate
        if seconds > _LONGEST_SECONDS:
            raise RuntimeError(
                f"{job['text']!r} takes {seconds:.0f} s to say, and a word model takes short phrases: "
                f"name something that is said within {_LONGEST_SECONDS:.0f} s"
            )
        with wave.open(job["path"], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(speaker.sample_rate)
            file.writeframes(samples)
        if number % _REPORT_EVERY == 0:
            print(_REPORT_EVERY, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError) as error:
        sys.exit(str(error))
