"""Phonemes of texts, by espeak-ng (extra `voices`, GPL-3): how words are said, where their letters do not tell."""

import atexit
import functools
import json
import os
import re
import subprocess
import threading

from kerasr.errors import UserError
from kerasr.text.espeak import find_espeak, start_espeak
from kerasr.text.normalization import normalise

# How espeak-ng says that a word is of another language, as in `(fr)` before it and `(en)` after it.
_LANGUAGE = re.compile(r"\([\w-]+\)")


def phonemize(text: str, language: str) -> str:
    """A text as it is said, in the International Phonetic Alphabet.

    Args:
        text: a normalised one.
        language: code of a language that espeak-ng speaks, as `en-us` or `de`.

    Returns:
        The words with the marks of stress and of length, a space between two; some are said as one, as "of the".

    Raises:
        UserError: espeakng-loader is not installed, or it speaks no such language.
    """
    return _phonemizer(language.strip().lower().replace("_", "-"))(text)


@functools.cache
def _phonemizer(language: str) -> "_Phonemizer":
    return _Phonemizer(language)


class _Phonemizer:
    """A child process that spells texts in one language, for as long as this process lives."""

    def __init__(self, language: str):
        library, data = find_espeak(f"--phonemes {language}")
        self._child = start_espeak(data, stderr=subprocess.DEVNULL)
        atexit.register(self._child.kill)
        # Recordings are read by several threads.
        self._lock = threading.Lock()
        if self._answer({"library": library, "voice": language}) is None:
            raise UserError(
                "language-not-found",
                f"--phonemes {language}: espeak-ng has no such voice; it has {', '.join(_languages(data))}",
            )

    def __call__(self, text: str) -> str:
        said = self._answer(text)
        if said is None:
            raise UserError("voice-failed", f"espeak-ng found no phonemes for {text!r}: its process has ended")
        return normalise(_LANGUAGE.sub("", said))

    def _answer(self, asked: object) -> str | None:
        """What the child says; None where it has ended."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with self._lock:
            try:
                print(json.dumps(asked), file=self._child.stdin, flush=True)
            except BrokenPipeError:
                return None
            line = self._child.stdout.readline()
        return json.loads(line) if line else None


def _languages(data: str) -> list[str]:
    """The codes that espeak-ng's data has files of."""
    return sorted({file.lower() for _, _, files in os.walk(os.path.join(data, "lang")) for file in files})
