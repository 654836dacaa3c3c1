"""Transcripts of AN4 by speakers never heard: each encoder trained by the recipe `an4`.

    python benchmarks/transcription.py                             every encoder, three seeds
    python benchmarks/transcription.py --parts BiLSTMEncoder-0     some of them
    python benchmarks/transcription.py --table                     print what has been measured

Nothing is chosen on the test: the weights are those of the epoch with the fewest character errors of the validation's
speakers, and they choose the weights of the trigram of the training text, too. Where the copy has no test part, five
speakers of the training part are the test (`kerasr.data.corpora.an4`), who are harder than the official ones. Results
go to benchmarks/results/transcription/.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from _parts import RESULTS, by_way, markdown_table, measure_ways, print_tables, processor_seconds
from rich.console import Console

import kerasr
from kerasr.config import DecodingConfig
from kerasr.evaluation.decoder_tuning import tune_decoder
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.models.registry import list_models
from kerasr.training.trainer import train_recipe

EPOCHS, SEEDS = 60, 3
ENCODERS = [facts.name for facts in list_models(per_frame=True)]
KEPT = ("wer", "wer_interval", "wer_method", "cer", "num_words", "num_clips", "num_correct", "parameters", "latency_ms")


def main() -> None:
    print_tables(tables(measure_ways(__doc__, "transcription", EPOCHS, ENCODERS, SEEDS, measure)))


def measure(model: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train, and transcribe the test."""
    busy = processor_seconds()
    with tempfile.TemporaryDirectory() as out:
        config = kerasr.get_recipe("an4", model).replace(epochs=epochs, seed=seed, out=out)
        run = train_recipe(config, console=Console(stderr=True))
        trained = processor_seconds() - busy
        metrics = evaluate_run(run, folder=Path(out) / "report").metrics
        decoding = DecodingConfig(lm="training", words="training")
        chosen = tune_decoder(run, decoding)
        run.decode_with(decoding)
        return {
            "way": model,
            "seed": seed,
            **{name: metrics[name] for name in KEPT},
            "wer_lm": evaluate_run(run, folder=Path(out) / "report").metrics["wer"],
            "lm_weight": chosen["lm_weight"],
            "word_bonus": chosen["word_bonus"],
            "speakers": {item["speaker"]: item["wer"] for item in metrics["speakers"]},
            "validation_cer": min(row["val_cer"] for row in run.history),
            "best_epoch": run.facts["best_epoch"],
            "split_rule": run.split_rule,
            "processor_minutes": round(trained / 60, 1),
            "fingerprint": run.facts["corpus"]["fingerprint"],
        }


def tables(folder: Path = RESULTS / "transcription") -> dict[str, str]:
    """Mean and range over the seeds that have been measured."""
    rows = [
        (
            model,
            f"{results[0]['parameters']:,}",
            _spread([result["wer"] for result in results]),
            _spread([result["wer_lm"] for result in results]),
            _spread([result["cer"] for result in results]),
            str(len(results)),
            f"{statistics.mean(result['processor_minutes'] for result in results):.0f}",
        )
        for model, results in by_way(folder, ENCODERS).items()
    ]
    headings = (
        "encoder",
        "parameters",
        "word errors",
        "with words and a trigram",
        "character errors",
        "seeds",
        "processor minutes of training",
    )
    return {"all": markdown_table(headings, rows)}


def _spread(values: list[float]) -> str:
    mean = f"{statistics.mean(values):.1%}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1%} to {max(values):.1%})"


if __name__ == "__main__":
    main()
