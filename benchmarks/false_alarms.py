"""What a detector takes for its word in talk that it never heard, by what it was trained against.

    python benchmarks/false_alarms.py                            every part, two hours of one core
    python benchmarks/false_alarms.py --parts clips-0 hard-0     some of them
    python benchmarks/false_alarms.py --table                    print what has been measured

`preset` is the preset as it stands. Any other part is one training of the recipe `wakeword` for "stop", at the preset's
width, on Speech Commands' clips at hand, split by speaker as the preset's were. `clips` has no other counter-examples
than Speech Commands' words and noises; `talk-...` also hears AN4's sentences by two in three of its speakers, without
those that say "stop" (--negatives), with the word weighed up or drawn more often; `hard` hears besides four times as
often what a first run (`talk-...`, by the recipe's own way, of the same seed) takes for its word (--hard-negatives).

All are asked for false alarms in talk by people whom none has heard: AN4's other speakers, GRID's speaker s1 and
LJSpeech, over an hour; and for the word in the test clips of Speech Commands. The last weights are kept, and the
thresholds are fixed beforehand. Between the ways of `talk` the validation clips decide, and the last fifth of the talk
that trains. Runs stay in the cache; each result is written to benchmarks/results/false_alarms/ at once, and not
measured again while that file is there.
"""

import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _parts import RESULTS, by_way, markdown_table, measure_ways, print_tables, split_as_preset, train_on

sys.path.insert(0, str(Path(__file__).parents[1] / "data_scripts"))

from an4_talk import cached_talk, write_talk

import kerasr
from kerasr import audio
from kerasr.data import Utterance
from kerasr.data.corpora import cache_folder
from kerasr.metrics.intervals import rate_interval
from kerasr.runs.folder import list_runs
from kerasr.runs.run import Run
from kerasr.tasks.false_alarms import count_alarms, list_segments, measure_false_alarms, score_segments

WORD, PRESET = "stop", "wakeword_stop"
TALK, RUNS = cached_talk(WORD), Path(cache_folder()) / "false-alarms-runs"
WAYS: dict[str, dict[str, Any]] = {
    "preset": {},
    "clips": {},
    "talk-weights": {"class_weights": True, "sampling": "natural"},
    "talk-balanced": {"class_weights": False, "sampling": "balanced"},
    "hard": {},
}
NAMES = {
    "preset": "the preset: talk, then what was hard in it",
    "clips": "Speech Commands' words and noises alone",
    "talk-weights": "talk (`--negatives`), the word weighed up",
    "talk-balanced": "talk, the word drawn more often (the recipe)",
    "hard": "talk, then what was hard in it (`--hard-negatives`)",
}
SEEDS = 3
EPOCHS = 30
THRESHOLDS = (0.5, 0.9)


def main() -> None:
    # Nothing here trains the preset.
    print_tables(tables(measure_ways(__doc__, "false_alarms", EPOCHS, WAYS, SEEDS, measure, once=("preset",))))


def measure(way: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train a detector, and count what it misses and where it rings falsely."""
    write_talk(TALK, WORD)
    run = kerasr.from_preset(PRESET) if way == "preset" else trained(way, seed, epochs)
    corpus, split_rule = split_as_preset(kerasr.from_preset(PRESET))
    parts = {split: [item for item in corpus.utterances if item.split == split] for split in ("test", "validation")}
    result = {
        "way": way,
        "seed": run.config.runtime.seed,
        "split_rule": split_rule,
        "train_seconds": run.facts["train_seconds"],
        "trained_against": run.facts.get("negatives"),
        **words_found(run, parts["test"]),
        **false_alarms(run),
    }
    if way.startswith("talk"):
        result["validation"] = words_found(run, parts["validation"]) | {"talk": measure_false_alarms(run)}
    return result


def trained(way: str, seed: int, epochs: int) -> Run:
    """The run of a way; the first of `hard`'s two is one of `talk`'s."""
    folder = RUNS / f"{way}-{seed}-{epochs}"
    if done := [path for path in list_runs(folder) if kerasr.load_run(path).facts["status"] == "done"]:
        return kerasr.load_run(done[-1])
    preset, recipe = kerasr.from_preset(PRESET), kerasr.get_recipe("wakeword")
    options = {**recipe.model.options, "width": preset.config.model.options["width"]}
    config = recipe.replace(wanted=WORD, model_options=options, epochs=epochs, seed=seed, **WAYS[way])
    if way != "clips":
        config = config.replace(negatives=str(TALK / "train"))
    if way == "hard":
        first = "talk-balanced" if recipe.data.sampling == "balanced" else "talk-weights"
        config = config.replace(hard_negatives=str(trained(first, seed, epochs).path))
    return train_on(split_as_preset(preset)[0].utterances, config, str(folder))


def words_found(run: Run, clips: Sequence[Utterance]) -> dict[str, Any]:
    """What it finds of the word in clips at each threshold, and what else it takes for it."""
    said = np.array([item.label == WORD for item in clips])
    scores = run.predict_files([item.path for item in clips])[:, -1]
    found = {str(value): scores >= value for value in THRESHOLDS}
    return {
        "num_words": int(said.sum()),
        "num_other_clips": int((~said).sum()),
        "words_found": {value: int(heard[said].sum()) for value, heard in found.items()},
        "other_clips_heard": {value: int(heard[~said].sum()) for value, heard in found.items()},
    }


def false_alarms(run: Run) -> dict[str, Any]:
    """Alarms in the talk of people whom no training hears, by where it comes from."""
    spec = run.config.features
    data = Path(os.environ.get("KERASR_DATA", "."))
    sources = {"an4": TALK / "test", "grid": data / "grid" / "s1", "ljspeech": data / "LJSpeech-1.1" / "wavs"}
    hours, alarms = {}, {}
    for name, folder in sources.items():
        segments = list_segments(str(folder), spec)
        scores = score_segments(run, segments)
        hours[name] = sum(audio.facts(path).duration for path in {segment.path for segment in segments}) / 3600
        alarms[name] = {str(value): count_alarms(segments, scores, value, spec) for value in THRESHOLDS}
    return {"hours": hours, "false_alarms": alarms}


def tables(folder: Path = RESULTS / "false_alarms") -> dict[str, str]:
    """Each way at each threshold: its seeds' counts, and their mean rate with the exact 95% interval of one."""
    headings = ("trained against", "threshold", "words found", "false alarms", "an hour", "other clips taken for it")
    found = by_way(folder, WAYS)
    rows = [table_row(way, value, mine) for way, mine in found.items() for value in map(str, THRESHOLDS)]
    return {"all": markdown_table(headings, rows)} if rows else {}


def table_row(way: str, threshold: str, results: list[dict[str, Any]]) -> list[str]:
    alarms = [sum(counts[threshold] for counts in result["false_alarms"].values()) for result in results]
    first = threshold == str(THRESHOLDS[0])
    return [
        NAMES[way] if first else "",
        threshold,
        f"{listed(result['words_found'][threshold] for result in results)} of {results[0]['num_words']}",
        listed(alarms),
        an_hour(alarms, sum(results[0]["hours"].values())),
        f"{listed(result['other_clips_heard'][threshold] for result in results)} of {results[0]['num_other_clips']}",
    ]


def figures(folder: Path = RESULTS / "false_alarms") -> dict[str, str]:
    """How much talk there is, and what the preset does in it at the lower threshold."""
    (preset,) = by_way(folder, WAYS)["preset"]
    hours = sum(preset["hours"].values())
    low, high = (str(value) for value in THRESHOLDS)
    counts = {value: sum(counts[value] for counts in preset["false_alarms"].values()) for value in (low, high)}
    least, most = rate_interval(counts[low], hours)
    return {
        "hours": f"{hours:.2f}",
        "preset": str(counts[low]),
        "preset an hour": f"{counts[low] / hours:.1f}",
        "preset interval": f"{least:.1f} to {most:.1f}",
        f"preset at {high}": str(counts[high]),
        "words": str(preset["num_words"]),
        "preset words": str(preset["words_found"][low]),
        f"preset words at {high}": str(preset["words_found"][high]),
        "seeds": str(min(len(mine) for way, mine in by_way(folder, WAYS).items() if way != "preset")),
    }


def an_hour(alarms: list[int], hours: float) -> str:
    """The seeds' mean rate with the interval of one: all listen to the same hours, which do not become more by it."""
    low, high = rate_interval(statistics.mean(alarms), hours)
    return f"{statistics.mean(alarms) / hours:.1f} ({low:.1f} to {high:.1f})"


def listed(counts: Any) -> str:
    return ", ".join(map(str, counts))


if __name__ == "__main__":
    main()
