"""Which recordings would teach a run most, once someone had labelled them? Nothing needs a label to be ranked.

BADGE (Ash et al. 2020, https://arxiv.org/abs/1906.03671): a recording's embedding is the gradient that its likeliest
label would give to the network's last layer, so it is long where the network is unsure and points where the lesson
lies. The first recording has the longest; each next one is drawn by k-means++, with a chance in proportion to its
squared distance from all that were drawn before: unsure, and unlike them. What lies beyond the draw follows by its
margin, the least sure first.

The gradient is an outer product (section 3, equation 1), so distances come from its two factors and it is never made.
"""

import csv
import io
import time
from collections.abc import Sequence
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
from kerasr.data.manifest import Corpus, Utterance, report_bad
from kerasr.errors import UserError
from kerasr.inference.compiled import CompiledModel
from kerasr.report import Ranking, make_clip, own_folder, write_ranking
from kerasr.report.figures import Clip
from kerasr.runs.run import Run

# Recordings that are drawn: an afternoon's labelling. A new model should say what to label after that.
NUM_DRAWN = 100

MAX_SHOWN = 48


def rank_unlabelled(run: Run, folder: str, *, out: Path | None = None, max_bad: int | None = None) -> Ranking:
    """Rank the recordings in a folder by what labelling them would teach a run.

    Writes `unlabelled.csv` and `unlabelled.html`.

    Args:
        run: what would learn from them.
        folder: searched for recordings, with the folders in it; their names mean nothing.
        out: where to write; a folder in the run's `evaluations` where None.
        max_bad: recordings that are listed and left out because they cannot be read; the run's setting where None.

    Raises:
        UserError: there is no such folder, it holds no recording, or too many cannot be read.
        OSError: a file cannot be written.
    """
    paths = list(walk_recordings(str(Path(folder).absolute())))
    if not paths:
        raise UserError("no-recordings", f"{folder}: holds no recording ({', '.join(audio.SUFFIXES)})")
    paths, probs, inputs = _predict(run, paths, folder, run.config.data.max_bad if max_bad is None else max_bad)
    ordered = np.sort(probs, axis=-1)
    margin = ordered[:, -1] - ordered[:, -2]
    drawn = draw_badge(probs, inputs, NUM_DRAWN, run.config.runtime.seed)
    by_margin = np.argsort(margin, kind="stable")
    order = np.array([*drawn, *by_margin[~np.isin(by_margin, drawn)]])
    name = Path(folder).absolute().name
    return write_ranking(
        out or own_folder(run.evaluations / f"unlabelled-{name}", "unlabelled.csv", lambda text: _is_of(text, folder)),
        "unlabelled",
        _rows(run, [paths[index] for index in order], probs[order], len(drawn)),
        title=f"Worth a label in {isolate(name)}",
        subtitle=f"{len(paths):,} recordings, by what they would teach {isolate(run.path.name)}",
        notes=(
            f"The model is mostly unsure of the first {len(drawn):,}, and they are unlike each other. Label them from "
            "the top, as far as your patience goes; then train again and rank the rest. The word is the "
            "model's guess.",
        ),
        clips=[_guess(run, paths[index], probs[index]) for index in order[:MAX_SHOWN]],
        labelled=False,
        num_found=len(drawn),
    )


def _is_of(ranking: str, folder: str) -> bool:
    """Whether a ranking's table is of the recordings in a folder."""
    first = next(csv.DictReader(io.StringIO(ranking)), {})
    return Path(first.get("path", "")).is_relative_to(Path(folder).absolute())


def _rows(run: Run, paths: Sequence[str], probs: np.ndarray, num_drawn: int) -> list[dict[str, Any]]:
    """What the table says of each recording, the first ones first."""
    best = np.argsort(-probs, axis=-1, kind="stable")[:, :2]
    first, second = np.take_along_axis(probs, best, axis=-1).T
    return [
        {
            "rank": rank + 1,
            "path": path,
            "suggestion": run.labels[best[rank, 0]],
            "probability": f"{first[rank]:.4f}",
            "or_else": run.labels[best[rank, 1]],
            "margin": f"{first[rank] - second[rank]:.4f}",
            "drawn": "yes" if rank < num_drawn else "no",
        }
        for rank, path in enumerate(paths)
    ]


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


def draw_badge(probs: np.ndarray, inputs: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Indices of clips in the order in which BADGE draws them; fewer than `count` where no other one would teach more.

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
    drawn = [int(squares.argmax())]
    nearest = np.full(len(probs), np.inf)
    while True:
        last = drawn[-1]
        products = (slopes @ slopes[last]) * (inputs @ inputs[last])
        # Twins are apart by rounding alone.
        distance = squares + squares[last] - 2 * products
        distance[distance < 1e-9 * squares.max()] = 0
        nearest = np.minimum(nearest, distance)
        nearest[last] = 0
        if len(drawn) == count or not nearest.any():
            return np.array(drawn)
        drawn.append(int(rng.choice(len(probs), p=nearest / nearest.sum())))


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
        return {"probs": run.task.probs(logits), "given": given}

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
