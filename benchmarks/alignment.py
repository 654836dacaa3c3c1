"""Where words begin and end in GRID: by the alignment that voices learn from, against the corpus's own.

    python benchmarks/alignment.py                    measure it, in about three minutes of one core
    python benchmarks/alignment.py --run runs/RUN     and by the alignment of a transcriber, a run of the recipe `grid`
    python benchmarks/alignment.py --table            print what has been measured

The training's sentences are aligned, each to the characters of its text (`kerasr.tasks.token_alignment`), and the
words' borders compared with those in GRID's `*.align`, which were made with HTK and hold no letters. Nothing is learnt
from these. Results go to benchmarks/results/alignment/.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _parts import RESULTS, markdown_table, print_tables, processor_seconds, read_parts, write_result

from kerasr.core.provenance import provenance
from kerasr.data import Utterance, load_corpus
from kerasr.data.pipeline import measure_front_end
from kerasr.decoding.alignment import Alignment, FrameTimes
from kerasr.recipes import get_recipe
from kerasr.runs.run import load_run
from kerasr.tasks.synthesize import Synthesize
from kerasr.tasks.token_durations import add_durations, parse_durations, spoken_text
from kerasr.text import Vocabulary, normalise

OWN, CTC = "on the recordings themselves", "by a transcriber (CTC)"
# Units of a second in `*.align`.
UNITS = 25_000
# Borders that are further off than so many seconds are counted.
FAR = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a transcriber's run")
    parser.add_argument("--table", action="store_true", help="measure nothing, show what there is")
    parser.add_argument("--results", type=Path, default=RESULTS / "alignment", help="where the results are kept")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    if not arguments.table:
        write_result(arguments.results / "own.json", {**measure_own(), **provenance()})
        if arguments.run:
            write_result(arguments.results / "ctc.json", {**measure_ctc(arguments.run), **provenance()})
    print_tables(tables(arguments.results))


def measure_own() -> dict[str, Any]:
    """By the alignment that voices learn from."""
    config = get_recipe("grid_voice")
    corpus = load_corpus("grid", min_labels=0)
    corpus = replace(corpus, utterances=tuple(replace(item, extra={}) for item in corpus.utterances))
    corpus, features = measure_front_end(corpus, config.features, config.data.max_bad)
    task = Synthesize.of_corpus(corpus, config.task)
    busy = processor_seconds()
    items = add_durations(config, corpus, task.vocabulary, features).utterances
    minutes = (processor_seconds() - busy) / 60
    times, found = FrameTimes.of(config.features, stride=1), []
    for item in items:
        # A border is halfway between the middles of the frames on either side of it.
        ends = times.first + (np.cumsum(parse_durations(item)) - 0.5) * times.step
        found.append(_words(spoken_text(item), ends))
    return {"way": OWN, "processor_minutes": round(minutes, 2), **_errors(items, found)}


def measure_ctc(path: Path) -> dict[str, Any]:
    """By a transcriber's forced alignment, the time between two tokens shared by both."""
    run, items, found = load_run(path), load_corpus("grid", min_labels=0).utterances, []
    for item, probs in zip(items, run.predict_files([item.path for item in items]), strict=True):
        text = normalise(item.text or "")
        alignment = Alignment.of(probs, text, Vocabulary(run.labels), run.recognition.frame_times)
        places = [np.flatnonzero(alignment.path == token) for token in range(len(alignment.token_ids))]
        first, last = (np.array([place[which] for place in places]) for which in (0, -1))
        borders = np.array([first[0] - 0.5, *(last[:-1] + first[1:]) / 2, last[-1] + 0.5])
        found.append(_words(f" {text} ", alignment.times.first + borders * alignment.times.step))
    return {"way": CTC, "encoder": run.config.model.name, **_errors(items, found)}


def _words(text: str, ends: np.ndarray) -> list[tuple[float, float]]:
    """When each word of a text with a space around it begins and ends, by when its characters end."""
    spaces = [place for place, character in enumerate(text) if character == " "]
    return [(float(ends[one]), float(ends[other - 1])) for one, other in pairwise(spaces)]


def _errors(items: Sequence[Utterance], found: Sequence[list[tuple[float, float]]]) -> dict[str, Any]:
    """How far borders are off, in seconds."""
    away = np.abs(np.concatenate([np.subtract(mine, _truth(item)) for item, mine in zip(items, found, strict=True)]))
    return {
        "num_sentences": len(items),
        "num_borders": away.size,
        "median": float(np.median(away)),
        "mean": float(away.mean()),
        "far": float((away > FAR).mean()),
    }


def _truth(item: Utterance) -> list[tuple[float, float]]:
    rows = (line.split() for line in Path(item.path).with_suffix(".align").read_text().splitlines())
    return [(int(start) / UNITS, int(end) / UNITS) for start, end, word in rows if word not in ("sil", "sp")]


def tables(folder: Path = RESULTS / "alignment") -> dict[str, str]:
    """The median border and the share of those far off, of each way."""
    rows = [
        (one["way"], f"{1000 * one['median']:.0f} ms", f"{1000 * one['mean']:.0f} ms", f"{one['far']:.1%}")
        for one in sorted(read_parts(folder), key=lambda one: one["median"])
    ]
    headings = ("aligned", "half of the borders are within", "mean", f"further off than {1000 * FAR:.0f} ms")
    return {"all": markdown_table(headings, rows)}


if __name__ == "__main__":
    main()
