"""Corpora that programs speak: once for the same words and settings, and read from the cache from then on."""

import os
import wave
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from kerasr import audio
from kerasr.audio.silence import find_sound
from kerasr.core import atomic
from kerasr.data.corpora.user_cache import made_folder, mark_used
from kerasr.data.manifest import Corpus, Utterance, read_manifest, write_manifest

# The corpus that a run says which is a voice.
BY_RUN = "voice"

_MANIFEST = "manifest.csv"
# What lies this far below the peak, before the word and after it, is silence; so much of it, in seconds, is kept.
_SILENCE_DB = 40
_MARGIN_SECONDS = 0.02
_SHORTEST_SECONDS = 0.03


def read_spoken(
    name: str, settings: list[Any], cache: str, speak: Callable[[str], Iterable[Utterance]], **facts: Any
) -> Corpus:
    """The corpus of these settings.

    Args:
        name: the corpus's, and how its folder in the cache begins.
        settings: all that the clips depend on, as plain JSON types.
        cache: folder that keeps what was spoken.
        speak: writes the clips into a folder, and says what they are; their durations are measured.
        facts: the corpus's licence, source and labels.
    """
    folder = made_folder(cache, name, settings)
    if not os.path.isdir(folder):
        with atomic.new_folder(folder) as beside:
            timed = [replace(item, duration=audio.facts(item.path).duration) for item in speak(beside)]
            write_manifest(os.path.join(beside, _MANIFEST), timed)
    mark_used([folder])
    listed = read_manifest(os.path.join(folder, _MANIFEST))
    return Corpus(name=name, utterances=listed.utterances, root=folder, **facts)


def trim_clip(path: str) -> bool:
    """Cut the silence around the word off a WAV file of 16 bits; whether there is a word, or else it is left as is."""
    with wave.open(path, "rb") as file:
        kind, samples = file.getparams(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    place = find_word(samples, kind.framerate)
    if place is None:
        return False
    with wave.open(path, "wb") as file:
        file.setparams(kind)
        file.writeframes(samples[place].tobytes())
    return True


def find_word(samples: np.ndarray, sample_rate: int) -> slice | None:
    """Where the word is in `(samples,)`, with a little of the silence around it; None where there is none."""
    start, end = find_sound(samples, _SILENCE_DB)
    if end - 1 - start < _SHORTEST_SECONDS * sample_rate:
        return None
    margin = round(_MARGIN_SECONDS * sample_rate)
    return slice(max(0, start - margin), end - 1 + margin)
