"""Which recordings would teach a run most, once someone had labelled them? Nothing needs a label to be ranked.

BADGE (Ash et al. 2020, https://arxiv.org/abs/1906.03671): a recording's embedding is the gradient that its likeliest
label would give to the network's last layer, so it is long where the network is unsure and points where the lesson
lies. The first recording has the longest; each next one is drawn by k-means++, with a chance in proportion to its
squared distance from all that were drawn before: unsure, and unlike them. What lies beyond the draw follows by its
margin, the least sure first.

The gradient is an outer product (section 3, equation 1), so distances come from its two factors and it is never made.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kerasr.data.corpora.folder import walk_recordings
from kerasr.data.manifest import Corpus, Utterance, report_bad
from kerasr.data.pipeline import pad_clips, read_clip
from kerasr.data.progress import map_threaded
from kerasr.errors import UserError
from kerasr.report import Ranking, make_clip, write_ranking
from kerasr.report.style import file_name
from kerasr.run_directory import Run

BATCH_SIZE = 64

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
        raise UserError(f"{folder}: holds no recording")
    paths, probs, inputs = _hear(run, paths, folder, run.config.max_bad if max_bad is None else max_bad)
    ordered = np.sort(probs, axis=-1)
    margin = ordered[:, -1] - ordered[:, -2]
    drawn = draw_badge(probs, inputs, NUM_DRAWN, run.config.seed)
    by_margin = np.argsort(margin, kind="stable")
    order = [*drawn, *by_margin[~np.isin(by_margin, drawn)]]
    best = np.argsort(-probs, axis=-1, kind="stable")[:, :2]
    rows = [
        {
            "rank": rank,
            "path": paths[index],
            "suggestion": run.labels[best[index, 0]],
            "probability": f"{probs[index, best[index, 0]]:.4f}",
            "or_else": run.labels[best[index, 1]],
            "margin": f"{margin[index]:.4f}",
            "drawn": "yes" if rank <= len(drawn) else "no",
        }
        for rank, index in enumerate(order, start=1)
    ]
    shown = [
        make_clip(
            run,
            Utterance(paths[index]),
            heard=run.labels[best[index, 0]],
            probability=float(probs[index, best[index, 0]]),
            correct=True,
            other=(run.labels[best[index, 1]], float(probs[index, best[index, 1]])),
        )
        for index in order[:MAX_SHOWN]
    ]
    name = Path(folder).absolute().name
    return write_ranking(
        out or run.evaluations / f"unlabelled-{file_name(name)}",
        "unlabelled",
        rows,
        title=f"Worth a label in {name}",
        subtitle=f"{len(paths):,} recordings, by what they would teach {run.path.name}",
        notes=(
            f"The model is mostly unsure of the first {len(drawn):,}, and they are unlike each other. Label them from "
            "the top, as far as your patience goes; then train anew, and rank the rest again. The word is the "
            "model's guess.",
        ),
        clips=shown,
        labelled=False,
        num_found=len(drawn),
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


def _hear(run: Run, paths: Sequence[str], folder: str, max_bad: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The recordings that can be read, their probabilities, and what the last layer is given for them.

    Both are means over the speeds at which the run hears a clip.
    """
    spec, front_ends, network = run.config.features, run.front_ends, last_inputs(run.network)

    def read(path: str) -> np.ndarray | UserError:
        try:
            return read_clip(path, spec)
        except UserError as error:
            return error

    def hear(clips: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        waveform, lengths = pad_clips(clips), np.array([len(clip) for clip in clips])
        at_each_speed = [network(front_end(waveform, lengths), training=False) for front_end in front_ends]
        given, logits = (ops.mean(ops.stack(parts), axis=0) for parts in zip(*at_each_speed, strict=True))
        return ops.convert_to_numpy(run.task.probs(logits)), ops.convert_to_numpy(given)

    kept, bad, waiting, heard = [], [], [], []
    for path, clip in zip(paths, map_threaded(read, paths, "Hearing"), strict=True):
        if isinstance(clip, UserError):
            bad.append((path, str(clip).removeprefix(f"{path}: ")))
            continue
        kept.append(path)
        waiting.append(clip)
        if len(waiting) == BATCH_SIZE:
            heard.append(hear(waiting))
            waiting = []
    if waiting:
        heard.append(hear(waiting))
    if bad:
        report_bad(Corpus(Path(folder).name, (), source=folder), bad, max_bad)
    if not kept:
        raise UserError(f"{folder}: none of its {len(paths)} recordings can be read")
    probs, inputs = zip(*heard, strict=True)
    return kept, np.concatenate(probs), np.concatenate(inputs)
