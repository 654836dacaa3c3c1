"""A run's folder as a training makes it and adds to it."""

import datetime
import json
import os
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from kerasr.config import TrainConfig
from kerasr.core import atomic
from kerasr.data.manifest import Utterance
from kerasr.runs.facts import FACTS
from kerasr.runs.files import write_run
from kerasr.runs.run import Run


def new_run(
    config: TrainConfig, *, facts: dict[str, Any], utterances: Sequence[Utterance], learnt_from: Iterable[str] = ()
) -> Run:
    """Make a folder of its own for a training: all of its first files, or no folder at all.

    Args:
        config: the settings; its `out` is where the folder is made.
        facts: what goes into `run.json`.
        utterances: the recordings, with their splits.
        learnt_from: the `content_hash` of each recording that earlier runs have handed on.

    Raises:
        OSError: `config.logging.out` cannot be written.
    """
    begun = f"{datetime.datetime.now().astimezone():%Y-%m-%d}-{config.recipe}"
    places = (Path(config.logging.out, f"{begun}-{number}") for number in count(1))
    return Run(*write_run(places, config, facts=facts, utterances=utterances, learnt_from=learnt_from))


def list_runs(out: str | os.PathLike[str] = "runs") -> list[Path]:
    """The runs' folders under `out`, oldest first.

    Args:
        out: the folder to look in, as `--out` named it.
    """
    # A name with a dot is a folder that was being filled.
    found = [path.parent for path in Path(out).glob(f"[!.]*/{FACTS}")]
    return sorted(found, key=lambda path: (path / FACTS).stat().st_mtime)


def update_facts(run: Run, **facts: Any) -> None:
    """Add to `run.json`."""
    run.facts.update(facts)
    text = json.dumps(run.facts, indent=2, ensure_ascii=False) + "\n"
    atomic.write_bytes(run.path / FACTS, text.encode())
