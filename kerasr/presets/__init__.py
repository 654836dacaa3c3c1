"""Presets: trained recognisers and voices that come with the package, each a run's folder without its recordings.

A preset's folder holds `model.keras`, `config.json`, `run.json`, `metrics.json`, the list of its test clips in
`manifest.csv`, short hashes of the recordings that it has learnt from in `learnt_from.txt`, and `card.md`, which says
what it was trained on, what it scores and what its limits are. One that writes down sentences also brings the trigram
of its training texts, `training.arpa.gz`. A recogniser of the package's also has `sample.wav`, a word to try it with,
or some, spoken by espeak-ng (`data_scripts/preset_samples.py`). `data_scripts/make_preset.py` makes a preset of a run;
`kerasr.from_preset` and every command that takes a run open it by its name.
"""

import json
import os
from pathlib import Path

CARD = "card.md"
SAMPLE = "sample.wav"
LANGUAGE_MODEL = "training.arpa.gz"


def list_presets(*, voices: bool | None = None) -> tuple[str, ...]:
    """The presets' names, sorted: those of the package, and those in the folder `KERASR_PRESETS` where that is set.

    Args:
        voices: those that speak alone, or those that recognise alone; both by default.
    """
    found = {path.parent.name for folder in _folders() for path in folder.glob(f"*/{CARD}")}
    return tuple(name for name in sorted(found) if voices is None or voices == _speaks(name))


def preset_folder(name: str) -> Path | None:
    """The folder of the preset called `name`, one in `KERASR_PRESETS` before the package's own; None for no preset."""
    return _place(name) if name in list_presets() else None


def presets_line(*, voices: bool | None = None) -> str:
    """What `--help` says of the presets; `voices` as of `list_presets`."""
    return f"\nPresets: {', '.join(list_presets(voices=voices)) or 'none'}.\n"


def _place(name: str) -> Path | None:
    places = (folder / name for folder in _folders())
    return next((place for place in places if (place / CARD).exists()), None)


def _speaks(name: str) -> bool:
    place = _place(name)
    return place is not None and "voices_learnt" in json.loads((place / "run.json").read_text(encoding="utf-8"))


def _folders() -> list[Path]:
    others = os.environ.get("KERASR_PRESETS")
    return [*([Path(others)] if others else []), Path(__file__).parent]
