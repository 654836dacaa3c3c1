"""Words an hour that a run writes down where nobody speaks: in Speech Commands' long noises, and in silence.

    python benchmarks/noise_words.py runs/RUN                                     greedily
    python benchmarks/noise_words.py runs/RUN --lm training --words training      by the decoder that is used
    python benchmarks/noise_words.py --table                                      print what has been measured

The noises are heard whole, each at three levels, for a microphone's gain is anybody's; the silence is digital. Words
that are written down there are false. The interval is the exact one of their number, as if each came alone and three
levels of a noise were three noises. Writes benchmarks/results/noise_words/RUN.json.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _parts import RESULTS, markdown_table, print_tables, read_parts, write_result

import kerasr
from kerasr import audio
from kerasr.config import DecodingConfig
from kerasr.core.provenance import provenance
from kerasr.data import load_corpus
from kerasr.metrics.intervals import rate_interval
from kerasr.runs.run import Run

FOLDER = RESULTS / "noise_words"
LEVELS_DB = (0, -20, -40)
SILENCE_SECONDS = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="the run's folder, or a preset's name")
    parser.add_argument("--lm", help="a language model, as `predict` takes it")
    parser.add_argument("--words", help="a list of words, as `predict` takes it")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what has been measured")
    parser.add_argument("--results", type=Path, default=FOLDER, help="where the results are kept")
    arguments = parser.parse_args()
    if not arguments.table:
        if arguments.run is None:
            parser.error("name a run, or --table")
        run = kerasr.load_run(arguments.run)
        run.decode_with(DecodingConfig(lm=arguments.lm, words=arguments.words))
        arguments.results.mkdir(parents=True, exist_ok=True)
        decoding = "-".join(str(name) for name in (arguments.lm, arguments.words) if name).replace("/", "_")
        name = f"{run.path.name}{decoding and f'-{decoding}'}"
        about = {"run": run.path.name, "model": run.config.model.name, "lm": arguments.lm, "words": arguments.words}
        write_result(arguments.results / f"{name}.json", {**about, **measure(run), **provenance()})
    print_tables(tables(arguments.results))


def measure(run: Run) -> dict[str, Any]:
    """How many words are written down in each noise at each level, and in silence."""
    rate = run.config.features.sample_rate
    sounds = [("silence", 0, np.zeros(SILENCE_SECONDS * rate, np.float32))]
    for path in sorted(load_corpus("speech_commands").noise):
        noise = audio.read(path, rate)[0]
        sounds += [(Path(path).name, level, noise * np.float32(10 ** (level / 20))) for level in LEVELS_DB]
    parts = []
    for name, level, waveform in sounds:
        answer: Any = run.predict(waveform)
        words = [word.text for word in answer.words]
        parts.append({"noise": name, "level_db": level, "seconds": len(waveform) / rate, "words": words})
        print(f"{name:30} {level:4} dB  {len(words)} words", flush=True)
    hours, count = sum(part["seconds"] for part in parts) / 3600, sum(len(part["words"]) for part in parts)
    return {
        "hours": hours,
        "num_words": count,
        "words_per_hour": count / hours,
        "words_per_hour_interval": rate_interval(count, hours),
        "parts": parts,
    }


def tables(folder: Path = FOLDER) -> dict[str, str]:
    """The rate of each run, and the noise in which it writes down the most."""
    rows = []
    for result in read_parts(folder):
        low, high = result["words_per_hour_interval"]
        worst = max(result["parts"], key=lambda part: len(part["words"]))
        where = f"{worst['noise']} at {worst['level_db']} dB" if worst["words"] else "-"
        decoder = ", ".join(name for name in (result["lm"], result["words"]) if name) or "greedy"
        per_hour = f"{result['words_per_hour']:.1f} ({low:.1f} to {high:.1f})"
        rows.append((result["run"], result["model"], decoder, f"{result['hours']:.2f}", per_hour, where))
    headings = ("run", "encoder", "decoder", "hours", "words an hour (95% interval)", "most in")
    return {"all": markdown_table(headings, rows)}


if __name__ == "__main__":
    main()
