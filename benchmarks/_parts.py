"""What studies of many small trainings share: each part is measured once, and its result kept in a file of its own."""

import argparse
import hashlib
import importlib.util
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from kerasr.config import TrainConfig
from kerasr.config.serialization import to_json
from kerasr.core import atomic
from kerasr.core.provenance import provenance
from kerasr.data import Corpus, Utterance, load_corpus, split_corpus, write_manifest
from kerasr.recipes import get_recipe
from kerasr.runs.folder import list_runs
from kerasr.runs.run import Run, load_run
from kerasr.tasks.words import word_task
from kerasr.training.trainer import resume_run, train_recipe

RESULTS = Path(__file__).parent / "results"
RUNS = Path(__file__).parents[1] / "runs"


def parse_arguments(description: str | None, name: str, epochs: int | None) -> argparse.Namespace:
    """The arguments of every such study; `epochs` None leaves them to the recipe."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", help="some parts only, by name")
    parser.add_argument("--table", action="store_true", help="train nothing, print what has been measured")
    default = epochs or "as many as the recipe makes"
    parser.add_argument("--epochs", type=int, default=epochs, help=f"of each training (default: {default})")
    parser.add_argument("--results", type=Path, default=RESULTS / name, help="where the results are kept")
    return parser.parse_args()


def measure_parts(arguments: argparse.Namespace, parts: dict[str, Callable[[], dict[str, Any]]]) -> None:
    """Measure each part whose result is not there yet, and keep it with the command, the machine and the versions."""
    if unknown := sorted(set(arguments.parts or ()) - set(parts)):
        raise SystemExit(f"--parts {unknown[0]}: there is no such part; there are {', '.join(parts)}")
    arguments.results.mkdir(parents=True, exist_ok=True)
    for name, measure in parts.items():
        epochs = f"-{arguments.epochs}-epochs" if arguments.epochs else ""
        path = arguments.results / f"{name}{epochs}.json"
        if not path.exists() and name in (arguments.parts or parts):
            print(name, flush=True)
            result = {"part": name, "epochs": arguments.epochs, **measure(), **provenance()}
            write_result(path, result)


def measure_ways(
    description: str | None,
    name: str,
    epochs: int | None,
    ways: Iterable[str],
    seeds: int,
    measure: Callable[[str, int, Any], dict[str, Any]],
    once: Collection[str] = (),
) -> Path:
    """Where the results are of a study whose parts are ways to train, each with so many seeds or once."""
    arguments = parse_arguments(description, name, epochs)
    if not arguments.table:
        parts = {
            f"{way}-{seed}": partial(measure, way, seed, arguments.epochs)
            for seed in range(seeds)
            for way in ways
            if seed == 0 or way not in once
        }
        measure_parts(arguments, parts)
    return arguments.results


def read_parts(folder: Path, pattern: str = "*.json") -> list[dict[str, Any]]:
    """Every result that is there."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob(pattern))]


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A row a line, as Markdown has it."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def by_way(folder: Path, ways: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The results of each way that has been measured, a seed each."""
    results = read_parts(folder)
    found = {way: [result for result in results if result["way"] == way] for way in ways}
    return {way: mine for way, mine in found.items() if mine}


def print_tables(tables: dict[str, str]) -> None:
    """What a study has measured, as it stands in the documentation."""
    print("\n\n".join(tables.values()))


def split_as_preset(preset: Run) -> tuple[Corpus, str]:
    """Speech Commands' clips at hand, split by speaker as the preset's were, whatever a study's seed; and the rule."""
    corpus, split_rule = split_corpus(load_corpus("speech_commands:12"), "speaker", seed=preset.config.data.split_seed)
    known = {item.speaker for item in corpus.utterances if item.split == "test"} & {*preset.facts["train_speakers"]}
    if known:
        raise SystemExit(f"{preset.path.name} has learnt from {', '.join(map(str, known))}, who are tested")
    return corpus, split_rule


def train_on(utterances: Sequence[Utterance], config: TrainConfig, out: str) -> Run:
    """Train on recordings whose splits are decided; the run is left in `out`."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.csv"
        write_manifest(manifest, utterances)
        config = config.replace(data=str(manifest), split="official", out=out)
        return train_recipe(config, console=Console(stderr=True))


def finished_run(folder: Path) -> Run | None:
    """The first run in a folder that has come to its end; None where there is none yet."""
    runs = map(load_run, list_runs(folder))
    return next((run for run in runs if run.facts["status"] == "done"), None)


def train_in(folder: Path, config: TrainConfig) -> tuple[Run, float | None]:
    """The run of these settings in a folder, trained or gone on with where it has not come to its end.

    Other settings have another run. Beside it the minutes of a processor that it took; None where it was gone on with.
    """
    key = hashlib.sha256(json.dumps(to_json(config), sort_keys=True).encode()).hexdigest()[:8]
    folder, console = folder / key, Console(stderr=True)
    told = folder / "processor_minutes.txt"
    if run := finished_run(folder):
        return run, float(told.read_text()) if told.exists() else None
    if begun := list_runs(folder):
        return resume_run(begun[-1], console=console), None
    busy = processor_seconds()
    run = train_recipe(config.replace(out=str(folder)), console=console)
    minutes = round((processor_seconds() - busy) / 60, 1)
    told.write_text(f"{minutes}\n")
    return run, minutes


def recipe_in(study: str, way: str, recipe: str, seed: int = 0, epochs: int | None = None) -> tuple[Run, float | None]:
    """What `train_in` gives of a recipe as it stands, with its own epochs where none are given: runs/STUDY/WAY-SEED."""
    config = get_recipe(recipe)
    return train_in(RUNS / study / f"{way}-{seed}", config.replace(epochs=epochs or config.fit.epochs, seed=seed))


def is_installed(what: str, packages: Iterable[str], script: str) -> bool:
    """Whether the packages that something takes are there; else a line says which is not, and which script says how."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        told = f"benchmarks/{Path(script).name}"
        print(f"without {what}: {missing[0]} is not installed ({told} says how)", file=sys.stderr)
    return not missing


def speaker_place(item: Utterance) -> float:
    """A number in [0, 1) for each speaker (for each clip without one), to deal them into parts."""
    name = item.speaker or Path(item.path).name
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def processor_seconds() -> float:
    """Seconds that this process has kept a processor busy."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def child_seconds() -> float:
    """Seconds that finished child processes have kept a processor busy: what a loaded machine does not lengthen."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_result(path: Path, result: dict[str, Any]) -> None:
    """The whole file or none: a file that is there is not measured again."""
    atomic.write_bytes(path, (json.dumps(result, indent=2) + "\n").encode())


def is_right(run: Run, utterances: Sequence[Utterance] | None = None) -> tuple[list[Utterance], np.ndarray]:
    """The recordings, the run's test where None, and `(recordings,)` whether it hears the right word in each."""
    utterances = run.utterances("test") if utterances is None else list(utterances)
    heard = run.predict_files([item.path for item in utterances]).argmax(1)
    return utterances, heard == word_task(run.task, "a share of right words").label_index(
        [item.label or "" for item in utterances]
    )


def accuracy_by_speaker(utterances: Sequence[Utterance], right: np.ndarray) -> dict[str, float]:
    """Share of each speaker's recordings in which the right word is heard."""
    speakers = np.array([item.speaker for item in utterances])
    return {str(speaker): float(right[speakers == speaker].mean()) for speaker in np.unique(speakers)}
