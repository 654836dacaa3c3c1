"""Measure a run on its test split, or on other recordings, and write the report."""

import dataclasses
import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasr.core.cli import command_line
from kerasr.core.console import isolate
from kerasr.core.provenance import provenance
from kerasr.core.scores import format_score
from kerasr.data.clips import BATCH_SIZE, read_clips
from kerasr.data.corpora import synthetic
from kerasr.data.hashes import with_hashes
from kerasr.data.manifest import Corpus, Utterance
from kerasr.errors import UserError
from kerasr.evaluation.judgement import judge_run
from kerasr.evaluation.latency import ROUNDS, measure_latency
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
from kerasr.evaluation.vocoder import measure_vocoder
from kerasr.evaluation.voice import measure_voice
from kerasr.inference.attribution import Explainer
from kerasr.inference.compiled import join_outputs
from kerasr.models.registry import RECOGNISER, SPEAKER
from kerasr.recipes.voices import expect_of_people
from kerasr.report.clips import explain_clip, make_clip
from kerasr.report.figures import Clip
from kerasr.report.page import write_report
from kerasr.report.voice import write_voice_report
from kerasr.runs.facts import MODEL
from kerasr.runs.run import Run
from kerasr.tasks import Recognition
from kerasr.tasks.base import list_words

MAX_CLIPS = 12

# Of those, as many are explained: two rows on a wide screen.
MAX_EXPLAINED = 8


@dataclass(frozen=True)
class Evaluation:
    """What was measured, and where it was written.

    Attributes:
        metrics: what the task's `evaluate` found, its `headline`, the run's `parameters`, `model_bytes` and
            `latency_ms`, and its `judgements`, a list with `code` and `text`.
        notes: what a reader must know to judge the scores.
        folder: of `metrics.json`, `report.html` and `pictures/`.
    """

    metrics: dict[str, Any]
    notes: tuple[str, ...]
    folder: Path

    def __repr__(self) -> str:
        """What a notebook shows: the headline, the notes and the page, a line each."""
        headline = f"{format_score(self.metrics)} ({self.metrics['measured_on']})"
        return "\n".join([headline, *(f"note: {note}" for note in self.notes), f"report: {self.report}"])

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"


def evaluate_run(
    run: Run,
    split: str | None = None,
    *,
    corpus: Corpus | None = None,
    folder: Path | None = None,
    max_bad: int | None = None,
    judges: Sequence[Run] = (),
) -> Evaluation:
    """Measure a run and write `metrics.json`, `report.html` and `pictures/`.

    Args:
        run: what to measure, with its best weights.
        split: the part of the recordings: of the run's own, `test` where None; of other recordings, all where None.
        corpus: other recordings, to measure on instead of the run's own.
        folder: where to write; where None, the run's folder for its test split and a folder in its `evaluations` for
            anything else. A preset's go to `runs/evaluations`.
        max_bad: recordings that are listed and left out because they cannot be read or measured on; the run's setting
            where None.
        judges: of a voice, recognisers of transcripts, or of single words, that listen to it.

    Raises:
        UserError: there is nothing to measure on, the recordings have words that the run does not know, too many cannot
            be read, the run's weights are damaged, or judges listen to what is no voice or say no text.
        OSError: the report cannot be written.
    """
    if judges and run.task.kind != SPEAKER:
        raise UserError("task-unsupported", f"--judges listen to voices, and {run.path} is to {run.task.about()}")
    split = split or (None if corpus else "test")
    max_bad = run.config.data.max_bad if max_bad is None else max_bad
    measured_on = name_recordings(corpus, split) if corpus else f"the {split} split"
    utterances = _select(run, split, corpus, max_bad)
    if run.task.kind != RECOGNISER:
        metrics, sentences = (
            measure_voice(run, utterances, judges) if run.task.kind == SPEAKER else measure_vocoder(run, utterances)
        )
        write: Callable[..., Path] = functools.partial(write_voice_report, sentences=sentences)
    else:
        utterances, probs = _predict(run, utterances, corpus, max_bad)
        metrics, clips = _measure(run, utterances, probs), _clips(run, utterances, probs)
        write = functools.partial(_write_report, run, clips)
    metrics["measured_on"] = measured_on
    if corpus:
        metrics["source"] = corpus.source
    else:
        metrics = run.task.evaluate_beside(run, metrics)
    judgements = judge_run(run, utterances, metrics)
    metrics["judgements"] = [dataclasses.asdict(judgement) for judgement in judgements]
    notes = [judgement.text for judgement in judgements] + _notes(run, utterances, metrics, corpus, split)
    if folder is None:
        own = corpus is None and split == "test"
        folder = run.path if own and not run.is_preset else _own_folder(run, split, corpus)
    where = provenance()
    write(
        folder,
        title=f"{isolate(run.path.name)} on {measured_on}",
        subtitle=f"{run.config.model.name} trained on {isolate(run.facts['corpus']['name'])}, recipe "
        f"{run.config.recipe}, measured {datetime.datetime.now():%Y-%m-%d %H:%M} on {len(utterances):,} clips",
        metrics=metrics,
        tiles=_tiles(run, metrics),
        facts=_facts(run, metrics, corpus, where),
        notes=notes,
        history=run.history,
        kept=run.facts.get("best_epoch"),
        monitor=run.task.monitor,
    )
    return Evaluation(metrics, tuple(notes), folder)


def _write_report(run: Run, clips: Sequence[Clip], folder: Path, *, metrics: dict[str, Any], **page: Any) -> Path:
    """The page, with the task's pictures."""
    return write_report(folder, metrics=metrics, figures=run.task.pictures(metrics), clips=clips, **page)


def _select(run: Run, split: str | None, corpus: Corpus | None, max_bad: int) -> list[Utterance]:
    """The recordings to measure on, of words that the run knows."""
    if corpus is None:
        utterances = run.utterances(split or "test")
        if not utterances:
            raise UserError("split-not-found", f"{run.path}: its manifest has no recording of the {split} split")
        return utterances
    utterances = select_utterances(corpus, split)
    if run.config.features.is_given and corpus.features is None:
        run.check_front_end(f"evaluate --data {corpus.source}")
    if corpus.features and not run.config.features.is_given_as(corpus.features):
        raise UserError(
            "features-differ",
            f"{corpus.source}: has features that {run.path} has not learnt from: others, or further apart",
        )
    return check_usable(run.task, corpus, utterances, max_bad)


def _predict(
    run: Run, utterances: list[Utterance], corpus: Corpus | None, max_bad: int
) -> tuple[list[Utterance], np.ndarray]:
    """The recordings that can be read, and their probabilities `(clips, labels)`."""
    kept: list[Utterance] = []
    bad: list[tuple[str, str]] = []
    probs: list[np.ndarray] = []
    run.model  # noqa: B018 (a damaged model is told before the recordings are read)
    clips = read_clips([item.path for item in utterances], run.config.features, bad, "Evaluating")
    while batch := list(islice(clips, BATCH_SIZE)):
        kept += [utterances[place] for place, _ in batch]
        probs.append(run.probs([clip for _, clip in batch]))
    corpus = corpus or Corpus(run.path.name, tuple(utterances), source=str(run.path))
    check_readable(corpus, utterances, bad, max_bad)
    return kept, join_outputs(probs)


def _measure(run: Run, utterances: Sequence[Utterance], probs: np.ndarray) -> dict[str, Any]:
    """The scores on recordings, and what the model costs."""
    seed = run.config.runtime.seed
    metrics = run.recognition.evaluate(run, utterances, probs, groups=columns_of(utterances), seed=seed)
    return metrics | {
        "headline": run.task.headline(metrics),
        "run": str(run.path),
        "parameters": run.network.count_params(),
        "model_bytes": (run.path / MODEL).stat().st_size,
        "latency_ms": measure_latency(run, utterances[0]),
    }


def _notes(
    run: Run, utterances: Sequence[Utterance], metrics: dict[str, Any], corpus: Corpus | None, split: str | None
) -> list[str]:
    """What makes the scores worth less than they look."""
    own_test = corpus is None and split == "test"
    notes = _notes_of_own_test(run) if own_test else _notes_of_recordings(run, utterances, corpus)
    if corpus and corpus.speaker_source:
        notes.append(f"{isolate(corpus.speaker_source)}.")
    if isinstance(run.task, Recognition):  # A voice speaks as those of its training.
        notes += _notes_of_speakers(run, utterances)
    notes += run.task.notes(run, metrics)
    if corpus is None and run.facts["corpus"]["name"] == synthetic.NAME:
        notes.append(expect_of_people(run.config))
    return notes


def _notes_of_speakers(run: Run, utterances: Sequence[Utterance]) -> list[str]:
    """Whether the training, or what it began from, has heard those who speak."""
    notes = []
    speakers = {item.speaker for item in utterances if item.speaker is not None}
    trainers = {item.speaker for item in run.utterances("train")}
    # Whom earlier runs have learnt from; and a preset keeps its training's speakers without the recordings.
    others = {*run.facts.get("train_speakers", ())}
    known = speakers & (trainers | others if run.is_preset else trainers)
    if known:
        who = "All" if known == speakers else f"{len(known):,} of the"
        notes.append(
            f"{who} {len(speakers):,} speakers were in the training: expect less for a new voice "
            f"({command_line('train', '--leave-out', 'NAME')} measures it)."
        )
    if only_before := sorted(speakers & others - known):
        notes.append(
            f"The run that this one began from or learnt from was trained on {list_words(only_before, 10)}: expect "
            "less for a new voice."
        )
    return notes


def _notes_of_own_test(run: Run) -> list[str]:
    """What the training found out about its test recordings."""
    notes = []
    if before := run.facts.get("test_clips_known"):
        notes.append(
            f"{before:,} of the test's recordings were in the training or validation of the run that this one began "
            "from or learnt from: this is no score on new recordings."
        )
    if copies := run.facts.get("test_copies"):
        notes.append(
            f"Of the test's recordings, {copies:,} stand in training or validation too, byte for byte: the score says "
            "more than is true."
        )
    return notes


def _notes_of_recordings(run: Run, utterances: Sequence[Utterance], corpus: Corpus | None) -> list[str]:
    """How many of other recordings than its test the run has learnt from, wherever these lie."""
    notes = []
    if corpus and not run.tells_all_known and corpus.name == run.facts["corpus"]["name"]:
        notes.append("The preset was trained on other clips of this corpus, or on these: its card says on which.")
    if origin := run.config.transfer.pretrained:
        notes.append(f"It began from {origin}, of which nobody here knows what it had learnt from: these may be in it.")
    known = with_hashes(utterances) if corpus else utterances
    if repeated := sum(item in run.known for item in known):
        before = ", or in that of a run that it comes from" if run.config.transfer.runs else ""
        notes.append(
            f"{repeated:,} of these {len(utterances):,} recordings were in the run's own training or validation"
            f"{before}."
        )
    return notes


def _tiles(run: Run, metrics: dict[str, Any]) -> dict[str, str]:
    return {
        **run.task.tiles(metrics),
        "parameters": f"{metrics['parameters']:,}",
        "model on disk": _size(metrics["model_bytes"]),
        **({"one clip takes": f"{metrics['latency_ms']:.1f} ms"} if "latency_ms" in metrics else {}),
    }


def _facts(run: Run, metrics: dict[str, Any], corpus: Corpus | None, where: dict[str, Any]) -> dict[str, str]:
    """Name and value of what is worth knowing about the run, for the page's table."""
    config, facts, spec = run.config, run.facts, run.config.features
    trained = facts["corpus"]
    call = f"Run.{'probs' if spec.is_given else 'predict'} on {where['machine']['cores']} cores"
    length = "any length" if spec.clip_seconds is None else f"{spec.clip_seconds:g} s"
    rows = {
        "recipe": config.recipe,
        "model": f"{config.model.name}{_options(config.model.options)}",
        "task": run.task.about(),
        "parameters": f"{metrics['parameters']:,}",
        "model on disk": f"{_size(metrics['model_bytes'])} ({MODEL})",
        "latency of one clip": f"{metrics['latency_ms']:.1f} ms from {'features' if spec.is_given else 'waveform'} to "
        f"answer (median of {ROUNDS}, {call})"
        if "latency_ms" in metrics
        else "",
        "features": f"{spec.kind}, {spec.num_features} every {1000 * spec.hop_length / spec.sample_rate:g} ms, "
        f"{'' if spec.is_given else f'{spec.sample_rate:,} Hz, '}clips of {length}",
        "trained on": ", ".join(
            isolate(text) for text in (trained["name"], trained.get("source"), trained.get("licence")) if text
        ),
        "split": run.split_rule,
        "measured on": f"{isolate(corpus.name)}, {isolate(corpus.source)}" if corpus else metrics["measured_on"],
        "seed": f"{config.runtime.seed}",
        "training": _training(run),
        **machine_facts(where),
        "trained with": facts.get("command", ""),
        "fingerprint": trained.get("fingerprint", ""),
    }
    return {name: text for name, text in rows.items() if text}


def _training(run: Run) -> str:
    """How long, on what, with what arithmetic."""
    facts, epochs = run.facts, run.facts.get("epochs_run", len(run.history))
    passes = f"{epochs} epoch{'s' * (epochs != 1)}"
    if not run.has_builder:
        return f"{f'{passes} ' if epochs else ''}in a loop of one's own"
    parts = [f"{passes}, batch {run.config.fit.batch_size}"]
    if "train_seconds" in facts:
        parts.append(f"{facts['train_seconds'] / 60:.1f} minutes")
    if "precision" in facts:
        parts.append(
            f"{facts['device']} ({facts['backend']}), {facts['precision']}, XLA {'on' if facts['xla'] else 'off'}"
        )
    return ", ".join(parts)


def _clips(run: Run, utterances: Sequence[Utterance], probs: np.ndarray) -> list[Clip]:
    """The task's examples, to look at and to play."""
    # Another backend trains and measures as well, and cannot explain.
    spec = run.config.features
    explains = keras.backend.backend() == "tensorflow" and not (spec.is_given or spec.is_waveform)
    explainer = Explainer(run.front_ends, run.network) if explains else None
    clips = []
    for number, example in enumerate(run.recognition.examples(utterances, probs, MAX_CLIPS)):
        item = utterances[example.index]
        facts = {name: value for name, value in vars(example).items() if name != "index"}
        clip = make_clip(run, item, word=run.recognition.said(item), **facts)
        if explainer and number < MAX_EXPLAINED and clip.predicted in run.labels and not run.task.per_frame:
            clip = explain_clip(clip, run, explainer)
        clips.append(clip)
    return clips


def _own_folder(run: Run, split: str | None, corpus: Corpus | None) -> Path:
    """A folder that any file system takes, in which no evaluation on other recordings of the same name lies."""
    folder = run.evaluation_folder(evaluation_name(corpus, split))
    return evaluation_folder(folder, source=corpus and corpus.source)


def _options(options: dict[str, Any]) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in options.items())})" if options else ""


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:.0f} kB"
