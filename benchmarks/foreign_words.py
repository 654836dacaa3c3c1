"""How often a preset hears one of its words in clips that say something else: those of the other corpus.

    python benchmarks/foreign_words.py

The digits of FSDD for `commands` and `wakeword_stop`, the commands and noises of Speech Commands for `digits`, none of
which a preset was trained on; each at its own threshold, which was chosen on validation clips of its own words.
`_unknown_` and `_silence_` are right answers. Writes benchmarks/results/foreign_words.json.
"""

import argparse
import json

import numpy as np
from _parts import RESULTS, markdown_table, print_tables, write_result

import kerasr
from kerasr.core.provenance import provenance
from kerasr.data import load_corpus
from kerasr.runs.run import Run

PATH = RESULTS / "foreign_words.json"
FOREIGN = {"digits": "speech_commands", "commands": "fsdd", "wakeword_stop": "fsdd"}
NO_WORD = ("_unknown_", "_silence_")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = {}
    for name, corpus in FOREIGN.items():
        taken = takes_for_a_word(kerasr.from_preset(name), [item.path for item in load_corpus(corpus).utterances])
        rows[name] = {"corpus": corpus, "num_clips": len(taken), "num_taken": int(taken.sum())}
    write_result(PATH, {**provenance(), "presets": rows})
    print_tables(tables())


def tables() -> dict[str, str]:
    """The share of the other corpus that each preset takes for a word of its own."""
    rows = json.loads(PATH.read_text())["presets"]
    cells = [(name, row["corpus"], f"{figures()[name]} of {row['num_clips']:,}") for name, row in rows.items()]
    return {"all": markdown_table(("preset", "clips of", "taken for a word"), cells)}


def figures() -> dict[str, str]:
    """That share, by the preset."""
    rows = json.loads(PATH.read_text())["presets"]
    return {name: f"{row['num_taken'] / row['num_clips']:.1%}" for name, row in rows.items()}


def takes_for_a_word(run: Run, paths: list[str]) -> np.ndarray:
    """`(paths,)` whether one of its words is heard."""
    probs = run.predict_files(paths)
    if run.config.task.wanted is not None:
        return probs[:, -1] >= run.threshold
    is_word = np.array([label not in NO_WORD for label in run.labels])
    return is_word[probs.argmax(1)] & (probs.max(1) >= run.threshold)


if __name__ == "__main__":
    main()
