"""Active learning: which recordings would teach a run most, once someone had labelled them?

BADGE (Ash et al. 2020, https://arxiv.org/abs/1906.03671): a recording's embedding is the gradient that its likeliest
label would give to the network's last layer, so it is long where the network is unsure and points where the lesson
lies. The first recording has the longest; each next one is drawn by k-means++, with a chance in proportion to its
squared distance from all that were drawn before: unsure, and unlike them. Other than there, no gradient at all counts
as one that was drawn before, so that nothing is drawn of which the network is sure. The rest follows by the same
distance: near duplicates of what was drawn come late, and so does what the network is sure of.

The gradient is an outer product (section 3, equation 1), so distances come from its two factors and it is never made.
"""

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasr import audio
from kerasr.core.console import isolate
from kerasr.core.progress import console
from kerasr.core.timing import format_seconds
from kerasr.data.clips import BATCH_SIZE, read_clips
from kerasr.data.corpora.folder import walk_recordings
from kerasr.data.hashes import with_hashes
from kerasr.data.known import KnownRecordings
from kerasr.data.manifest import (
    UNLABELLED,
    Corpus,
    Utterance,
    check_recordings,
    manifest_row,
    read_manifest,
    report_bad,
)
from kerasr.errors import UserError
from kerasr.inference.compiled import CompiledModel
from kerasr.report import Ranking, make_clip, own_folder, write_ranking
from kerasr.report.figures import Clip
from kerasr.runs.facts import MANIFEST
from kerasr.runs.run import Run
from kerasr.tasks.words import word_task

# Recordings that are drawn: an afternoon's labelling. A new model should say what to label after that.
NUM_DRAWN = 100

MAX_SHOWN = 48

# What the table has beside a manifest's own columns.
RANK_COLUMNS = ("rank", "guess", "probability", "or_else", "score", "reason")

# Two words are about as likely where one is less than so much more probable than the other.
UNSURE_MARGIN = 0.5


@dataclass(frozen=True)
class Draw:
    """Clips in the order of what they would teach.

    Attributes:
        order: `(clips,)` their indices.
        num_drawn: how many of them were drawn; fewer than asked where no other one would teach more.
        score: `(clips,)` of each clip in that order, its squared distance to those drawn before it; the first's is 1.
        nearest: `(clips,)` of each clip in that order, the place of the drawn one that it is nearest to; -1 where that
            is no gradient at all.
    """

    order: np.ndarray
    num_drawn: int
    score: np.ndarray
    nearest: np.ndarray


def rank_unlabelled(run: Run, folder: str, *, out: Path | None = None, max_bad: int | None = None) -> Ranking:
    """Rank the recordings in a folder by what labelling them would teach a run; those that it knows are left out.

    Writes `unlabelled.html` and `unlabelled.csv`, a manifest: the recordings by rank, each with `guess`, `score` and
    `reason`, for whoever fills the column `label` as far as patience goes; then the run's own recordings. What is given
    to a training thus has the old clips and the new ones, and the same test; rows without a label are left out.

    Args:
        run: what would learn from them.
        folder: searched for recordings, with the folders in it; their names mean nothing.
        out: where to write; a folder in the run's `evaluations` where None.
        max_bad: recordings that are listed and left out because they cannot be read; the run's setting where None.

    Raises:
        UserError: there is no such folder, it holds no recording that the run has not learnt from, too many cannot be
            read, or the run gives no clip one word.
        OSError: a file cannot be written.
    """
    word_task(run.task, "evaluate unlabelled")
    max_bad = run.config.data.max_bad if max_bad is None else max_bad
    paths, probs, inputs = _predict(run, _new_recordings(run, folder, max_bad), folder, max_bad)
    draw = draw_badge(probs, inputs, NUM_DRAWN, run.config.runtime.seed)
    name = Path(folder).absolute().name
    if out is None:
        place = run.evaluation_folder(f"unlabelled-{name}")
        out = own_folder(place, "unlabelled.csv", lambda text: _is_of(text, folder))
    return write_ranking(
        out,
        "unlabelled",
        _rows(run, [paths[index] for index in draw.order], probs[draw.order], draw),
        title=f"Worth a label in {isolate(name)}",
        subtitle=f"{len(paths):,} recordings, by what they would teach {isolate(run.path.name)}",
        notes=(
            f"The model is mostly unsure of the first {draw.num_drawn:,}, and they are unlike each other. Fill the "
            "column label of unlabelled.csv from the top, as far as your patience goes; then train with it, and rank "
            "the rest with the new run. The word is the model's guess.",
        ),
        clips=[_guess(run, paths[index], probs[index]) for index in draw.order[:MAX_SHOWN]],
        labelled=False,
        num_found=draw.num_drawn,
        beside=_own_rows(run),
    )


def _new_recordings(run: Run, folder: str, max_bad: int) -> list[str]:
    """Paths of the recordings in a folder that are not among the run's own, nor among those that it has learnt from."""
    found = tuple(Utterance(path) for path in walk_recordings(str(Path(folder).absolute())))
    if not found:
        raise UserError("no-recordings", f"{folder}: holds no recording ({', '.join(audio.SUFFIXES)})")
    usable = check_recordings(Corpus(Path(folder).name, found, source=folder), max_bad).utterances
    known = run.known if run.is_preset else run.known | KnownRecordings(run.utterances("test"))
    new = [item.path for item in with_hashes(usable) if item not in known]
    if not new:
        raise UserError("no-recordings", f"{folder}: {run.path} has all of its {len(found):,} recordings; name others")
    return new


def _own_rows(run: Run) -> list[dict[str, Any]]:
    """The rows of the run's own manifest, with absolute paths; none of a preset, whose recordings are not at hand."""
    if run.is_preset:
        return []
    own = read_manifest(run.path / MANIFEST)
    rows = [manifest_row(item) for item in (*own.utterances, *(Utterance(path, split="noise") for path in own.noise))]
    # What an earlier ranking said of them is no longer true.
    return [{name: value for name, value in row.items() if name not in RANK_COLUMNS} for row in rows]


def _is_of(ranking: str, folder: str) -> bool:
    """Whether a ranking's table is of the recordings in a folder."""
    first = next(csv.DictReader(io.StringIO(ranking)), {})
    return Path(first.get("path", "")).is_relative_to(Path(folder).absolute())


def _rows(run: Run, paths: Sequence[str], probs: np.ndarray, draw: Draw) -> list[dict[str, Any]]:
    """What the table says of each recording, the first ones first."""
    best = np.argsort(-probs, axis=-1, kind="stable")[:, :2]
    first, second = np.take_along_axis(probs, best, axis=-1).T
    rows = []
    for rank, path in enumerate(paths):
        guess, or_else = (run.labels[index] for index in best[rank])
        reason = _reason(rank, first[rank] - second[rank], draw)
        values = (rank + 1, guess, f"{first[rank]:.4f}", or_else, f"{draw.score[rank]:.4f}", reason)
        rows.append(manifest_row(Utterance(path, split=UNLABELLED)) | dict(zip(RANK_COLUMNS, values, strict=True)))
    return rows


def _reason(rank: int, margin: float, draw: Draw) -> str:
    """Why a recording has its rank."""
    if rank >= draw.num_drawn and draw.nearest[rank] >= 0:
        return f"like rank {draw.nearest[rank] + 1}"
    if margin < UNSURE_MARGIN:
        return "unsure"
    return "unlike those above" if rank < draw.num_drawn else "sure"


def _guess(run: Run, path: str, probs: np.ndarray) -> Clip:
    """A recording for the page, with the model's two likeliest words."""
    first, second = np.argsort(-probs, kind="stable")[:2]
    return make_clip(
        run,
        Utterance(path),
        predicted=run.labels[first],
        probability=float(probs[first]),
        correct=True,
        other=(run.labels[second], float(probs[second])),
    )


def draw_badge(probs: np.ndarray, inputs: np.ndarray, count: int, seed: int) -> Draw:
    """The clips as BADGE draws them, and then the others.

    Args:
        probs: `(clips, labels)`.
        inputs: `(clips, units)` what the network's last layer is given.
        count: how many to draw.
        seed: fixes the draw.
    """
    # Gradient of the loss in the logits, were the likeliest label the true one.
    slopes = probs - np.eye(probs.shape[1])[probs.argmax(-1)]
    squares = np.square(slopes).sum(-1) * np.square(inputs).sum(-1)
    rng = np.random.default_rng(seed)
    distance, nearest = squares.copy(), np.full(len(probs), -1)
    drawn, scores = [int(squares.argmax())], [squares.max()]
    while True:
        last = drawn[-1]
        products = (slopes @ slopes[last]) * (inputs @ inputs[last])
        # Twins are apart by rounding alone.
        to_last = squares + squares[last] - 2 * products
        to_last[to_last < 1e-9 * squares.max()] = 0
        nearest[to_last < distance] = len(drawn) - 1
        distance = np.minimum(distance, to_last)
        distance[last] = 0
        if len(drawn) == count or not distance.any():
            break
        drawn.append(int(rng.choice(len(probs), p=distance / distance.sum())))
        scores.append(distance[drawn[-1]])
    rest = np.argsort(-distance, kind="stable")
    rest = rest[~np.isin(rest, drawn)]
    order = np.array([*drawn, *rest])
    score = np.array([*scores, *distance[rest]]) / max(squares.max(), np.finfo(float).tiny)
    return Draw(order, len(drawn), score, nearest[order])


def last_inputs(network: keras.Model) -> keras.Model:
    """A model from features to what the network's last layer with weights is given, `(batch, units)`, and its logits.

    A last layer that goes over a map is given the map's mean.
    """
    layer = [layer for layer in network.layers if layer.weights][-1]
    given = layer.input[0] if isinstance(layer.input, list | tuple) else layer.input
    if len(given.shape) > 2:
        given = ops.mean(given, axis=tuple(range(1, len(given.shape) - 1)))
    return keras.Model(network.input, [ops.cast(given, "float32"), network.output])


def _predict(run: Run, paths: Sequence[str], folder: str, max_bad: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The recordings that can be read, their probabilities, and what the last layer is given for them.

    Both are means over the speeds at which the run takes a clip.
    """
    front_ends, network = run.front_ends, last_inputs(run.network)

    def respond(waveform: Any, num_samples: Any) -> dict[str, Any]:
        at_each_speed = [network(front_end(waveform, num_samples), training=False) for front_end in front_ends]
        given, logits = (ops.mean(ops.stack(parts), axis=0) for parts in zip(*at_each_speed, strict=True))
        return {"probs": run.recognition.probs(logits), "given": given}

    model = CompiledModel(respond, run.config.features)
    kept, bad, predicted = [], [], []
    clips = read_clips(paths, run.config.features, bad, "Predicting")
    started = time.perf_counter()
    while batch := list(islice(clips, BATCH_SIZE)):
        kept += [paths[place] for place, _ in batch]
        predicted.append(model([clip for _, clip in batch]))
        # The first batch compiles the model; the second takes as long as the others.
        if len(predicted) == 1:
            started = time.perf_counter()
        elif len(predicted) == 2:
            seconds = (time.perf_counter() - started) * len(paths) / BATCH_SIZE
            console().print(f"{len(paths):,} recordings: about {format_seconds(seconds)}")
    if bad:
        report_bad(Corpus(Path(folder).name, (), source=folder), bad, max_bad)
    if not kept:
        raise UserError("recordings-unusable", f"{folder}: none of its {len(paths)} recordings can be read")
    probs, inputs = ([outputs[name] for outputs in predicted] for name in ("probs", "given"))
    return kept, np.concatenate(probs), np.concatenate(inputs)
