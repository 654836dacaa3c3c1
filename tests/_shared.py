"""What several test files begin with."""

import os

from rich.console import Console

from kerasr import FeatureSpec

# A front-end for the fixture `tones`: short clips, few bands.
SPEC = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, clip_seconds=0.4)


def quiet() -> Console:
    """A console that nobody reads."""
    return Console(file=open(os.devnull, "w"))
