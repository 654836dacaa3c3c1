"""What several test files begin with."""

import os
from typing import Any

from rich.console import Console

from kerasr import FeatureSpec, TrainConfig
from kerasr.config import name_of, to_json

# A front-end for the fixture `tones`: short clips, few bands.
SPEC = FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, clip_seconds=0.4)


def quiet() -> Console:
    """A console that nobody reads."""
    return Console(file=open(os.devnull, "w"))


def flat_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings as the second format has them."""
    groups = to_json(config)
    del groups["given"]
    kept = {name: groups.pop(name) for name in ("recipe", "features", "augment", "optimizer")}
    return kept | {
        name_of(f"{group}.{setting}"): value for group, values in groups.items() for setting, value in values.items()
    }
