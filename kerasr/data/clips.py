"""Recordings as the clips that a model looks at: decoded, cut to their middle, padded to one length."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from kerasr import audio
from kerasr.audio.crop import crop_middle
from kerasr.config import Augmentation, FeatureSpec
from kerasr.core.progress import map_threaded
from kerasr.data.archives import is_archived, read_matrix
from kerasr.errors import UserError

# A word model looks at the middle of a clip; of a recording of hours, only this much from its start is decoded.
MAX_CLIP_SECONDS = 60.0
# Clips that a network is given at once where nothing is learnt.
BATCH_SIZE = 64


def longest_clip(spec: FeatureSpec, augment: Augmentation | None) -> int:
    """Samples worth decoding: the clip, and what a faster playback or a shift needs beside it."""
    if augment is None:
        return spec.clip_samples
    fastest = max(augment.speed[1], 1.0)
    # An even surplus keeps the middle of a longer recording on the very sample where the front-end puts it.
    return spec.clip_samples + 2 * math.ceil(
        spec.clip_samples * (fastest - 1) / 2 + fastest * most_shift(spec, augment)
    )


def most_shift(spec: FeatureSpec, augment: Augmentation) -> int:
    """Samples by which a clip is shifted at most, to either side."""
    return round(augment.time_shift * spec.sample_rate)


def read_clip(path: str, spec: FeatureSpec, augment: Augmentation | None = None) -> np.ndarray:
    """A recording at the spec's rate: the middle of it, where it is longer than the model will look at.

    Where the spec's features are given, `path` names a matrix of an archive (`kerasr.data.archives`).

    Returns:
        float32 `(samples,)`; of given features, the frames one after the other.

    Raises:
        UserError: it cannot be read; the message names the file and says why.
    """
    if spec.is_given:
        return _read_features(path, spec)
    if spec.clip_seconds is None:
        return audio.read(path, spec.sample_rate)[0]
    most = longest_clip(spec, augment)
    waveform = audio.read(path, spec.sample_rate, max_seconds=max(MAX_CLIP_SECONDS, most / spec.sample_rate))[0]
    # A copy, so that what is cut off is freed.
    return crop_middle(waveform, most).copy() if len(waveform) > most else waveform


def _read_features(path: str, spec: FeatureSpec) -> np.ndarray:
    """The frames of a matrix, the middle ones where there are more than in a clip, in one line."""
    if not is_archived(path):
        raise UserError(
            "features-given", f"{path}: is a recording, and features that were computed elsewhere are wanted"
        )
    matrix = read_matrix(path)
    if matrix.shape[1] != spec.n_mels:
        raise UserError("features-differ", f"{path}: has {matrix.shape[1]} features a frame, and others {spec.n_mels}")
    if spec.clip_seconds is not None:
        matrix = crop_middle(matrix, spec.clip_samples // spec.n_mels)
    return matrix.flatten()


def read_clips(
    paths: Sequence[str], spec: FeatureSpec, bad: list[tuple[str, str]], description: str
) -> Iterator[tuple[int, np.ndarray]]:
    """The recordings that can be read, decoded by a few threads ahead of their use.

    Args:
        paths: the recordings.
        spec: gives their rate and how much of them is looked at.
        bad: receives the path and the reason of each that cannot be read.
        description: what the progress bar says.

    Yields:
        The place in `paths` and the waveform `(samples,)` of each that can, in order.
    """

    def read(path: str) -> np.ndarray | UserError:
        try:
            return read_clip(path, spec)
        except UserError as error:
            return error

    for place, clip in enumerate(map_threaded(read, paths, description)):
        if isinstance(clip, UserError):
            bad.append((paths[place], str(clip).removeprefix(f"{paths[place]}: ")))
        else:
            yield place, clip


def batch_clips(clips: Iterable[np.ndarray], batch_size: int = BATCH_SIZE) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Padded `waveform` `(batch, samples)` and `num_samples` `(batch,)` of clips `(samples,)` each, in order."""
    clips = iter(clips)
    while batch := list(islice(clips, batch_size)):
        yield pad_clips(batch), np.array([len(clip) for clip in batch], np.int32)


def pad_clips(clips: Sequence[np.ndarray], width: int = 0) -> np.ndarray:
    """Clips of different length as one batch.

    Args:
        clips: `(samples,)` or `(time, feature)` each.
        width: least length of the batch.

    Returns:
        float32 `(batch, longest, ...)`, zero-padded at the end.
    """
    longest = max(width, *(len(clip) for clip in clips))
    batch = np.zeros((len(clips), longest, *clips[0].shape[1:]), np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch
