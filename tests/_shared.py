"""What several test files begin with."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.console import Console

from kerasr import FeatureSpec, TrainConfig
from kerasr.config import name_of, to_json

# A front-end for the fixture `tones`: short clips, few bands.
SPEC = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, clip_seconds=0.4)


def quiet() -> Console:
    """A console that nobody reads."""
    return Console(file=open(os.devnull, "w"))


def record(path: Path, seconds: float = 0.1, sample_rate: int = 8000) -> None:
    """A recording of nothing in particular, in the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.linspace(-0.5, 0.5, round(seconds * sample_rate)), sample_rate)


def flat_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings as the second format has them."""
    groups = to_json(config)
    del groups["given"]
    kept = {name: groups.pop(name) for name in ("recipe", "features", "augment", "optimizer")}
    return kept | {
        name_of(f"{group}.{setting}"): value for group, values in groups.items() for setting, value in values.items()
    }
