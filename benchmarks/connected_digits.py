"""Strings of three to seven digits by unseen speakers: the recipe `connected-digits`, each of six left out in turn.

    python benchmarks/connected_digits.py                              all of it, three seeds, and PocketSphinx
    python benchmarks/connected_digits.py --parts theo-0 voices-theo-0 some of it
    python benchmarks/connected_digits.py --table                      print what has been measured

The strings are made of the speaker's recordings in FSDD, each of them in two strings, with pauses of 0.05 to 0.4 s
(`kerasr.data.connected`), and are the same in each part. A speaker has no part in his training: the five others train,
but for a tenth of their recordings, and the last weights are the result. In the parts `voices-...` a thousand clips by
espeak-ng and a thousand by flite train beside them (`--synthetic-voices 100 --flite-clips 100`). Transcripts are found
greedily, and at three speeds (`--tta-speeds`): the tokens are the ten digits. PocketSphinx (`pip install pocketsphinx`;
its own English model) searches a grammar of any digits in any number.

The recipe was chosen in trainings that left out george and nicolas together; voices and speeds by these two, and by
jackson and yweweler left out together.

Results go to benchmarks/results/connected_digits/; runs stay in runs/connected_digits/, and one that was killed is gone
on with. Several processes can share the work (--parts, TF_NUM_INTRAOP_THREADS=1 for each).
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from _parts import (
    RESULTS,
    RUNS,
    markdown_table,
    measure_parts,
    parse_arguments,
    print_tables,
    read_parts,
    train_in,
)
from _pocketsphinx import NAME as PEER
from _pocketsphinx import make_decoder, recognise

import kerasr
from kerasr.config import DecodingConfig
from kerasr.data import Utterance, load_corpus
from kerasr.data.connected import connect
from kerasr.data.corpora.fsdd import DIGITS, SPEAKERS
from kerasr.metrics.transcription import transcription_metrics

EPOCHS, SEEDS = 50, 3
SHORTEST, LONGEST = 3, 7
# Strings of so many passes over a speaker's recordings.
ROUNDS = 2
# What trains beside the five speakers, by the beginning of a part's name.
VOICES = "voices-"
BESIDE: dict[str, dict[str, int]] = {"": {}, VOICES: {"synthetic_voices": 100, "flite_clips": 100}}
# At which each string is heard, in one of the ways to transcribe.
SPEEDS = (0.9, 1.0, 1.12)
GREEDY, SEVERAL = "greedy", "several speeds"
NAMES = {
    GREEDY: "kerasr, greedy",
    SEVERAL: "kerasr, at three speeds",
    f"{VOICES}{GREEDY}": "kerasr with synthetic voices, greedy",
    f"{VOICES}{SEVERAL}": "kerasr with synthetic voices, at three speeds",
    PEER: "PocketSphinx, digit grammar",
}
# Digit errors that were measured elsewhere: who, how many.
PUBLISHED = (
    ("[Whisper](https://github.com/openai/whisper) base", "8.0%"),
    ("Whisper tiny.en", "10.1%"),
    ("[PocketSphinx](https://github.com/cmusphinx/pocketsphinx), digit grammar", "27.6%"),
)
KEPT = ("wer", "num_words", "num_substitutions", "num_deletions", "num_insertions")


def main() -> None:
    arguments = parse_arguments(__doc__, "connected_digits", EPOCHS)
    if not arguments.table:
        parts = {
            f"{beside}{speaker}-{seed}": partial(measure, beside, speaker, seed, arguments.epochs)
            for seed in range(SEEDS)
            for beside in BESIDE
            for speaker in SPEAKERS
        }
        measure_parts(arguments, {**parts, PEER: measure_peer})
    print_tables(tables(arguments.results))


@cache
def strings_of(speaker: str) -> list[Utterance]:
    """The strings that a speaker is measured on."""
    recordings = [item for item in load_corpus("fsdd").utterances if item.speaker == speaker]
    rounds = (connect(recordings, LONGEST, 0, number, shortest=SHORTEST) for number in range(ROUNDS))
    return [item for strings in rounds for item in strings]


def measure(beside: str, speaker: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train without a speaker, and transcribe his strings."""
    config = kerasr.get_recipe("connected_digits")
    config = config.replace(leave_out=speaker, epochs=epochs, seed=seed, **BESIDE[beside])
    run, minutes = train_in(RUNS / "connected_digits" / f"{beside}{speaker}-{seed}", config)
    strings, scores = strings_of(speaker), {}
    for way, speeds in ((GREEDY, (1.0,)), (SEVERAL, SPEEDS)):
        run.decode_with(DecodingConfig(tta_speeds=speeds))
        probs = run.predict_files([item.path for item in strings])
        scores[f"{beside}{way}"] = score(run.recognition.decide(probs).tolist(), strings)
    return {
        "speaker": speaker,
        "seed": seed,
        "scores": {speaker: scores},
        "parameters": run.facts["parameters"],
        "split_rule": run.split_rule,
        "processor_minutes": minutes,
        "fingerprint": run.facts["corpus"]["fingerprint"],
    }


def measure_peer() -> dict[str, Any]:
    """PocketSphinx on the strings of each speaker."""
    grammar = f"#JSGF V1.0; grammar digits; public <string> = ({' | '.join(DIGITS)})+;"
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.gram"
        path.write_text(grammar)
        decoder = make_decoder(jsgf=str(path), lm=None)
        started = time.perf_counter()
        for speaker in SPEAKERS:
            found = [recognise(decoder, item.path) for item in strings_of(speaker)]
            scores[speaker] = {PEER: score(found, strings_of(speaker))}
        seconds = time.perf_counter() - started
    return {"speaker": PEER, "seed": 0, "scores": scores, "seconds": round(seconds, 1)}


def score(found: Sequence[str], strings: Sequence[Utterance]) -> dict[str, Any]:
    """Digit errors, and by a string's length how many are right in every digit, of how many."""
    truth = [item.text or "" for item in strings]
    metrics = transcription_metrics(found, truth, [item.speaker for item in strings])
    lengths = np.array([len(text.split()) for text in truth])
    right = np.array(found, object) == np.array(truth, object)
    by_length = {
        str(length): [int(right[lengths == length].sum()), int((lengths == length).sum())]
        for length in range(SHORTEST, LONGEST + 1)
    }
    return {**{name: metrics[name] for name in KEPT}, "right": by_length}


def tables(folder: Path = RESULTS / "connected_digits") -> dict[str, str]:
    """Digit errors of each speaker and the mean where all six have been measured; strings that are right, by length.

    And `others`: the means beside what was measured elsewhere.
    """
    scores = by_way(read_parts(folder))
    numbers = range(SHORTEST, LONGEST + 1)
    return {
        "speakers": markdown_table(
            ("digit errors", *SPEAKERS, "mean"), [(NAMES[way], *error_cells(mine)) for way, mine in scores.items()]
        ),
        "lengths": markdown_table(
            ("strings right in every digit", *(f"{number} digits" for number in numbers)),
            [(NAMES[way], *(length_cell(mine, str(number)) for number in numbers)) for way, mine in scores.items()],
        ),
        "others": markdown_table(
            ("who", "measured", "digit errors"),
            [
                *((who, "elsewhere", errors) for who, errors in PUBLISHED),
                *((NAMES[way], "here", error_cells(mine)[-1].strip("*")) for way, mine in scores.items()),
            ],
        ),
    }


def by_way(results: list[dict[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The scores of each way to transcribe, by the speaker, a seed each."""
    return {
        way: {
            speaker: [mine for one in results if (mine := one["scores"].get(speaker, {}).get(way))]
            for speaker in SPEAKERS
        }
        for way in NAMES
        if any(way in scores for one in results for scores in one["scores"].values())
    }


def errors_by_speaker(scores: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Digit error rate of each speaker who has been measured, the mean over the seeds."""
    return {speaker: statistics.mean(one["wer"] for one in mine) for speaker, mine in scores.items() if mine}


def error_cells(scores: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A speaker each, and the mean: of some speakers it is not one to compare."""
    errors = errors_by_speaker(scores)
    mean = f"**{statistics.mean(errors.values()):.1%}**" if len(errors) == len(SPEAKERS) else ""
    return [*(f"{errors[speaker]:.1%}" if speaker in errors else "" for speaker in SPEAKERS), mean]


def length_cell(scores: dict[str, list[dict[str, Any]]], length: str) -> str:
    """The share of all speakers' strings of a length that are right."""
    counts = [one["right"][length] for mine in scores.values() for one in mine]
    return f"{sum(right for right, _ in counts) / max(sum(total for _, total in counts), 1):.1%}"


def figures(folder: Path = RESULTS / "connected_digits") -> dict[str, str]:
    """The mean digit error rate of each way, and the minutes of a training."""
    results = read_parts(folder)
    found = {f"{way} mean": error_cells(mine)[-1].strip("*") for way, mine in by_way(results).items()}
    minutes = [one["processor_minutes"] for one in results if one.get("processor_minutes")]
    return {**found, "minutes": f"{statistics.mean(minutes):.0f}"} if minutes else found


if __name__ == "__main__":
    main()
