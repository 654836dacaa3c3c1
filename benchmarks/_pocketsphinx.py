"""PocketSphinx (`pip install pocketsphinx`, with its own English model), a peer that users can install."""

import importlib
from typing import Any

import numpy as np

from kerasr import audio

NAME = "PocketSphinx"
SAMPLE_RATE = 16000


def make_decoder(**options: Any) -> Any:
    """A decoder with these options beside its own, which says nothing of its work."""
    package = importlib.import_module("pocketsphinx")  # no part of the development install
    return package.Decoder(samprate=SAMPLE_RATE, logfn="/dev/null", **options)


def recognise(decoder: Any, path: str) -> str:
    """What it makes of a recording; it wants 16 kHz, in 16 bits."""
    waveform, _ = audio.read(path, SAMPLE_RATE)
    decoder.start_utt()
    decoder.process_raw(np.round(32767 * np.clip(waveform, -1, 1)).astype("int16").tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr if found else ""
