"""Measure a run and write its report: `python -m kerasr.evaluate`."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from kerasr.config import DecodingConfig
from kerasr.config.bounds import Bounds, Count, NotNegative, Number, check_bounds
from kerasr.config.transfer import is_hub
from kerasr.core.cli import command_line, import_quietly, parse, run_command
from kerasr.core.console import isolate, make_console
from kerasr.data.corpora.load import check_corpus_name
from kerasr.errors import UserError
from kerasr.models.hub import check_hub
from kerasr.presets import presets_line
from kerasr.runs.find import find_run

if TYPE_CHECKING:
    from rich.console import Console

    from kerasr.evaluation.evaluator import Evaluation
    from kerasr.pretrained.transcriber import PretrainedTranscriber
    from kerasr.report.page import Ranking
    from kerasr.runs.run import Run

DESCRIPTION = """
Measure a run and write metrics.json, report.html and pictures/.

  python -m kerasr.evaluate runs/2026-11-21-digits-1                        on its own test split, into its folder
  python -m kerasr.evaluate runs/2026-11-21-digits-1 --data elsewhere/      on other recordings of the same words
  python -m kerasr.evaluate runs/2026-11-21-digits-1 --split validation
  python -m kerasr.evaluate PRESET --data elsewhere/                        a preset on your recordings
  python -m kerasr.evaluate hub:whisper_tiny_en --data an4                  a pretrained model of keras-hub

Three other jobs, each with a --help of its own:

  python -m kerasr.evaluate stream RUN            misses and false alarms in long sound, and the threshold to take
  python -m kerasr.evaluate suspects RUN          training labels that may be wrong
  python -m kerasr.evaluate unlabelled RUN new/   recordings that are worth a label

Anything but the run's own test split goes into a folder of its own in the run's evaluations/, so that the run keeps its
score. What a preset or a pretrained model is measured on goes into runs/evaluations/.
"""

RunPath = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]


@dataclass(frozen=True)
class ScoresConfig:
    """Scores, and a report."""

    run: RunPath
    """The run's folder (`kerasr runs` lists them), a preset's name, or `hub:` and a pretrained model of keras-hub."""
    data: str | None = None
    """Other recordings: a folder with one sub-folder a word, a manifest, fsdd, speech_commands, synthetic:yes,no."""
    speaker_pattern: str | None = None
    """With --data: who speaks, a regular expression whose first group is the speaker, as for kerasr.train."""
    split: Literal["train", "validation", "test"] | None = None
    """The part to measure on; test where not given, and all of --data."""
    out: str | None = None
    """Write here instead."""
    max_bad: Number = 10
    """Bad recordings that are listed and left out; one more is an error."""
    spell_numbers: str | None = None
    """Of a pretrained model: numbers as words of this language (en) in its texts and in those of the recordings."""
    decoding: Annotated[DecodingConfig, tyro.conf.arg(name="")] = field(default_factory=DecodingConfig)
    """Of transcripts."""
    judges: tuple[str, ...] = ()
    """Of a voice: recognisers of transcripts, or of single words, that listen to it, runs or presets."""
    tune_lm: bool = False
    """Choose the language model's weight and the words' bonus on the validation split first; the run keeps them. The
    model is --lm, or else that of the training texts."""
    json: bool = False
    """Print the scores as JSON, for programs."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.speaker_pattern is not None and self.data is None:
            raise UserError("setting-missing", "--speaker-pattern says who speaks in other recordings: add --data")
        if is_hub(self.run) and self.tune_lm:
            raise UserError("task-unsupported", f"--tune-lm: {self.run} has a language of its own, and no validation")
        if is_hub(self.run) and self.data is None:
            raise UserError("setting-missing", f"{self.run}: has no test of its own: name recordings with --data")
        if self.spell_numbers and not is_hub(self.run):
            raise UserError(
                "settings-conflict", f"--spell-numbers: {self.run} says numbers as it was trained to: leave it out"
            )


@dataclass(frozen=True)
class StreamConfig:
    """Place the test clips in noise, run kerasr.listen's detector on them, and choose the threshold that it takes."""

    run: RunPath
    """The run's folder, or a preset's name."""
    carry_state: bool = False
    """Listen as `kerasr.listen --carry-state` does; the threshold that is kept is for that way."""
    snr_db: Annotated[tuple[float, ...], Bounds("one or more numbers", lambda values: len(values) > 0)] = (
        20.0,
        10.0,
        0.0,
    )
    """Speech over noise, in dB; a stream for each."""
    false_alarms_per_hour: NotNegative = 10.0
    """Most of them at the threshold, which is chosen on validation clips."""
    out: str | None = None
    """Write here instead."""
    json: bool = False
    """Print what was found as JSON, for programs."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class SuspectsConfig:
    """Rank training clips by how little probability cross-validated models give to their labels (confident learning).

    Trains a few models, each for a third of the run's epochs and each on a part of its training clips, and goes on
    where it stood when it was killed. The ranking is in the run's suspects/.
    """

    run: RunPath
    """The run's folder, or a preset's name."""
    folds: Count | None = None
    """Parts that the clips are dealt into, and models to train; five where not given."""
    json: bool = False
    """Print where the ranking is as JSON, for programs."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class UnlabelledConfig:
    """Active learning (BADGE): rank recordings by what labelling them would teach, into the run's evaluations/.

    Those come first of which the run is unsure and that are unlike each other. unlabelled.csv is a manifest: fill its
    column label from the top, as far as your patience goes, and train with --data unlabelled.csv; it has the run's own
    recordings, too, and rows without a label are left out. Then rank the rest with the new run.
    """

    run: RunPath
    """The run's folder, or a preset's name."""
    recordings: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FOLDER")]
    """The recordings that have no label."""
    out: str | None = None
    """Write here instead."""
    max_bad: Number = 10
    """Unreadable recordings that are listed and left out; one more is an error."""
    json: bool = False
    """Print where the ranking is as JSON, for programs."""

    def __post_init__(self) -> None:
        check_bounds(self)


def main(argv: list[str]) -> None:
    """Parse the arguments of the job that stands first, or of scores, and do it."""
    kind, work = JOBS.get(argv[0] if argv else "", (None, None))
    if kind is None or work is None:
        config = parse(ScoresConfig, argv, command="evaluate", description=DESCRIPTION + presets_line())
        check_hub(config.run) if is_hub(config.run) else find_run(config.run)
        check_corpus_name(config.data)
        import_quietly()
        _measure_pretrained(config) if is_hub(config.run) else _measure(config)
        return
    config = parse(kind, argv[1:], command=f"evaluate {argv[0]}", description=kind.__doc__)
    if is_hub(config.run):
        raise UserError("task-unsupported", f"evaluate {argv[0]}: takes a run, and {config.run} is a pretrained model")
    find_run(config.run)
    import_quietly()
    work(config)


def _stream(config: StreamConfig) -> None:
    """Measure the run on streams, and say what a user of `kerasr.listen` may expect."""
    import json

    from rich.text import Text

    from kerasr.core.scores import format_alarms, format_missed
    from kerasr.evaluation.stream import evaluate_stream
    from kerasr.runs.run import load_run

    run = load_run(config.run)
    folder = Path(config.out) if config.out else run.evaluation_folder("stream")
    result = evaluate_stream(
        run,
        snrs_db=config.snr_db,
        false_alarms_per_hour=config.false_alarms_per_hour,
        carry_state=config.carry_state,
        folder=folder,
    )
    if config.json:
        print(json.dumps({key: result[key] for key in ("threshold", "test", "judgements")}))
        return
    console = make_console()
    console.print(f"threshold {result['threshold']:.2f}, chosen on validation clips; on test clips:")
    for row in result["test"]:
        late = "" if row["delay"] is None else f", {row['delay']:.2f} s after the word"
        console.print(
            f"  {row['snr_db']:3g} dB: {1 - row['miss_rate']:.1%} of words found{late}; {format_missed(row)}; "
            f"{format_alarms(row)}",
            soft_wrap=True,
        )
    for judgement in result["judgements"]:
        console.print(Text(f"note: {judgement['text']}", "yellow"), soft_wrap=True)
    console.print(str(folder / "detection.png"), soft_wrap=True)
    carried = ["--carry-state"] if config.carry_state else []
    console.print(f"next    {command_line('listen', config.run, *carried)}", soft_wrap=True)


def _suspects(config: SuspectsConfig) -> None:
    """Rank the run's training clips."""
    from kerasr.curation.label_errors import find_suspects
    from kerasr.runs.run import load_run

    run = load_run(config.run)
    ranking = find_suspects(run, folds=config.folds)
    what = "training clips have a label to look at: listen, mend what is wrong, and train again"
    _print_ranking(ranking, what, _same_training(run), as_json=config.json)


def _unlabelled(config: UnlabelledConfig) -> None:
    """Rank recordings that have no label."""
    from kerasr.curation.active_learning import rank_unlabelled
    from kerasr.runs.run import load_run

    out = Path(config.out) if config.out else None
    run = load_run(config.run)
    ranking = rank_unlabelled(run, config.recordings, out=out, max_bad=config.max_bad)
    if not config.json:
        _print_first(ranking)
    what = "recordings should be labelled first: fill in the column label of the csv, from the top"
    _print_ranking(ranking, what, _labelled_training(run, ranking), as_json=config.json)


def _print_first(ranking: "Ranking") -> None:
    """The first recordings, what the run takes them for, and why they come first."""
    from rich.table import Table

    console = make_console()
    if not console.is_terminal:
        console.width = 160
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("rank", "score", "guess", "or else", "reason", "recording"):
        table.add_column(heading, justify="right" if heading in ("rank", "score") else "left", overflow="fold")
    for row in ranking.first:
        guess = f"{isolate(row['guess'])} {float(row['probability']):.0%}"
        cells = (str(row["rank"]), row["score"], guess, isolate(row["or_else"]), row["reason"])
        table.add_row(*cells, isolate(Path(row["path"]).name))
    console.print(table)


def _labelled_training(run: "Run", ranking: "Ranking") -> str:
    """The command that trains as the run was trained, on the table once it is filled in."""
    from kerasr.recipes.arguments import flags_of

    # The manifest has the recordings and their splits; rows without a label are left out.
    given = [path for path in run.config.given if not path.startswith("data.") and path != "logging.out"]
    return command_line("train", run.config.recipe, "--data", ranking.csv, *flags_of(run.config, given))


def _same_training(run: "Run") -> str:
    """The command that trains with a run's settings again."""
    from kerasr.recipes.arguments import flags_of

    return command_line("train", run.config.recipe, *flags_of(run.config, run.config.given))


def _print_ranking(ranking: "Ranking", what: str, command: str, *, as_json: bool) -> None:
    """Say how much of it is to be looked at, where it is, and what to type then."""
    import json

    from rich.text import Text

    facts = {"csv": str(ranking.csv), "page": str(ranking.page), "num_clips": ranking.num_clips}
    if as_json:
        print(json.dumps({**facts, "num_found": ranking.num_found}, ensure_ascii=False))
        return
    console = make_console(soft_wrap=True)
    console.print()
    console.print(Text.assemble((f"{ranking.num_found:,}", "bold"), f" of {ranking.num_clips:,} {what}"))
    for name in ("page", "csv"):
        console.print(f"{name:8}{facts[name]}")
    console.print(f"next    {command}")


def _measure(config: ScoresConfig) -> None:
    """Measure the run, and say what came out."""
    from kerasr.data import load_corpus
    from kerasr.evaluation.evaluator import evaluate_run
    from kerasr.runs.run import load_run

    run = load_run(config.run)
    _decode_as_asked(run, config)
    corpus = None
    if config.data:
        # Words that synthetic voices shall say are said in the language that the run has learnt.
        language = run.config.data.language
        corpus = load_corpus(
            config.data,
            max_bad=config.max_bad,
            speaker_pattern=config.speaker_pattern,
            min_labels=min(run.task.min_labels, 1),
            language=language,
            numbers=run.config.data.spell_numbers,
            phonemes=run.config.data.phonemes,
        )
    folder = Path(config.out) if config.out else None
    judges = [load_run(name) for name in config.judges]
    evaluation = evaluate_run(run, config.split, corpus=corpus, folder=folder, max_bad=config.max_bad, judges=judges)
    export = command_line("export", config.run, "--to", f"serving/{run.config.recipe}")
    if run.config.features.is_given:
        export = command_line("evaluate", config.run, "--data", "KALDI_DIRECTORY")
    _print_evaluation(run, evaluation, export, as_json=config.json)


def _measure_pretrained(config: ScoresConfig) -> None:
    """Measure a pretrained model, and say what came out."""
    from kerasr.data import load_corpus
    from kerasr.evaluation.pretrained import evaluate_pretrained
    from kerasr.pretrained.transcriber import load_transcriber

    model = load_transcriber(config.run)
    model.decode_with(config.decoding)
    numbers = config.spell_numbers
    corpus = load_corpus(
        config.data, max_bad=config.max_bad, speaker_pattern=config.speaker_pattern, min_labels=0, numbers=numbers
    )
    folder = Path(config.out) if config.out else None
    evaluation = evaluate_pretrained(
        model, corpus, config.split, numbers=numbers, folder=folder, max_bad=config.max_bad
    )
    command = command_line("predict", config.run, "FOLDER", "--manifest", "labels.csv")
    _print_evaluation(model, evaluation, command, as_json=config.json)


def _print_evaluation(
    model: "Run | PretrainedTranscriber", evaluation: "Evaluation", command: str, *, as_json: bool
) -> None:
    """The scores for a program, or for a reader."""
    import json

    if as_json:
        print(json.dumps(evaluation.metrics, ensure_ascii=False))
    else:
        print_summary(make_console(), model, evaluation, command)


def _decode_as_asked(run: "Run", config: ScoresConfig) -> None:
    """Give the run the decoder that is asked for, its weights chosen where that is asked for, too."""
    decoding = config.decoding
    if config.tune_lm:
        from kerasr.core.progress import console
        from kerasr.evaluation.decoder_tuning import tune_decoder

        found = tune_decoder(run, decoding)
        decoding = replace(decoding, lm=found["lm"])
        console().print(
            f"weights    language model {found['lm_weight']:g}, a word {found['word_bonus']:g}: WER "
            f"{found['validation_wer']:.1%} on the validation split, on which they were chosen"
        )
    run.decode_with(decoding)


def print_summary(
    console: "Console", model: "Run | PretrainedTranscriber", evaluation: "Evaluation", command: str
) -> None:
    """The scores, what must be known to judge them, where the report is, and what to type next."""
    from rich.text import Text

    metrics = evaluation.metrics
    lines = {**model.task.rows(metrics), **_worst_groups(metrics)}
    if "latency_ms" in metrics:
        lines["latency"] = f"{metrics['latency_ms']:.1f} ms a clip"
    if "rejection" in metrics:
        lines["rejected"] = _rejected(metrics["rejection"])
    width = max(14, *(len(name) + 2 for name in lines))
    console.print()
    for name, text in lines.items():
        line = Text(f"{name:{width}}{text}")
        line.highlight_words([metrics["headline"]], "bold")
        console.print(line, soft_wrap=True)
    for note in evaluation.notes:
        console.print(Text(f"note: {note}", "yellow"), soft_wrap=True)
    for name, text in (("report", evaluation.report), ("next", command)):
        console.print(Text(f"{name:{width}}{text}"), soft_wrap=True)


def _rejected(counts: dict[str, Any]) -> str:
    """What the threshold takes for none of the words."""
    right = f"{counts['right_rejected']:,} of {counts['num_right']:,} right"
    wrong = f"{counts['wrong_rejected']:,} of {counts['num_wrong']:,} wrong answers"
    return f"{right} and {wrong}, those less than {counts['threshold']:.1%} probable"


def _worst_groups(metrics: dict[str, Any]) -> dict[str, str]:
    """The worst speaker, and the worst group of each column of the manifest."""
    from kerasr.core.scores import format_part

    worst = {name: (items[0]["group"], items[0]) for name, items in metrics["groups"].items()}
    if len(metrics["speakers"]) > 1:
        worst = {"speaker": (metrics["speakers"][0]["speaker"], metrics["speakers"][0]), **worst}
    return {f"worst {isolate(name)}": f"{isolate(group)}, {format_part(item)}" for name, (group, item) in worst.items()}


JOBS: dict[str, tuple[type, Callable[[Any], None]]] = {
    "stream": (StreamConfig, _stream),
    "suspects": (SuspectsConfig, _suspects),
    "unlabelled": (UnlabelledConfig, _unlabelled),
}


if __name__ == "__main__":
    run_command(main)
