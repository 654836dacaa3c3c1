"""Transcripts of what was never heard: each encoder by the recipe `an4`, GRID by its own, and PocketSphinx on AN4.

    python benchmarks/transcription.py                             every part, three seeds
    python benchmarks/transcription.py --parts BiLSTMEncoder-0     some of them
    python benchmarks/transcription.py --table                     print what has been measured

Nothing is chosen on the test: the weights are those of the epoch with the fewest token errors of the validation's
speakers, and they choose the weights of the trigram of the training text, too. Where the copy has no test part, five
speakers of the training part are the test (`kerasr.data.corpora.an4`), who are harder than the official ones. GRID is
one speaker's here, and the test a tenth of the sentences (`kerasr.data.corpora.grid`). PocketSphinx
(`pip install pocketsphinx`; its own English model) searches with the same trigram of AN4's training text. The part
`BiLSTMEncoder-joint` has an attention decoder beside CTC in training (`--ctc-weight 0.3`), and `grid-alone` begins with
nothing where `grid` begins with a preset's encoder. Results go to benchmarks/results/transcription/, and what
`python -m kerasr.models` shows of it to kerasr/models/scores_wer.json. Runs stay in runs/transcription/, and one that
was killed is gone on with.
"""

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import connected_digits
import real_time_factor
from _parts import (
    RESULTS,
    RUNS,
    by_way,
    markdown_table,
    measure_ways,
    print_tables,
    processor_seconds,
    read_parts,
    train_in,
    write_result,
)
from _pocketsphinx import NAME as PEER
from _pocketsphinx import make_decoder, recognise

import kerasr
from kerasr import audio
from kerasr.config import DecodingConfig
from kerasr.data import load_corpus
from kerasr.decoding.kneser_ney import estimate_ngrams
from kerasr.decoding.ngram import write_arpa
from kerasr.evaluation.decoder_tuning import tune_decoder
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.metrics.transcription import transcription_metrics
from kerasr.models.registry import list_models
from kerasr.text import normalise

SCORES = Path(kerasr.__file__).parent / "models" / "scores_wer.json"
SEEDS = 3
# (One that reads the waveform is begun from published weights.)
ENCODERS = [facts.name for facts in list_models(per_frame=True) if not facts.reads_waveform]
GRID, GRID_ALONE = "grid", "grid-alone"
# The recipe's own encoder, which learns beside an attention decoder, too.
JOINT = "BiLSTMEncoder-joint"
WAYS = [*ENCODERS, JOINT, GRID, GRID_ALONE, PEER]
# What each way changes of its recipe.
CHANGES: dict[str, dict[str, Any]] = {
    JOINT: {"ctc_weight": 0.3},
    GRID_ALONE: {"init_from": None},
}
# What the network begins with, of those by the recipe `grid`.
ON_GRID = {GRID: "the encoder of `spelling`", GRID_ALONE: "nothing"}
# Where they were measured.
OFFICIAL, TRAINING_PART, HERE = "AN4, official test", "AN4, speakers of the training part", "AN4, the speakers here"
GRID_HERE = "GRID s1, unseen sentences"
# Word errors that others have published, or that were measured elsewhere: on what, who, how many.
PUBLISHED = (
    (OFFICIAL, "[ESPnet](https://github.com/espnet/espnet), transformer with a language model", "7.4%"),
    (OFFICIAL, "ESPnet, CTC with a language model of words", "22.9%"),
    (OFFICIAL, "[deepspeech.pytorch](https://github.com/SeanNaren/deepspeech.pytorch)", "9.6 to 14.7%"),
    (OFFICIAL, "[Kaldi](https://kaldi-asr.org); adapted to the speaker", "9.1%; 5.95%"),
    (OFFICIAL, "a first trial, 21 minutes of one core, greedily; with words and a trigram", "10.6%; 8.4%"),
    (TRAINING_PART, "the same trial, greedily", "20.2%"),
    (
        TRAINING_PART,
        "[PocketSphinx](https://github.com/cmusphinx/pocketsphinx), with the 99 words and a trigram",
        "16.1%",
    ),
    ("AN4", "[Whisper](https://github.com/openai/whisper) base, which spells letters its own way", "about 41%"),
    ("GRID", "[LipNet](https://arxiv.org/abs/1611.01599), with sound", "under 2%"),
)
# How texts are found, by what a result has of it.
HOW = {"wer": "greedily", "wer_lm": "with words and a trigram"}
AN4_TARGETS = {"greedily": "at most 13%", "with words and a trigram": "at most 9%"}
KEPT = ("wer", "wer_interval", "wer_method", "cer", "num_words", "num_clips", "num_correct", "parameters", "latency_ms")


def main() -> None:
    folder = measure_ways(__doc__, "transcription", None, WAYS, SEEDS, measure, once=[PEER])
    if folder == RESULTS / "transcription":
        write_result(SCORES, scores(folder))
    print_tables(tables(folder))


def measure(way: str, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train, and transcribe the test; or let the peer."""
    return measure_peer() if way == PEER else measure_encoder(way, seed, epochs)


def measure_encoder(way: str, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train an encoder by the recipe `an4`, or the recipe `grid`, and transcribe the test."""
    recipe = GRID if way in ON_GRID else "an4"
    config = kerasr.get_recipe(recipe, way if way in ENCODERS else None).replace(seed=seed, **CHANGES.get(way, {}))
    config = config.replace(epochs=epochs or config.fit.epochs)
    run, minutes = train_in(RUNS / "transcription" / f"{way}-{seed}", config)
    run.decode_with(DecodingConfig())
    with tempfile.TemporaryDirectory() as folder:
        metrics = evaluate_run(run, folder=Path(folder)).metrics
        decoding = DecodingConfig(lm="training", words="training")
        chosen = tune_decoder(run, decoding)
        run.decode_with(decoding)
        wer_lm = evaluate_run(run, folder=Path(folder)).metrics["wer"]
    return {
        "way": way,
        "seed": seed,
        "encoder": run.config.model.name,
        **{name: metrics[name] for name in KEPT},
        "wer_lm": wer_lm,
        "lm_weight": chosen["lm_weight"],
        "word_bonus": chosen["word_bonus"],
        "validation_wer_lm": chosen["validation_wer"],
        "speakers": {item["speaker"]: item["wer"] for item in metrics["speakers"]},
        "validation": run.task.monitor.column,
        "validation_errors": min(row[run.task.monitor.column] for row in run.history),
        "best_epoch": run.facts["best_epoch"],
        "split_rule": run.split_rule,
        "processor_minutes": minutes,
        "fingerprint": run.facts["corpus"]["fingerprint"],
    }


def measure_peer() -> dict[str, Any]:
    """PocketSphinx on AN4's test, with the trigram of the training text."""
    utterances = load_corpus("an4", min_labels=0).utterances
    tested = [item for item in utterances if item.split == "test"]
    texts = [normalise(item.text or "") for item in utterances if item.split == "train"]
    with tempfile.TemporaryDirectory() as folder:
        trigram = Path(folder) / "training.arpa"
        write_arpa(estimate_ngrams([text.split() for text in texts], 3), trigram)
        decoder = make_decoder(lm=str(trigram))
        busy = processor_seconds()
        found = [normalise(recognise(decoder, item.path)) for item in tested]
        seconds = processor_seconds() - busy
    truth = [normalise(item.text or "") for item in tested]
    metrics = transcription_metrics(found, truth, [item.speaker for item in tested])
    length = sum(audio.facts(item.path).duration for item in tested)
    return {
        "way": PEER,
        "seed": 0,
        "wer_lm": metrics["wer"],
        **{name: metrics[name] for name in ("wer_interval", "wer_method", "num_words", "num_clips", "num_correct")},
        "real_time_factor": round(seconds / length, 3),
    }


def tables(folder: Path = RESULTS / "transcription") -> dict[str, str]:
    """Mean and range over the seeds that have been measured."""
    headings = (
        "encoder",
        "parameters",
        "word errors",
        "with words and a trigram",
        "character errors",
        "seeds",
        "processor minutes of training",
    )
    measured = by_way(folder, WAYS)
    on_grid = {named: measured[way] for way, named in ON_GRID.items() if way in measured}
    on_an4 = {way: results for way, results in measured.items() if way not in ON_GRID}
    return {
        "all": markdown_table(headings, map(_row, on_an4, on_an4.values())),
        # (Of so few errors a tenth of a point is much.)
        "grid": markdown_table(("begun with", *headings[1:]), [_row(*row, digits=2) for row in on_grid.items()]),
        "encoders": markdown_table(("encoder", "parameters", *HOW.values()), _encoders(measured)),
        "others": markdown_table(("recordings", "who", "word errors"), [*PUBLISHED, *_beside(measured)]),
        "targets": markdown_table(("what", "target", "measured"), _targets(measured)),
    }


def _encoders(measured: dict[str, list[dict[str, Any]]]) -> list[tuple[str, ...]]:
    """Rows of the encoders on AN4, the best first, by their word errors alone; then those that are not measured yet."""
    means = {way: statistics.mean(one["wer"] for one in measured[way]) for way in ENCODERS if way in measured}
    rows = [
        (way, f"{measured[way][0]['parameters']:,}", *_ways(measured, way).values())
        for way in sorted(means, key=means.__getitem__)
    ]
    return [*rows, *((way, "", "-", "-") for way in ENCODERS if way not in means)]


def _beside(measured: dict[str, list[dict[str, Any]]]) -> list[tuple[str, ...]]:
    """Rows of what was measured here, of the default encoder and the peer, as `PUBLISHED` has them."""
    where = {PEER: HERE, "BiLSTMEncoder": HERE, GRID: GRID_HERE}
    return [
        (place, f"{PEER if way == PEER else 'kerasr'}, {told}", found)
        for way, place in where.items()
        for told, found in _ways(measured, way).items()
    ]


def _targets(measured: dict[str, list[dict[str, Any]]]) -> list[tuple[str, ...]]:
    """Rows of what the default encoder, the strings of digits, a transcript and a training step are held against."""
    strings = connected_digits.figures()
    digits = {name: strings.get(f"{way} mean") for way, name in connected_digits.NAMES.items() if way != PEER}
    ratios = {one["model"]: one["times_torch"]["kerasr"] for one in read_parts(RESULTS / "training_sentences")}
    slowest = min(ratios, key=ratios.__getitem__)
    factor = json.loads(real_time_factor.PATH.read_text())["beam"]["real_time_factor"]
    step = f"a training step's speed, PyTorch's being 1, the least ({slowest})"
    return [
        *((f"{HERE}, {told}", AN4_TARGETS[told], found) for told, found in _ways(measured, "BiLSTMEncoder").items()),
        *((f"{GRID_HERE}, {told}", "below 1.0%", found) for told, found in _ways(measured, GRID).items()),
        *((f"connected digits, {name}", "below 8.0%", found) for name, found in digits.items() if found),
        ("real-time factor, beam of 32, words and trigram", "below 0.1", f"{factor:.3f}"),
        (step, "at least 1.0", f"{ratios[slowest]:.2f}"),
    ]


def _ways(measured: dict[str, list[dict[str, Any]]], way: str) -> dict[str, str]:
    """Word errors of an encoder by how its texts were found."""
    results = measured.get(way, [{}])
    digits = 2 if way == GRID else 1
    return {told: _spread([one[key] for one in results], digits) for key, told in HOW.items() if key in results[0]}


def figures(folder: Path = RESULTS / "transcription") -> dict[str, str]:
    """Mean word errors of each way, with words and a trigram."""
    measured = by_way(folder, WAYS)
    return {way: f"{statistics.mean(one['wer_lm'] for one in results):.1%}" for way, results in measured.items()}


def scores(folder: Path = RESULTS / "transcription") -> dict[str, Any]:
    """What `python -m kerasr.models` shows of the encoders."""
    measured = by_way(folder, ENCODERS)
    means = {way: statistics.mean(result["wer"] for result in results) for way, results in measured.items()}
    return {
        "what": "words that are wrong in greedy transcripts of AN4's speakers who are in no training",
        "command": "python benchmarks/transcription.py",
        "models": {way: {"wer": mean, "seeds": len(measured[way])} for way, mean in means.items()},
    }


def _row(way: str, results: list[dict[str, Any]], digits: int = 1) -> tuple[str, ...]:
    """An encoder's; a peer has been trained elsewhere, and says nothing without a language model."""
    if way == PEER:
        return (way, "", "", _spread([result["wer_lm"] for result in results]), "", "", "")
    errors = [_spread([result[name] for result in results], digits) for name in ("wer", "wer_lm", "cer")]
    minutes = [result["processor_minutes"] for result in results if result["processor_minutes"] is not None]
    mean = f"{statistics.mean(minutes):.0f}" if minutes else ""
    return (way, f"{results[0]['parameters']:,}", *errors, str(len(results)), mean)


def _spread(values: list[float], digits: int = 1) -> str:
    mean = f"{statistics.mean(values):.{digits}%}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}%} to {max(values):.{digits}%})"


if __name__ == "__main__":
    main()
