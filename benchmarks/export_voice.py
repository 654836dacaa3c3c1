"""What a voice loses in a file for a phone, and how soon its first sound is there.

    python benchmarks/export_voice.py runs/A_VOICE sentences      of finished runs or presets
    python benchmarks/export_voice.py runs/A_VOICE --again        measure it once more
    python benchmarks/export_voice.py --table                     measure nothing, show what there is

    kerasr train grid_voice                                       makes such a run

The run and its LiteRT files, in float32 and with weights in 8 bits, say the test's texts, 100 at most, with their own
durations, and Whisper tiny.en (`benchmarks/_judges.py`) writes down what it hears. The first sound of a text is timed
from the text to its first part's waveform, on the cores that the process is given (`taskset -c 0` for one), once the
voice is warm: of a text of usual length (the median of the test), and of the longest part that a text is cut into.
Files stay in --keep.

Results go to benchmarks/results/export_voice/, one file a recipe.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _judges import WHISPER, load_whisper
from _parts import RESULTS, RUNS, markdown_table, print_tables, read_parts, write_result
from voice import IN_8_BITS, IN_FLOAT, THE_RUN, count_errors

from kerasr import Run, export_litert, load_run
from kerasr.core.provenance import provenance
from kerasr.data.spoken_text import spoken_text
from kerasr.exporters.converters import Quantize
from kerasr.inference.synthesizer import MOST_CHARACTERS
from kerasr.text import Vocabulary, normalise

# As many texts are said, and each timing is the median of so many.
MOST, ROUNDS = 100, 15
FILES: dict[str, Quantize] = {IN_FLOAT: "none", IN_8_BITS: "dynamic"}
USUAL, LONGEST = "usual", "longest"
Say = Callable[[str, int], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="folders of finished runs, or presets' names")
    parser.add_argument("--again", action="store_true", help="measure what has been measured once more")
    parser.add_argument("--table", action="store_true", help="measure nothing, show what there is")
    parser.add_argument("--keep", type=Path, default=RUNS / "export_voice", help="folder of the exports")
    parser.add_argument("--results", type=Path, default=RESULTS / "export_voice", help="where the results are kept")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    for run in [] if arguments.table else map(load_run, arguments.runs):
        result = arguments.results / f"{run.config.recipe}.json"
        if arguments.again or not result.exists():
            print(run.path, flush=True)
            write_result(result, measure(run, arguments.keep / run.config.recipe))
    print_tables(tables(arguments.results))


def measure(run: Run, folder: Path) -> dict[str, Any]:
    """Sizes, word errors and first sounds of a run and of its files."""
    items, voices, hear = run.utterances("test")[:MOST], run.synthesizer.voices, load_whisper()
    if hear is None:
        raise SystemExit(f"without {WHISPER} nobody hears what is said")
    said = [(spoken_text(item), voices.index(item.speaker or "")) for item in items]
    truth = [normalise(item.text or "") for item in items]
    sayers, found = {THE_RUN: _said_by(run)}, {THE_RUN: dict[str, Any]()}
    for name, quantize in FILES.items():
        path, _ = export_litert(run, folder / f"{quantize}.tflite", quantize=quantize, least_agreement=0.0)
        sayers[name], found[name] = _said_by_file(path, run.labels), {"size": path.stat().st_size}
    texts = _texts([text for text, _ in said])
    for name, say in sayers.items():
        found[name]["wer"] = count_errors(hear([say(text, voice) for text, voice in said]), truth)["wer"]
        found[name]["first_sound_ms"] = {kind: _first_sound(say, text) for kind, text in texts.items()}
    return {
        "recipe": run.config.recipe,
        "parameters": run.facts["parameters"],
        "num_clips": len(items),
        "num_words": sum(len(text.split()) for text in truth),
        "characters": {kind: len(text) for kind, text in texts.items()},
        "formats": found,
        **provenance(),
    }


def _texts(texts: list[str]) -> dict[str, str]:
    """One of usual length, and words of several for the longest part that is said at once."""
    longest = " ".join(" ".join(texts).split())[:MOST_CHARACTERS].rsplit(" ", 1)[0]
    return {USUAL: sorted(texts, key=len)[len(texts) // 2].strip(), LONGEST: longest}


def _first_sound(say: Say, text: str) -> float:
    """Milliseconds from a text to its waveform."""
    say(text, 0)
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        say(text, 0)
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times), 1)


def _said_by(run: Run) -> Say:
    return lambda text, voice: next(run.synthesizer.say(text, run.synthesizer.voices[voice])).waveform


def _said_by_file(path: Path, labels: Sequence[str]) -> Say:
    """Says texts by a LiteRT file, as docs/voice.md tells it."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=provenance()["machine"]["cores"])
    vocabulary = Vocabulary(tuple(labels))
    encode, decode = (interpreter.get_signature_runner(name) for name in ("encode", "decode"))

    def say(text: str, voice: int) -> np.ndarray:
        token_ids = np.array([vocabulary.encode(f" {text.strip()} ")], np.int32)
        made = encode(token_ids=token_ids, voice=np.array([voice], np.int32), speed=np.ones(1, np.float32))
        token_of_frame = np.repeat(np.arange(token_ids.shape[1]), made["durations"][0])[None].astype(np.int32)
        return decode(encoded=made["encoded"], token_of_frame=token_of_frame)["waveform"][0]

    return say


def tables(folder: Path = RESULTS / "export_voice") -> dict[str, str]:
    """Of each voice and file the size, what Whisper mistakes, and milliseconds to the first sound."""
    made = {}
    for result in read_parts(folder):
        characters = result["characters"]
        headings = (
            f"`{result['recipe']}`",
            "kB",
            f"WER, {WHISPER}",
            *(f"first sound of {characters[kind]} characters" for kind in (USUAL, LONGEST)),
        )
        rows = [_row(name, found) for name, found in result["formats"].items()]
        made[result["recipe"]] = markdown_table(headings, rows)
    return made


def _row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    times = [f"{found['first_sound_ms'][kind]:.0f} ms" for kind in (USUAL, LONGEST)]
    return (name, f"{found['size'] / 1000:,.0f}" if "size" in found else "", f"{found['wer']:.1%}", *times)


if __name__ == "__main__":
    main()
