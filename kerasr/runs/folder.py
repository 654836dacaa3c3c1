"""A run's folder as a training makes it and adds to it."""

import datetime
import json
import os
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from kerasr.config import FORMAT, TrainConfig, to_json
from kerasr.core import atomic
from kerasr.core.provenance import provenance
from kerasr.data.manifest import Utterance, write_manifest
from kerasr.runs.facts import CONFIG, FACTS, LEARNT_FROM, MANIFEST
from kerasr.runs.imports import with_imports
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
    config, out = with_imports(config), Path(config.logging.out)
    now = datetime.datetime.now().astimezone()
    facts = {"format": FORMAT, "started": now.isoformat(timespec="seconds"), **facts, **provenance()}
    with atomic.staging_folder(out) as made:
        beside = Path(made)
        (beside / CONFIG).write_text(json.dumps(to_json(config), indent=2) + "\n", "utf-8")
        (beside / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
        write_manifest(beside / MANIFEST, utterances)
        write_hashes(beside / LEARNT_FROM, learnt_from)
        # Every run's folder has files from the start, so that no other can be renamed onto it.
        path = atomic.claim_folder(beside, (out / f"{now:%Y-%m-%d}-{config.recipe}-{number}" for number in count(1)))
    return Run(path, config, facts)


def write_hashes(path: Path, hashes: Iterable[str]) -> None:
    """Write hashes of recordings, one a line; no file for none."""
    if lines := sorted(hashes):
        path.write_text("\n".join(lines) + "\n", "utf-8")


def list_runs(out: str | os.PathLike[str] = "runs") -> list[Path]:
    """The runs' folders under `out`, oldest first."""
    # A name with a dot is a folder that was being filled.
    found = [path.parent for path in Path(out).glob(f"[!.]*/{FACTS}")]
    return sorted(found, key=lambda path: (path / FACTS).stat().st_mtime)


def update_facts(run: Run, **facts: Any) -> None:
    """Add to `run.json`."""
    run.facts.update(facts)
    text = json.dumps(run.facts, indent=2, ensure_ascii=False) + "\n"
    atomic.write_bytes(run.path / FACTS, text.encode())
