"""Sentences from few recordings: word errors by the share of AN4 to learn from, with a trained encoder and without.

    python benchmarks/few_sentences.py                          every part, six hours of one core
    python benchmarks/few_sentences.py --parts words-10-0       some of them
    python benchmarks/few_sentences.py --table                  print what has been measured

The encoder has learnt words: strings of one to five of Speech Commands' ten, joined of one speaker's clips; no speaker
of AN4 is among them. Then 10, 30 or 100% of AN4's training speakers make a recogniser of sentences by the recipe `an4`,
with `--init-from` (`--head-share 0.05 --finetune-rate 1`) and without; a smaller share is a part of the larger ones,
and is passed more often. (All of them, from nothing, is `python benchmarks/transcription.py --parts BiLSTMEncoder-0`.)
Validation and test are AN4's (`kerasr.data.corpora.an4`); transcripts are found greedily. A part is one training; it is
written to benchmarks/results/few_sentences/ at once, and not trained again while that file is there. The encoder is
trained when it is first needed, and its run kept in runs/few_sentences.
"""

import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from _parts import (
    RESULTS,
    finished_run,
    markdown_table,
    measure_parts,
    parse_arguments,
    print_tables,
    processor_seconds,
    read_parts,
    speaker_place,
    train_on,
)

import kerasr
from kerasr.data import Utterance, load_corpus
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.runs.run import Run

WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
# Passes over each share, in percent: a tenth is passed three times as often as all.
EPOCHS = {10: 135, 30: 75, 100: 45}
NOTHING = "nothing"
# By the validation: with the defaults, a quarter of the passes for the last layer and then a tenth of the rate, most
# characters were wrong when two in ten were from nothing.
HEAD_SHARE, FINETUNE_RATE = 0.05, 1.0
WAYS = {"words": "with an encoder of words (`--init-from`)", NOTHING: "from nothing"}
# Of `python benchmarks/transcription.py`, which trains that, too.
MEASURED_THERE = (NOTHING, 100)
SEEDS = 3
ENCODER = Path("runs/few_sentences")


def main() -> None:
    arguments = parse_arguments(__doc__, "few_sentences", epochs=None)
    if not arguments.table:
        parts = {
            f"{way}-{share}-{seed}": partial(measure, way, share, seed, arguments.epochs)
            for seed in range(SEEDS)
            for share in EPOCHS
            for way in WAYS
            if (way, share) != MEASURED_THERE
        }
        measure_parts(arguments, parts)
    print_tables(tables(arguments.results))


def encoder() -> Run:
    """The encoder's run, trained where there is none yet."""
    if run := finished_run(ENCODER):
        return run
    clips = [item for item in load_corpus("speech_commands").utterances if item.label in WORDS]
    splits = [replace(item, text=item.label, label=None, split=_split_of(item)) for item in clips]
    config = kerasr.get_recipe("sentences").replace(connected=5)
    return train_on(splits, config, str(ENCODER))


def _split_of(item: Utterance) -> str:
    """A tenth of the speakers validates, a tenth tests."""
    place = speaker_place(item)
    return "validation" if place < 0.1 else "test" if place < 0.2 else "train"


def measure(way: str, share: int, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train on a share of the speakers, and transcribe the test."""
    utterances = load_corpus("an4", min_labels=0).utterances
    chosen = [item for item in utterances if item.split != "train" or speaker_place(item) < share / 100]
    config = kerasr.get_recipe("an4").replace(epochs=epochs or EPOCHS[share], seed=seed)
    if way != NOTHING:
        config = config.replace(init_from=str(encoder().path), head_share=HEAD_SHARE, finetune_rate=FINETUNE_RATE)
    busy = processor_seconds()
    with tempfile.TemporaryDirectory() as out:
        run = train_on(chosen, config, out)
        busy = processor_seconds() - busy
        metrics = evaluate_run(run, folder=Path(out) / "report").metrics
        column = run.task.monitor.column
        errors = min(row[column] for row in run.history)
    return {
        "way": way,
        "share": share,
        "seed": seed,
        "wer": metrics["wer"],
        "wer_interval": metrics["wer_interval"],
        "num_words": metrics["num_words"],
        "validation": column,
        "validation_errors": errors,
        "train_clips": sum(item.split == "train" for item in chosen),
        "train_speakers": len({item.speaker for item in chosen if item.split == "train"}),
        "passes": run.config.fit.epochs,
        "processor_minutes": round(busy / 60, 1),
        "fingerprint": run.facts["corpus"]["fingerprint"],
    }


def tables(folder: Path = RESULTS / "few_sentences") -> dict[str, str]:
    """Means over the seeds that have been measured."""
    there = [one["wer"] for one in read_parts(RESULTS / "transcription") if one["way"] == "BiLSTMEncoder"]
    errors: dict[tuple[str, int], list[float]] = {MEASURED_THERE: there}
    speakers = {}
    for result in read_parts(folder):
        errors.setdefault((result["way"], result["share"]), []).append(result["wer"])
        speakers[result["share"]] = f"{result['train_speakers']} ({result['train_clips']})"
    rows = [
        (f"{share}%", speakers[share], *(_mean(errors.get((way, share), [])) for way in WAYS))
        for share in EPOCHS
        if share in speakers
    ]
    return {"all": markdown_table(("of AN4's training", "speakers (sentences)", *WAYS.values()), rows)}


def _mean(found: list[float]) -> str:
    """With the number of seeds, where it is not all of them."""
    if not found:
        return ""
    return f"{statistics.mean(found):.1%}" + (f" ({len(found)} of {SEEDS} seeds)" if len(found) < SEEDS else "")


if __name__ == "__main__":
    main()
