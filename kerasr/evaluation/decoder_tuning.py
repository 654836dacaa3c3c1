"""The weights of a language model, chosen on the validation's speakers."""

import itertools
from dataclasses import asdict, replace
from typing import Any

from kerasr.config.decoding import TRAINING, DecodingConfig
from kerasr.core.progress import ProgressBar
from kerasr.metrics.transcription import word_error_rate
from kerasr.runs.decoding import make_decoder
from kerasr.runs.folder import update_facts
from kerasr.runs.run import Run
from kerasr.tasks.transcribe import Transcribe

LM_WEIGHTS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0)
WORD_BONUSES = (0.0, 1.0, 2.0, 3.0, 4.0)


def tune_decoder(run: Run, config: DecodingConfig) -> dict[str, Any]:
    """Choose the weights with the fewest word errors of the validation split, and keep them in the run.

    Args:
        run: of the task `transcribe`.
        config: names the language model, the words and the beam; where it decodes greedily, the model is that of the
            training texts.

    Returns:
        `lm`, `words`, `lm_weight`, `word_bonus`, `validation_wer`, the `calibration` of the words' confidences, and
        `grid`, a list of weights and word error rates.

    Raises:
        UserError: the run gives no transcripts, a file is damaged, or the validation cannot be read.
    """
    if config.is_greedy:
        config = replace(config, lm=TRAINING)
    decoder = make_decoder(run, config)
    assert decoder is not None
    utterances = run.utterances("validation")
    truth = run.recognition.truth(utterances).tolist()
    probs = run.predict_files([item.path for item in utterances])
    weights = list(itertools.product(LM_WEIGHTS if decoder.model else (1.0,), WORD_BONUSES))
    grid = []
    with ProgressBar("Choosing weights", len(weights)) as progress:
        for lm_weight, word_bonus in weights:
            options = replace(decoder.options, lm_weight=lm_weight, word_bonus=word_bonus)
            search = decoder.with_options(options)
            wer = word_error_rate(truth, [search.decode(clip) for clip in probs])
            grid.append({"lm_weight": lm_weight, "word_bonus": word_bonus, "wer": wer})
            progress.advance(1)
    # Of equals those nearest to 1, as what is rarer on one split is often luck.
    best = min(grid, key=lambda row: (row["wer"], abs(row["lm_weight"] - 1) + abs(row["word_bonus"] - 1)))
    assert isinstance(run.task, Transcribe)
    run.task.decoder = decoder.with_options(
        replace(decoder.options, lm_weight=best["lm_weight"], word_bonus=best["word_bonus"])
    )
    calibration = run.recognition.fit_calibration(utterances, probs)
    chosen = {
        "lm": config.lm,
        "words": config.words,
        "lm_weight": best["lm_weight"],
        "word_bonus": best["word_bonus"],
        "validation_wer": best["wer"],
        "calibration": calibration and asdict(calibration),
        "grid": grid,
    }
    update_facts(run, decoding=chosen)
    return chosen
