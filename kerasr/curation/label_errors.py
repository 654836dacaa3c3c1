"""Which training labels are wrong? Those that models which did not learn from the clip disagree with.

Confident learning (Northcutt, Jiang and Chuang 2021, https://arxiv.org/abs/1911.00068): the clips are dealt into folds,
each fold is predicted by a model of the others, and clips are ranked by the normalised margin (section 3.2): what the
model gives to the label, less what it gives to the likeliest other word. A clip counts as a suspect where another
word is at least as probable as it is, on average, in the clips that bear it (equation 1, the confident joint).

Folds are of speakers where there are many, so that a speaker who says a word in a way of their own is not taught to the
model that judges them. Of a few speakers, each fold would take away a voice that the others do not stand in for, and
its right labels would look wrong: then every voice is in every fold.
"""

import dataclasses
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from kerasr.config import DataConfig, LoggingConfig, TaskConfig, TrainConfig, TransferConfig
from kerasr.core import atomic
from kerasr.core.console import isolate
from kerasr.core.progress import console as notices
from kerasr.core.timing import format_seconds
from kerasr.data.manifest import Utterance, write_manifest
from kerasr.errors import UserError
from kerasr.report import Ranking, make_clip, write_ranking
from kerasr.runs.folder import list_runs
from kerasr.runs.run import Run, load_run
from kerasr.tasks.words import word_task
from kerasr.training.trainer import resume_run, train_recipe

FOLDS = 5

# From so many on, a fold of speakers leaves voices enough to learn from.
MANY_SPEAKERS = 20

# Each fold trains for this share of the run's epochs, and for so many at least (never more than the run itself).
EPOCH_SHARE, LEAST_EPOCHS = 1 / 3, 5

MAX_SHOWN = 48


def find_suspects(run: Run, *, folds: int | None = None, console: Console | None = None) -> Ranking:
    """Rank a run's training clips by how little models that did not learn from them agree with their labels.

    Writes `suspects/suspects.csv` and `suspects/suspects.html` into the run. Each fold that is done is kept: killed at
    any moment and called again, it goes on where it stood.

    Args:
        run: its training clips are ranked, with its own settings for a third of its epochs; its validation clips
            choose each fold's weights, and are not ranked.
        folds: parts that the clips are dealt into, and models that are trained; five where None.
        console: where to write; the process's standard error where None.

    Raises:
        UserError: the run lists no training clip, as a preset does; there are fewer clips of a word, or speakers, than
            folds; or a training has a fault that the message explains.
    """
    console = console or notices()
    clips = run.utterances("train")
    if not clips:
        raise UserError(
            "split-not-found",
            f"{run.path}: lists no training clip, so there is no label to doubt; name a run of your own",
        )
    label_index = word_task(run.task, "evaluate suspects").truth(clips)
    fold_of, rule = assign_folds(clips, label_index, folds, run.config.runtime.seed)
    count = int(fold_of.max()) + 1
    folder = atomic.without_links(run.path, "suspects")
    probs = np.zeros((len(clips), len(run.labels)))
    kept_in = atomic.without_links(folder, f"folds-{count}")
    places = [kept_in / f"{number + 1}.npy" for number in range(count)]
    _say_how_long(run, [not kept.exists() for kept in places], console)
    for number, kept in enumerate(places):
        held_out = fold_of == number
        if not kept.exists():
            console.print(f"fold {number + 1} of {count}: {held_out.sum():,} clips held out, {rule}")
            others = [item for item, out in zip(clips, held_out, strict=True) if not out]
            part = list(np.array(clips, object)[held_out])
            try:
                found = _predict_held_out(run, others, part, kept.with_suffix(""), console)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"{folder} is saved; go on with the same command") from None
            memory = io.BytesIO()
            np.save(memory, found)
            atomic.write_bytes(kept, memory.getvalue())
            shutil.rmtree(kept.with_suffix(""))
        probs[held_out] = np.load(kept)
    return _write(run, clips, label_index, probs, folder, f"{count} folds {rule}")


def assign_folds(
    clips: Sequence[Utterance], label_index: np.ndarray, folds: int | None, seed: int
) -> tuple[np.ndarray, str]:
    """The fold of each clip `(clips,)`, words dealt evenly, and how that was done.

    Raises:
        UserError: there are fewer clips of a word, or speakers, than folds, or fewer than two folds are asked for.
    """
    speakers = {item.speaker for item in clips} - {None}
    if folds is not None and folds < 2:
        raise UserError(
            "setting-out-of-range",
            f"--folds {folds}: at least 2 are needed, so that each clip is predicted by a model without it",
        )
    folds = FOLDS if folds is None else folds
    by_speaker = len(speakers) >= MANY_SPEAKERS and all(item.speaker for item in clips)
    if by_speaker:
        if folds > len(speakers):
            raise UserError(
                "too-few-speakers",
                f"--folds {folds}: there are {len(speakers)} speakers to deal into folds; ask for fewer",
            )
        dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        dealt = dealer.split(label_index, label_index, [item.speaker for item in clips])
    else:
        fewest = int(np.unique(label_index, return_counts=True)[1].min())
        if folds > fewest:
            raise UserError(
                "too-few-recordings",
                f"--folds {folds}: one of the words has {fewest} training clips only; ask for fewer folds",
            )
        dealer = StratifiedKFold(folds, shuffle=True, random_state=seed)
        dealt = dealer.split(label_index, label_index)
    fold_of = np.zeros(len(clips), int)
    for number, (_, held_out) in enumerate(dealt):
        fold_of[held_out] = number
    return fold_of, "by speaker" if by_speaker else "by clip"


def margins(probs: np.ndarray, label_index: np.ndarray) -> np.ndarray:
    """`(clips,)` what each label is given, less what the likeliest other word is, from `(clips, labels)`; -1 to 1."""
    rows = np.arange(len(probs))
    others = probs.copy()
    others[rows, label_index] = -1
    return probs[rows, label_index] - others.max(-1)


def confident_suspects(probs: np.ndarray, label_index: np.ndarray) -> np.ndarray:
    """`(clips,)` whether each clip is counted off the diagonal of the confident joint.

    A word's threshold is its mean probability in the clips that bear it; of the words that reach theirs in a clip, the
    most probable one is what the clip truly says.
    """
    rows = np.arange(len(probs))
    own = probs[rows, label_index]
    count = np.bincount(label_index, minlength=probs.shape[1])
    # A word that no clip bears is never predicted.
    total = np.bincount(label_index, own, minlength=probs.shape[1])
    threshold = np.where(count, total / np.maximum(count, 1), np.inf)
    reached = np.where(probs >= threshold, probs, -1.0)
    return (reached.max(-1) >= 0) & (reached.argmax(-1) != label_index)


def _predict_held_out(
    run: Run, others: list[Utterance], held_out: list[Utterance], folder: Path, console: Console
) -> np.ndarray:
    """Probabilities `(clips, labels)` of the clips held out, by a model trained on the others."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = list_runs(folder)
    if begun:
        trained = load_run(begun[0])
        trained = trained if trained.facts["status"] == "done" else resume_run(begun[0], console=console)
    else:
        parts = {"train": others, "validation": run.utterances("validation"), "test": held_out}
        manifest = folder / "manifest.csv"
        rows = [dataclasses.replace(item, split=split) for split, items in parts.items() for item in items]
        write_manifest(manifest, rows, run.facts["corpus"]["noise"])
        trained = train_recipe(_fold_config(run, manifest), console=console)
    probs = trained.predict_files([item.path for item in held_out])
    return probs[:, [trained.labels.index(label) for label in run.labels]]


def _fold_epochs(run: Run) -> int:
    """How long each fold trains."""
    epochs = run.config.fit.epochs or len(run.history)
    return min(epochs, max(round(EPOCH_SHARE * epochs), LEAST_EPOCHS))


def _say_how_long(run: Run, to_train: Sequence[bool], console: Console) -> None:
    """Say how many trainings there will be, and how long they take at the run's own pace, where that is known."""
    epochs, number, count = _fold_epochs(run), sum(to_train), len(to_train)
    seconds, trained = run.facts.get("train_seconds"), run.facts.get("epochs_run")
    if not number:
        return
    line = f"{number} training{'s' * (number > 1)} of {epochs} epoch{'s' * (epochs > 1)}"
    if seconds and trained:
        # Each leaves one part of the clips out.
        took = seconds / trained * epochs * number * (count - 1) / count
        line += f": about {format_seconds(took)}, if this machine is as quick as the one that trained the run"
    console.print(f"{line}; Ctrl-C keeps what is done")


def _fold_config(run: Run, manifest: Path) -> TrainConfig:
    """The run's own settings, for fewer epochs on other recordings.

    What would know the clips and their labels from an earlier training is left out, and so is what makes clips which
    the run's manifest lists already.
    """
    config = run.config
    return dataclasses.replace(
        config,
        data=DataConfig(
            path=str(manifest),
            split="official",
            sampling=config.data.sampling,
            balance_groups=config.data.balance_groups,
            max_bad=config.data.max_bad,
            cache=config.data.cache,
        ),
        task=TaskConfig(name=config.task.name, wanted=config.task.wanted),
        fit=dataclasses.replace(config.fit, epochs=_fold_epochs(run)),
        transfer=TransferConfig(),
        logging=LoggingConfig(out=str(manifest.parent)),
    )


def _write(
    run: Run, clips: Sequence[Utterance], label_index: np.ndarray, probs: np.ndarray, folder: Path, how: str
) -> Ranking:
    """The ranking as a table of all clips and a page of the first."""
    margin = margins(probs, label_index)
    suspect = confident_suspects(probs, label_index)
    order = np.argsort(margin, kind="stable")
    predicted = probs.argmax(-1)
    rows = []
    for rank, index in enumerate(order, start=1):
        own, best = probs[index, label_index[index]], probs[index, predicted[index]]
        rows.append(
            {
                "rank": rank,
                "path": clips[index].path,
                "label": run.labels[label_index[index]],
                "predicted": run.labels[predicted[index]],
                "label_probability": f"{own:.4f}",
                "predicted_probability": f"{best:.4f}",
                "margin": f"{margin[index]:.4f}",
                "suspect": "yes" if suspect[index] else "no",
                "speaker": clips[index].speaker or "",
            }
        )
    shown = [
        make_clip(
            run,
            clips[index],
            predicted=run.labels[predicted[index]],
            probability=float(probs[index, predicted[index]]),
            correct=bool(predicted[index] == label_index[index]),
            other=(run.labels[label_index[index]], float(probs[index, label_index[index]])),
        )
        for index in order[:MAX_SHOWN]
    ]
    num_found = int(suspect.sum())
    return write_ranking(
        folder,
        "suspects",
        rows,
        title=f"Labels of {isolate(run.path.name)} to look at",
        subtitle=f"{num_found:,} of {len(clips):,} training clips are suspects; {how}",
        notes=(
            "Each clip was predicted by a model that learned from other clips only. Those whose label it gives least "
            "come first; the next ones are in suspects.csv. A suspect is no verdict: listen, then rename the "
            "recording, remove it, or leave it.",
        ),
        clips=shown,
        labelled=True,
        num_found=num_found,
    )
