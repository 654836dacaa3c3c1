"""Seconds that a second of speech takes to be written down: recordings to text, greedily and by the widest search.

    python benchmarks/real_time_factor.py                  a minute; nothing else should run
    python benchmarks/real_time_factor.py --run runs/RUN   of another run, written nowhere
    python benchmarks/real_time_factor.py --table          print what has been measured

The preset `spelling` reads the test recordings of AN4, one after the other, from the file to the text with its words'
times: greedily, and by a beam of 32 with the preset's list of words and trigram. The first recordings are read twice,
and timed the second time. Results go to benchmarks/results/real_time_factor.json.
"""

import argparse
import json
import time
from typing import Any

from _parts import RESULTS, markdown_table, print_tables, processor_seconds, write_result

import kerasr
from kerasr import audio
from kerasr.config import DecodingConfig
from kerasr.core.provenance import provenance

PATH = RESULTS / "real_time_factor.json"
PRESET = "spelling"
NUM_WARM_UP = 10
WAYS = {
    "greedy": ("greedily", DecodingConfig()),
    "beam": ("beam of 32, words and trigram", DecodingConfig(lm="training", words="training", beam=32)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a run or a preset in the place of `spelling`")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what has been measured")
    arguments = parser.parse_args()
    if arguments.run:
        print_tables(tables(measure(arguments.run)))
        return
    if not arguments.table:
        write_result(PATH, {**measure(PRESET), **provenance()})
    print_tables(tables(json.loads(PATH.read_text())))


def measure(name: str) -> dict[str, Any]:
    """Seconds, and those of all processors, by second of speech."""
    run = kerasr.load_run(name)
    paths = [item.path for item in run.utterances("test")]
    length = sum(audio.facts(path).duration for path in paths)
    result: dict[str, Any] = {"run": name, "parameters": run.network.count_params(), "speech_seconds": round(length, 1)}
    for way, (_, decoding) in WAYS.items():
        run.decode_with(decoding)
        for path in paths[:NUM_WARM_UP]:
            run.predict(path)
        busy, started = processor_seconds(), time.perf_counter()
        for path in paths:
            run.predict(path)
        result[way] = {
            "real_time_factor": round((time.perf_counter() - started) / length, 4),
            "processor_time_factor": round((processor_seconds() - busy) / length, 4),
        }
    return result


def tables(result: dict[str, Any] | None = None) -> dict[str, str]:
    """A row for each way."""
    found = result or json.loads(PATH.read_text())
    rows = [
        (what, f"{found[way]['real_time_factor']:.3f}", f"{found[way]['processor_time_factor']:.3f}")
        for way, (what, _) in WAYS.items()
    ]
    return {"all": markdown_table((f"`{found['run']}` transcribes", "real-time factor", "of all processors"), rows)}


if __name__ == "__main__":
    main()
