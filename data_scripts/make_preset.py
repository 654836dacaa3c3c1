"""Make a preset of a finished run: its weights and facts without recordings or paths of this machine, and a model card.

    python data_scripts/make_preset.py digits runs/2026-11-21-digits-best-1
    python data_scripts/make_preset.py digits runs/x --recipe-score "94.1%, the mean of six speakers, each left out"

The run is measured again on its own test split, so that the score is that of the file; but for the silences of Speech
Commands, which nobody says, and which each machine cuts itself. One that writes down sentences is measured with words
and trigram of its training texts, too, whose weights are chosen on the validation split where they have not been, and
which come with the preset. A preset of the same name is replaced.
`python -m kerasr.predict NAME clip.wav` then works, or `python -m kerasr.synthesize NAME "a text"` of a voice, in
this checkout and in wheels built from it.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from _prepare import arguments

import kerasr.presets
from kerasr.config import FORMAT, TrainConfig, to_json
from kerasr.core import atomic
from kerasr.core.cli import command_line, import_quietly, run_command
from kerasr.data.corpora.speech_commands import SILENCE
from kerasr.errors import UserError

PRESETS_FOLDER = Path(kerasr.presets.__file__).parent

# A preset is installed with the package, on every machine. Sentences need larger networks than words, and voices yet
# larger ones.
MAX_BYTES, MAX_BYTES_OF = 1_000_000, {"transcribe": 3_000_000, "synthesize": 8_000_000}
CARDS = {"transcribe": "card_transcript.md.jinja", "synthesize": "card_voice.md.jinja"}

# Settings that name a run which this one began from or learnt from.
ORIGINS = ("init_from", "teacher")

# Of many speakers, the card shows those who are heard worst.
MAX_SPEAKERS = 30

# What a licence of the recordings asks of those who pass the weights on; the first that is named in it counts.
TERMS = {
    "BY-SA": "The recordings are under {licence}. Whether weights are an adaptation of them is not settled law; to be\n"
    "on the safe side, treat these as one: name the data set when you pass them on, changed or not, and do so under\n"
    "the same licence (https://creativecommons.org/licenses/). The Apache licence of kerasr's code does not cover\n"
    "them.",
    "flite": "The recordings were {licence} (http://cmuflite.org): pass its notice on with these weights.",
    "BY": "The recordings are under {licence} (https://creativecommons.org/licenses/): name the data set when you\n"
    "pass these weights on, changed or not.",
    "": "The recordings are under {licence}: see there what that asks of those who pass these weights on.",
}
NO_TERMS = "The licence of the recordings is not known: find it out before you pass these weights on."

# Of the score with words and trigram, what the card tells.
WITH_LM = ("decoding", "wer", "wer_interval", "wer_method", "num_words", "cer", "num_correct", "num_clips")

# A path from the root of a file system, inside a text; an address's slashes stand behind a letter or a colon.
_PATH = re.compile(r"(?<![\w:/.~-])(?:[A-Za-z]:\\|/|~/)(?:[^\s/\\:'\",]+[/\\])*([^\s/\\:'\",]+)")


def main(argv: list[str]) -> None:
    """Measure the run and write the preset."""
    parser = arguments(__doc__ or "")
    parser.add_argument("name", help="what the preset is called: lower-case letters, digits and _")
    parser.add_argument("run", help="the run's folder")
    parser.add_argument("--recipe-score", help="what other weights of this recipe score on unseen speakers")
    parser.add_argument("--limit", action="append", default=[], help="a line for the card's limits; may be repeated")
    parser.add_argument("--folder", type=Path, default=PRESETS_FOLDER, help="of the presets")
    options = parser.parse_args(argv)
    import_quietly()
    place = make_preset(
        options.name, options.run, folder=options.folder, recipe_score=options.recipe_score, limits=options.limit
    )
    print(f"{place}: {sum(path.stat().st_size for path in place.iterdir()) / 1e3:.0f} kB; read its {place / 'card.md'}")


def make_preset(
    name: str, path: str | os.PathLike[str], *, folder: Path, recipe_score: str | None = None, limits: list[str]
) -> Path:
    """The folder of the preset called `name`, made of the run in `path`.

    Raises:
        UserError: the name will not do, the run has not ended or is too large, or its test clips trained it.
    """
    from kerasr.data import write_manifest
    from kerasr.decoding.kneser_ney import estimate_ngrams
    from kerasr.decoding.ngram import write_arpa
    from kerasr.evaluation.evaluator import evaluate_run
    from kerasr.evaluation.rejection import choose_rejection
    from kerasr.runs.decoding import ORDER, training_texts
    from kerasr.runs.facts import CONFIG, FACTS, LEARNT_FROM, MANIFEST, METRICS, MODEL
    from kerasr.runs.files import write_hashes
    from kerasr.runs.run import load_run

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError("name-invalid", f"{name!r} cannot be a preset's name: use lower-case letters, digits and _")
    run = load_run(path)
    _check(run)
    splits = {split: _hashed(run.utterances(split)) for split in ("train", "validation", "test")}
    splits["test"] = [item for item in splits["test"] if item.label != SILENCE]
    _check_tests(run, splits["test"])
    if "rejection" not in run.facts:  # A run from before there were thresholds.
        run.facts["rejection"] = choose_rejection(run)
    with tempfile.TemporaryDirectory() as aside:
        measured = run if len(run.utterances("test")) == len(splits["test"]) else _copy(run, splits, Path(aside, "run"))
        evaluation = evaluate_run(measured, folder=Path(aside, "report"))
        with_lm = _with_language_model(run, Path(aside, "report_lm")) if run.config.task.name == "transcribe" else None
    content = (run.path / MODEL).read_bytes()
    facts = {
        **run.facts,
        # The settings beside it are written as this version writes them, whichever made the run.
        "format": FORMAT,
        "preset": {"name": name, "sha256": hashlib.sha256(content).hexdigest()},
        "train_speakers": sorted(run.known_speakers),
        "corpus": {**run.facts["corpus"], "noise": [], "bad": []},
    }
    # (The long recordings that a detector trained against stay here; what they were worth is in the facts.)
    config = run.config.derive(out=TrainConfig().logging.out, negatives=None, hard_negatives=None)
    facts, config = without_paths(facts), without_paths(to_json(config))
    metrics = {key: value for key, value in evaluation.metrics.items() if key != "run"} | {"notes": evaluation.notes}
    if with_lm:
        metrics["with_lm"] = {key: with_lm[key] for key in WITH_LM}
    card = _card(name, config, facts, metrics, splits, recipe_score, limits)
    # Made whole beside its place; only then does an older one go.
    place = folder / name
    made = folder / f".{name}.new"
    shutil.rmtree(made, ignore_errors=True)
    with atomic.new_folder(made) as beside:
        (Path(beside) / MODEL).write_bytes(content)
        for file, values in ((CONFIG, config), (FACTS, facts), (METRICS, without_paths(metrics))):
            (Path(beside) / file).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        names = relative_names([item.path for item in splits["test"]])
        paths = (os.path.join(beside, name) for name in names)
        listed = [replace(item, path=path) for item, path in zip(splits["test"], paths, strict=True)]
        write_manifest(os.path.join(beside, MANIFEST), listed)
        own = {item.content_hash for split in ("train", "validation") for item in splits[split]}
        write_hashes(Path(beside, LEARNT_FROM), own | run.known_before.hashes)
        if with_lm:
            write_arpa(estimate_ngrams(training_texts(run), ORDER), Path(beside, kerasr.presets.LANGUAGE_MODEL))
        (Path(beside) / kerasr.presets.CARD).write_text(card, encoding="utf-8")
    earlier = folder / f".{name}.old"
    shutil.rmtree(earlier, ignore_errors=True)
    if place.exists():
        place.rename(earlier)
    made.rename(place)
    shutil.rmtree(earlier, ignore_errors=True)
    return place


def _check(run: Any) -> None:
    """Raise where the run is none that can be handed out."""
    if run.is_preset:
        raise UserError("run-not-fit", f"{run.path}: is a preset already; name the run that it was made of")
    if run.facts["status"] != "done":
        raise UserError(
            "run-unfinished", f"{run.path}: this training has not ended: {command_line('train', '--resume', run.path)}"
        )
    size = (run.path / "model.keras").stat().st_size
    most = MAX_BYTES_OF.get(run.config.task.name, MAX_BYTES)
    if size > most:
        raise UserError(
            "run-not-fit", f"{run.path}: its model has {size / 1e6:.1f} MB, and a preset may have {most / 1e6:g}"
        )


def _with_language_model(run: Any, report: Path) -> dict[str, Any]:
    """What the run scores with words and trigram of its training texts; it has the weights for them from then on."""
    from kerasr.config import DecodingConfig
    from kerasr.config.decoding import TRAINING
    from kerasr.evaluation.decoder_tuning import tune_decoder
    from kerasr.evaluation.evaluator import evaluate_run

    decoding = DecodingConfig(lm=TRAINING, words=TRAINING)
    chosen = run.facts.get("decoding") or {}
    if (chosen.get("lm"), chosen.get("words")) != (TRAINING, TRAINING):
        tune_decoder(run, decoding)
    run.decode_with(decoding)
    return evaluate_run(run, folder=report).metrics


def _copy(run: Any, splits: dict[str, Sequence[Any]], place: Path) -> Any:
    """The run with these recordings, in a folder of its own."""
    from kerasr.data import write_manifest
    from kerasr.runs.facts import MANIFEST
    from kerasr.runs.run import load_run

    shutil.copytree(run.path, place)
    write_manifest(place / MANIFEST, [item for items in splits.values() for item in items])
    return load_run(place)


def _hashed(items: Sequence[Any]) -> Sequence[Any]:
    """The recordings with their hashes, which a run of an earlier version does not have."""
    from kerasr.data.hashes import with_hashes

    return items if all(item.content_hash for item in items) else with_hashes(items)


def _check_tests(run: Any, tests: Sequence[Any]) -> None:
    """Raise where a run that this one comes from has learnt from its test clips, or where that cannot be told."""
    if known := next((item.path for item in tests if item in run.known_before), None):
        raise UserError("test-known", f"{run.path}: what it comes from learnt from its test clip {known}: no score")
    if not run.tells_all_known:
        raise UserError(
            "run-of-another-version",
            f"{run.path}: what it comes from was trained by an earlier version of kerasr and kept no hashes of its "
            "recordings: whether they were among the test clips cannot be told; train both again",
        )


def relative_names(paths: list[str]) -> list[str]:
    """The clips' paths from the folder of corpora that they lie in, `KERASR_DATA`, the cache or any other, with `/`."""
    from kerasr.data.corpora import cache_folder

    for folder in filter(None, (os.environ.get("KERASR_DATA"), cache_folder())):
        folder = os.path.abspath(folder)
        if all(path.startswith(folder + os.sep) for path in paths):
            break
    else:
        folder = os.path.dirname(os.path.commonpath([os.path.dirname(os.path.dirname(path)) for path in paths]))
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in paths]


def without_paths(value: Any) -> Any:
    """JSON values with every path from the root cut to its last name: where things lay is no one's business."""
    if isinstance(value, dict):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    return os.path.basename(value.rstrip("/\\")) if os.path.isabs(value) else _PATH.sub(r"\1", value)


def _card(
    name: str,
    config: dict[str, Any],
    facts: dict[str, Any],
    metrics: dict[str, Any],
    splits: dict[str, Any],
    recipe_score: str | None,
    limits: list[str],
) -> str:
    from kerasr.core.provenance import provenance
    from kerasr.core.scores import format_interval, format_missed, format_score

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = lambda value, digits=1: "-" if value is None else f"{value:.{digits}%}"
    environment.filters |= {"interval": format_interval, "missed": format_missed, "score": format_score}
    licence = facts["corpus"]["licence"]
    terms = next(text for mark, text in TERMS.items() if mark in licence) if licence else NO_TERMS
    return environment.get_template(CARDS.get(config["task"]["name"], "card.md.jinja")).render(
        name=name,
        example=splits["test"][0].text or splits["test"][0].label,
        wanted=config["task"]["wanted"],
        with_lm=metrics.get("with_lm"),
        language_model=kerasr.presets.LANGUAGE_MODEL,
        labels=facts["corpus"]["labels"],
        config=config,
        facts=facts,
        metrics={"detector": None, "rejection": None, **metrics},
        notes=without_paths(metrics["notes"]),
        machine=provenance()["machine"],
        size=f"{metrics['model_bytes'] / 1e3:.0f} kB",
        max_speakers=MAX_SPEAKERS,
        num_clips={split: len(items) for split, items in splits.items()},
        voices=facts.get("voices"),
        origins=[config["transfer"][name] for name in ORIGINS if config["transfer"][name]],
        recipe_score=recipe_score,
        limits=limits,
        terms=terms.format(licence=licence),
    )


if __name__ == "__main__":
    run_command(main)
