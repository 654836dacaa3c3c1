"""The files that a run's folder begins with, written whole or not at all."""

import atexit
import datetime
import functools
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from kerasr.config import FORMAT, TrainConfig, to_json
from kerasr.core import atomic
from kerasr.core.provenance import provenance
from kerasr.data.manifest import Utterance, write_manifest
from kerasr.runs.facts import CONFIG, FACTS, LEARNT_FROM, MANIFEST
from kerasr.runs.imports import with_imports


def write_run(
    places: Iterable[Path],
    config: TrainConfig,
    *,
    facts: dict[str, Any],
    utterances: Sequence[Utterance],
    learnt_from: Iterable[str] = (),
    add: Callable[[Path], None] | None = None,
) -> tuple[Path, TrainConfig, dict[str, Any]]:
    """Make a folder of its own for a run: all of its first files, or no folder at all.

    Args:
        places: where it may be, all in one folder; the first that is free is taken.
        config: the settings.
        facts: what goes into `run.json`.
        utterances: the recordings, with their splits.
        learnt_from: the `content_hash` of each recording that earlier runs have handed on.
        add: writes further files into the folder, before that gets its name.

    Returns:
        The folder, and the settings and the facts as they are written.

    Raises:
        OSError: the folder cannot be made, or none of the places is free.
    """
    config, places = with_imports(config), iter(places)
    first = next(places)
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    facts = {"format": FORMAT, "started": started, **facts, **provenance()}
    with atomic.staging_folder(first.parent) as made:
        beside = Path(made)
        (beside / CONFIG).write_text(json.dumps(to_json(config), indent=2) + "\n", "utf-8")
        (beside / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
        write_manifest(beside / MANIFEST, utterances)
        write_hashes(beside / LEARNT_FROM, learnt_from)
        if add is not None:
            add(beside)
        # Every run's folder has files from the start, so that no other can be renamed onto it.
        path = atomic.claim_folder(beside, (place for rest in ([first], places) for place in rest))
    return path, config, facts


def write_hashes(path: Path, hashes: Iterable[str]) -> None:
    """Write hashes of recordings, one a line; no file for none."""
    if lines := sorted(hashes):
        path.write_text("\n".join(lines) + "\n", "utf-8")


@functools.cache
def process_folder() -> Path:
    """A folder that goes with the process, for runs that nobody has asked to keep."""
    folder = tempfile.TemporaryDirectory(prefix="kerasr-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return Path(folder.name)
