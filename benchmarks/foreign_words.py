"""How often a preset hears one of its words in clips that say something else: those of the other corpus.

    python benchmarks/foreign_words.py

The digits of FSDD for `commands` and `wakeword_stop`, the commands and noises of Speech Commands for `digits`, none of
which a preset was trained on; each at its own threshold, which was chosen on validation clips of its own words.
`_unknown_` and `_silence_` are right answers. Writes benchmarks/results/foreign_words.json.
"""

import argparse

import numpy as np
from _parts import RESULTS, write_result

import kerasr
from kerasr.core.provenance import provenance
from kerasr.data import load_corpus
from kerasr.runs.run import Run

FOREIGN = {"digits": "speech_commands", "commands": "fsdd", "wakeword_stop": "fsdd"}
NO_WORD = ("_unknown_", "_silence_")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = {}
    print("| preset | clips of | taken for a word |\n|---|---|---|")
    for name, corpus in FOREIGN.items():
        taken = takes_for_a_word(kerasr.from_preset(name), [item.path for item in load_corpus(corpus).utterances])
        rows[name] = {"corpus": corpus, "num_clips": len(taken), "num_taken": int(taken.sum())}
        print(f"| {name} | {corpus} | {taken.mean():.1%} of {len(taken):,} |", flush=True)
    write_result(RESULTS / "foreign_words.json", {**provenance(), "presets": rows})


def takes_for_a_word(run: Run, paths: list[str]) -> np.ndarray:
    """`(paths,)` whether one of its words is heard."""
    probs = run.predict_files(paths)
    if run.config.task.wanted is not None:
        return probs[:, -1] >= run.threshold
    is_word = np.array([label not in NO_WORD for label in run.labels])
    return is_word[probs.argmax(1)] & (probs.max(1) >= run.threshold)


if __name__ == "__main__":
    main()
