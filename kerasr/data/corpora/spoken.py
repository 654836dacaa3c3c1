"""Corpora that programs speak: once for the same words and settings, and read from the cache from then on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from kerasr import audio
from kerasr.core import atomic
from kerasr.data.manifest import Corpus, Utterance, read_manifest, write_manifest

_MANIFEST = "manifest.csv"


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
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
    folder = os.path.join(cache, f"{name}-{key}")
    if not os.path.isdir(folder):
        with atomic.new_folder(folder) as beside:
            timed = [replace(item, duration=audio.facts(item.path).duration) for item in speak(beside)]
            write_manifest(os.path.join(beside, _MANIFEST), timed)
    listed = read_manifest(os.path.join(folder, _MANIFEST))
    return Corpus(name=name, utterances=listed.utterances, root=folder, **facts)
