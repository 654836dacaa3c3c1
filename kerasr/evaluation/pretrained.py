"""Measure a pretrained model of keras-hub on recordings with texts, and write the report, as of a run."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from kerasr.config import FeatureSpec
from kerasr.core.console import isolate
from kerasr.core.progress import ProgressBar
from kerasr.core.provenance import provenance
from kerasr.core.scores import format_decoding
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError
from kerasr.evaluation.evaluator import MAX_CLIPS, Evaluation
from kerasr.evaluation.judgement import judge_test
from kerasr.evaluation.measured import (
    check_readable,
    check_usable,
    columns_of,
    evaluation_folder,
    evaluation_name,
    machine_facts,
    name_recordings,
    select_utterances,
)
from kerasr.pretrained.transcriber import PretrainedTranscriber
from kerasr.report.clips import MAX_SENTENCE_SECONDS, Clip, picture_clip
from kerasr.report.page import write_report
from kerasr.report.style import file_name
from kerasr.tasks.transcribe import Transcript
from kerasr.tasks.transcript_examples import worst_transcripts
from kerasr.text import normalise
from kerasr.text.numbers import spell_numbers

TRAINING_UNKNOWN = (
    "What it was trained on is not known here: if these recordings, or their speakers, were among that, this is no "
    "score on new ones."
)


def evaluate_pretrained(
    model: PretrainedTranscriber,
    corpus: Corpus,
    split: str | None = None,
    *,
    numbers: str | None = None,
    folder: Path | None = None,
    max_bad: int = 10,
) -> Evaluation:
    """Measure a pretrained model and write `metrics.json`, `report.html` and `pictures/`.

    Texts are normalised on both sides, as of a run (`kerasr.text.normalise`). Nothing is said of a run's costs, of the
    calibration of words' confidences and of their alignment.

        whisper = kerasr.pretrained.transcriber.load_transcriber("hub:whisper_tiny_en")
        evaluate_pretrained(whisper, kerasr.data.load_corpus("an4", min_labels=0)).metrics["wer"]

    Args:
        model: with the beam that it has been given.
        corpus: recordings with texts.
        split: the part of them; all where None.
        numbers: language to say the numbers of the model's texts in (`kerasr.text.numbers.spell_numbers`), as those of
            the corpus are (`load_corpus`); None leaves them as they are.
        folder: where to write; a folder in `runs/evaluations` where None.
        max_bad: recordings that are listed and left out because they cannot be read, or have no text.

    Raises:
        UserError: there is nothing to measure on, no recording has a text, or too many are bad.
        OSError: the report cannot be written.
    """
    if corpus.features is not None:
        raise UserError(
            "features-given", f"{corpus.source}: has features that were computed elsewhere; {model.name} takes sound"
        )
    task, utterances = model.task, select_utterances(corpus, split)
    utterances = check_usable(task, corpus, utterances, max_bad)
    utterances, answers = _transcribe(model, utterances, corpus, max_bad)
    texts = (answer.text for answer in answers)
    found = [normalise(spell_numbers(text, numbers) if numbers else text) for text in texts]
    metrics = task.scores(utterances, found, groups=columns_of(utterances))
    metrics |= {
        "headline": task.headline(metrics),
        "pretrained": model.name,
        "parameters": model.num_parameters,
        "measured_on": name_recordings(corpus, split),
        "source": corpus.source,
    }
    judgements = task.judge(metrics) + judge_test(metrics, is_run=False)
    metrics["judgements"] = [dataclasses.asdict(judgement) for judgement in judgements]
    notes = [*(judgement.text for judgement in judgements), TRAINING_UNKNOWN]
    if corpus.speaker_source:
        notes.append(f"{isolate(corpus.speaker_source)}.")
    if folder is None:
        own = Path("runs", "evaluations", file_name(model.short_name), evaluation_name(corpus, split))
        folder = evaluation_folder(own, source=corpus.source, pretrained=model.name)
    write_report(
        folder,
        title=f"{isolate(model.name)} on {metrics['measured_on']}",
        subtitle=f"pretrained {model.family} of keras-hub, measured {datetime.datetime.now():%Y-%m-%d %H:%M} on "
        f"{len(utterances):,} clips",
        metrics=metrics,
        tiles={**task.tiles(metrics), "parameters": f"{metrics['parameters']:,}"},
        facts=_facts(model, metrics, corpus),
        notes=notes,
        figures=task.pictures(metrics),
        clips=_clips(model, utterances, answers, found),
    )
    return Evaluation(metrics, tuple(notes), folder)


def _transcribe(
    model: PretrainedTranscriber, utterances: Sequence[Utterance], corpus: Corpus, max_bad: int
) -> tuple[list[Utterance], list[Transcript]]:
    """The recordings that can be read, and what is said in them."""
    kept: list[Utterance] = []
    answers: list[Transcript] = []
    bad: list[tuple[str, str]] = []
    with ProgressBar("Evaluating", len(utterances)) as progress:
        for item in utterances:
            try:
                answers.append(model.predict(item.path))
                kept.append(item)
            except UserError as error:
                bad.append((item.path, str(error).removeprefix(f"{item.path}: ")))
            progress.advance(1)
    check_readable(corpus, utterances, bad, max_bad)
    return kept, answers


def _facts(model: PretrainedTranscriber, metrics: Mapping[str, Any], corpus: Corpus) -> dict[str, str]:
    """Name and value of what is worth knowing about the model, for the page's table."""
    where = provenance()
    where["versions"]["keras-hub"] = metadata.version("keras-hub")
    return {
        "model": isolate(model.name),
        "decoding": format_decoding(metrics["decoding"]),
        "parameters": f"{metrics['parameters']:,}",
        "features": f"its own, of {model.sample_rate:,} Hz",
        "measured on": f"{isolate(corpus.name)}, {isolate(corpus.source)}",
        **machine_facts(where),
    }


def _clips(
    model: PretrainedTranscriber, utterances: Sequence[Utterance], answers: Sequence[Transcript], found: Sequence[str]
) -> list[Clip]:
    """Examples to look at and to play, which nothing aligns."""
    # For the eye: the model does not read it.
    spec = FeatureSpec(sample_rate=model.sample_rate, clip_seconds=None)
    truth = model.recognition.truth(utterances).tolist()
    clips = []
    for example in worst_transcripts(truth, found, lambda index: (answers[index].confidence, None), MAX_CLIPS):
        facts = {name: value for name, value in vars(example).items() if name != "index"}
        word = truth[example.index]
        item = utterances[example.index]
        clips.append(picture_clip(item, spec, most=MAX_SENTENCE_SECONDS, word=word, is_input=False, **facts))
    return clips
