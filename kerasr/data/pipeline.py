"""Recordings to batches: decode, augment, compute features, in parallel and ahead of the model, through `tf.data`.

Order and augmentation are functions of (seed, epoch, step), so a stream can begin anywhere and be the same from there.
Nothing holds the corpus: memory is a few batches and one integer a recording, however many there are.
"""

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasr import audio
from kerasr.audio.features import Features, measure_statistics
from kerasr.config import Augmentation, FeatureSpec
from kerasr.data import augment as augmentation
from kerasr.data.bucketing import Buckets
from kerasr.data.cache import ClipCache
from kerasr.data.clips import batch_clips, longest_clip, pad_clips, read_clip, read_clips
from kerasr.data.manifest import SPLITS, Corpus, Utterance, report_bad
from kerasr.data.sampling import Balance, draw_evenly
from kerasr.data.targets import Targets
from kerasr.errors import UserError
from kerasr.layers.shapes import padded_size

# Background noise that is kept in memory for augmentation, in seconds: of one recording, and of all of them.
MAX_NOISE_SECONDS = 60.0
ALL_NOISE_SECONDS = 960.0


class Pipeline:
    """A part of a corpus as batches of features and targets.

    Args:
        utterances: the recordings.
        targets: what is to be said of each.
        features: the front-end.
        batch_size: clips in a batch; fewer where there are fewer recordings.
        batch_seconds: most seconds in a batch, padding included, of clips of like lengths; as they come where None.
        passes: times that an epoch goes over the recordings.
        augment: draw changes to each clip and shuffle in each pass; None leaves clips and order as they are.
        noise: recordings of background noise, for augmentation.
        seed: fixes order and augmentation.
        balance: draws and weights of the clips; as they come, and all alike, where None.
        cache_folder: keep what is the same in each epoch in a file in this folder.
        waveforms: hand over waveforms and their num_samples instead of features (for another backend than TensorFlow,
            where the front-end is the model's first layer).
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        targets: Targets,
        features: Features,
        *,
        batch_size: int = 64,
        batch_seconds: float | None = None,
        passes: int = 1,
        augment: Augmentation | None = None,
        noise: Sequence[str] = (),
        seed: int = 0,
        balance: Balance | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        waveforms: bool = False,
    ):
        self.utterances = utterances
        self.features = features
        # What was wrong with a recording, or with the cache's disk: TensorFlow hands its own error on instead.
        self.fault: UserError | OSError | None = None
        self.batch_size = min(batch_size, len(utterances))
        self._passes = passes
        self._targets = targets
        self._augment = augment
        self._seed = seed
        self._weights, self._strata, self._group_index = (balance or Balance()).arrays()
        self._buckets = None if batch_seconds is None else Buckets(self._seconds(), self.batch_size, batch_seconds)
        self._waveforms = waveforms
        # Waveforms of one width, or of few: who compiles the front-end would do it anew for each other width.
        fixed = waveforms and features.spec.clip_seconds is not None
        self._width = longest_clip(features.spec, augment) if fixed else 0
        self._noise = _read_noises(noise, features.spec.sample_rate) if augment and augment.uses_noise else None
        self._keeps_features = not waveforms and not (augment and augmentation.changes_waveform(augment))
        self._cache = self._make_cache(cache_folder) if cache_folder else None

    @property
    def num_steps(self) -> int:
        """Batches in an epoch. In training a pass leaves an incomplete last batch out; the next has others in it.

        (Not of clips of like lengths: what is left over would always be of the longest.)
        """
        if self._buckets is not None:
            return self._passes * self._buckets.num_batches
        whole, rest = divmod(len(self.utterances), self.batch_size)
        return self._passes * (whole if self._augment else whole + bool(rest))

    def of_pass(self, number: int) -> tuple[Sequence[Utterance], Targets]:
        """The utterances of a pass, counted from 0, and their targets; here the same in each."""
        del number
        return self.utterances, self._targets

    @property
    def group_shares(self) -> np.ndarray | None:
        """`(groups,)` share of the drawn clips that each group has; None without groups."""
        if self._group_index is None:
            return None
        kinds = np.zeros(len(self.utterances), np.int32) if self._strata is None else self._strata
        counts = np.bincount(kinds)
        chance = 1 / (len(counts) * counts[kinds])
        return np.bincount(self._group_index + 1, chance)[1:]

    @property
    def cache_bytes(self) -> int:
        """Bytes that the cached clips take, by the manifest's durations (one second where it has none)."""
        spec = self.features.spec
        if self._keeps_features and spec.shape[0] is not None:
            return 4 * len(self.utterances) * spec.shape[0] * spec.num_features
        seconds = self._seconds()
        if spec.clip_seconds is not None:
            most = longest_clip(spec, self._augment) / spec.sample_rate
            seconds = [min(value, most) for value in seconds]
        per_second = (
            spec.sample_rate / spec.hop_length * spec.num_features if self._keeps_features else spec.sample_rate
        )
        return int(4 * per_second * sum(seconds))

    def _seconds(self) -> list[float]:
        """The recordings' lengths, by the manifest; one second where it has none."""
        return [1.0 if item.duration is None else item.duration for item in self.utterances]

    def batches(self, epochs: int = 1, *, first_step: int = 0) -> tf.data.Dataset:
        """Batches of `epochs` epochs, from step `first_step` of the first on.

        Args:
            epochs: how many; the order and the changes of each are its own.
            first_step: batches to leave out at the beginning.

        Returns:
            A dataset of `(features, targets)`, or `(features, targets, weights)` with weights or groups: float32
            `(batch, time, feature)`, `(batch, ...)`, and `(batch,)` or `(batch, groups + 1)`. With `waveforms`, the
            first part is a dict of `waveform` `(batch, samples)` and `num_samples` `(batch,)`. Targets of many lengths
            are token ids, int32 `(batch, longest)`, -1 past a clip's own.
        """
        as_it_is = tf.autograph.experimental.do_not_convert
        # AutoGraph's translation takes seconds, and what is ours asks for none; a registered change to clips may.
        prepare = self._prepare if self._augment and self._augment.extra else as_it_is(self._prepare)
        order = tf.data.Dataset.range(epochs * self._passes).flat_map(as_it_is(self._pass_order)).skip(first_step)
        dataset = order.map(as_it_is(self._load), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        dataset = dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        # What may be decoded ahead of the model, whatever the corpus's size.
        options = tf.data.Options()
        options.autotune.ram_budget = 256 * 2**20
        count = tf.data.experimental.assert_cardinality(max(epochs * self.num_steps - first_step, 0))
        return dataset.with_options(options).prefetch(4).apply(count)

    def _pass_order(self, number: tf.Tensor) -> tf.data.Dataset:
        """`(seed, number, indices)` of each batch of one pass."""
        seed = tf.stack([tf.constant(self._seed, tf.int64), number])
        if self._buckets is not None:
            flat, sizes = tf.numpy_function(self._bucketed, [number], [tf.int32, tf.int64])
            rows = tf.RaggedTensor.from_row_lengths(  # pyright: ignore[reportAttributeAccessIssue]
                tf.ensure_shape(flat, [None]), tf.ensure_shape(sizes, [None])
            )
            batches = tf.data.Dataset.from_tensor_slices(rows)
            return batches.enumerate().map(lambda step, batch: (tf.random.fold_in(seed, step), number, batch))
        indices = tf.range(len(self.utterances))
        if self._strata is not None:
            indices = draw_evenly(self._strata, tf.random.fold_in(seed, len(self.utterances)))
        if self._augment:
            shuffle = tf.random.experimental.stateless_shuffle  # pyright: ignore[reportAttributeAccessIssue]
            indices = shuffle(indices, seed)
        batches = tf.data.Dataset.from_tensor_slices(indices).batch(self.batch_size, drop_remainder=bool(self._augment))
        return batches.enumerate().map(lambda step, batch: (tf.random.fold_in(seed, step), number, batch))

    def _bucketed(self, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The clips of a pass, and how many of them are in each batch."""
        assert self._buckets is not None
        batches = self._buckets.batches((self._seed, int(number)) if self._augment else None)
        return np.concatenate(batches), np.array([len(batch) for batch in batches], np.int64)

    def _load(self, seed: tf.Tensor, number: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Decoded waveforms of a batch, or its features where they are cached already."""
        read = [tf.float32, tf.int32, tf.bool]
        clips, num_samples, ready = tf.numpy_function(self._read_batch, [number, indices], read)
        num_samples.set_shape([None])
        ready.set_shape([])
        return seed, number, indices, clips, num_samples, ready

    def _read_batch(self, number: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.bool_]:
        ready = self._cache is not None and self._keeps_features and all(index in self._cache for index in indices)
        with self._noting_fault():
            utterances, _ = self.of_pass(int(number))
            clips = [
                self._cache.get(index) if ready and self._cache else self._read(index, utterances[index].path)
                for index in indices
            ]
        width = self._width or self._rounded(max(map(len, clips)))
        return pad_clips(clips, width), np.array([len(clip) for clip in clips], np.int32), np.bool_(ready)

    def _rounded(self, width: int) -> int:
        return padded_size(width) if self._waveforms else width

    @contextlib.contextmanager
    def _noting_fault(self) -> Iterator[None]:
        try:
            yield
        except (UserError, OSError) as error:
            self.fault = error
            raise

    def _read(self, index: int, path: str) -> np.ndarray:
        keeps_waveform = self._cache is not None and not self._keeps_features
        if keeps_waveform and self._cache is not None and index in self._cache:
            return self._cache.get(index)
        waveform = read_clip(path, self.features.spec, self._augment)
        if keeps_waveform and self._cache is not None:
            self._cache.put(index, waveform)
        return waveform

    def _prepare(self, seed, number, indices, clips, num_samples, ready):
        """What the model is given for one batch."""
        beside = self._beside(number, indices)
        if self._waveforms:
            clips, num_samples, beside = self._change_waveform(clips, num_samples, beside, seed)
            return self._batch({"waveform": clips, "num_samples": num_samples}, beside)
        cache = self._cache
        if cache is not None and self._keeps_features:
            features = tf.cond(ready, lambda: clips, lambda: self._keep_features(cache, indices, clips, num_samples))
        else:
            clips, num_samples, beside = self._change_waveform(clips, num_samples, beside, seed)
            features = self.features(clips, num_samples)
        features = tf.ensure_shape(features, [None, *self.features.spec.shape])
        if self._augment:
            features, beside = augmentation.augment_features(
                features, beside, self._augment, front_end=self.features, seed=seed
            )
        return self._batch(features, beside)

    def _change_waveform(
        self, clips: tf.Tensor, num_samples: tf.Tensor, beside: dict[str, Any], seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, Any]]:
        clips = tf.ensure_shape(clips, [None, None])
        if not self._augment:
            return clips, num_samples, beside
        drawn = {"noise": self._noise, "seed": seed}
        if self._augment.noise_only:
            clips, token_ids = augmentation.silence_targets(
                clips, num_samples, beside["targets"], self._augment, **drawn
            )
            beside = beside | {"targets": token_ids}
        clips, num_samples = augmentation.augment_waveform(
            clips, num_samples, self._augment, spec=self.features.spec, **drawn
        )
        return clips, num_samples, beside

    def _keep_features(
        self, cache: ClipCache, indices: tf.Tensor, clips: tf.Tensor, num_samples: tf.Tensor
    ) -> tf.Tensor:
        features = self.features(tf.ensure_shape(clips, [None, None]), num_samples)

        def put(indices: np.ndarray, features: np.ndarray) -> np.ndarray:
            with self._noting_fault():
                for index, clip in zip(indices, features, strict=True):
                    cache.put(index, clip)
            return features

        return tf.numpy_function(put, [indices, features], tf.float32)

    def _beside(self, number: tf.Tensor, indices: tf.Tensor) -> dict[str, Any]:
        """What belongs to each clip: its targets, weight and groups, so that what blends clips blends these alike."""
        if self._targets.lengths is None:
            beside = {"targets": tf.gather(tf.constant(self._targets.values), indices)}
        else:

            def rows(number: np.ndarray, indices: np.ndarray) -> np.ndarray:
                found = self.of_pass(int(number))[1].rows(indices)
                more = self._rounded(max(found.shape[1], 1)) - found.shape[1]
                return np.pad(found, [(0, 0), (0, more)], constant_values=-1) if more > 0 else found

            ids = tf.numpy_function(rows, [number, indices], tf.int32)
            beside = {"targets": tf.ensure_shape(ids, [None, None])}
        if self._weights is not None:
            beside["weights"] = tf.gather(tf.constant(self._weights), indices)
        if self._group_index is not None:
            num_groups = self._group_index.max() + 1
            group_index = np.where(self._group_index < 0, num_groups, self._group_index)
            beside["groups"] = tf.one_hot(tf.gather(tf.constant(group_index), indices), num_groups + 1)
        return beside

    @staticmethod
    def _batch(inputs: Any, beside: dict[str, Any]) -> tuple[Any, ...]:
        weights, groups = beside.get("weights"), beside.get("groups")
        if groups is not None:
            weights = groups if weights is None else groups * weights[:, None]
        return (inputs, beside["targets"]) if weights is None else (inputs, beside["targets"], weights)

    def _make_cache(self, folder: str | os.PathLike[str]) -> ClipCache:
        width = self.features.spec.num_features if self._keeps_features else 0
        return ClipCache(folder, len(self.utterances), width, self.cache_bytes)


@atexit.register
def _stop_reading() -> None:
    """Free the datasets' iterators that an error's traceback or a cycle keeps, and with them the threads that read.

    One that is in `numpy_function` while the interpreter goes down is ended by it in the midst of TensorFlow's C++: the
    process aborts, or waits for that thread for ever, whatever its exit code was to be.
    """
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)
    gc.collect()


def make_datasets(
    corpus: Corpus,
    spec: FeatureSpec,
    *,
    batch_size: int = 64,
    augment: Augmentation | None = None,
    epochs: int = 1,
    seed: int = 0,
    max_bad: int = 10,
) -> tuple[dict[str, tf.data.Dataset], Features]:
    """A corpus whose split is decided, as datasets of features and one-hot targets.

    Args:
        corpus: what `split_corpus` returned.
        spec: what the front-end computes.
        batch_size: clips in a batch; those of training are whole, a pass leaves out what is over.
        augment: changes to training clips; None leaves them as they are. Their order is drawn in any case.
        epochs: passes that the training dataset holds, each with its own order and changes. A dataset of one pass has
            the same ones whenever it is gone through: `fit(datasets["train"])` wants as many here as it would in
            `epochs`.
        seed: fixes order and changes.
        max_bad: bad recordings that are listed and left out.

    Returns:
        Datasets of `(features, targets)` by split, `train`, `validation` and `test`; and the front-end, with the
        training split's statistics.

    Raises:
        UserError: more than `max_bad` recordings cannot be read.
    """
    corpus, features = measure_front_end(corpus, spec, max_bad)
    number = {label: index for index, label in enumerate(corpus.labels)}
    datasets = {}
    for split in SPLITS:
        utterances = [item for item in corpus.utterances if item.split == split]
        training = split == "train"
        pipeline = Pipeline(
            utterances,
            Targets.one_hot([number[item.label or ""] for item in utterances], len(corpus.labels)),
            features,
            batch_size=batch_size,
            augment=(augment or Augmentation()) if training else None,
            noise=corpus.noise,
            seed=seed,
        )
        datasets[split] = pipeline.batches(epochs if training else 1)
    return datasets, features


def measure_front_end(corpus: Corpus, spec: FeatureSpec, max_bad: int) -> tuple[Corpus, Features]:
    """Decode every recording once: leave out those that cannot be, and measure the training split's statistics.

    Args:
        corpus: with every split decided.
        spec: what the front-end computes.
        max_bad: bad recordings that are listed and left out, those of the corpus's `bad` included.

    Raises:
        UserError: there are more bad recordings than that.
    """
    kept: list[Utterance] = []
    bad = list(corpus.bad)
    paths = [item.path for item in corpus.utterances]

    def training_clips() -> Iterator[np.ndarray]:
        for place, clip in read_clips(paths, spec, bad, "Reading recordings"):
            kept.append(corpus.utterances[place])
            if kept[-1].split == "train":
                yield clip

    features = measure_statistics(spec, batch_clips(training_clips()))
    if len(bad) > len(corpus.bad):
        report_bad(corpus, bad, max_bad, listed=len(corpus.bad))
    return replace(corpus, utterances=tuple(kept), bad=tuple(bad)), features


def noise_seconds(num_recordings: int) -> float:
    """Seconds of each recording of noise that are mixed in: the more recordings, the fewer."""
    return min(MAX_NOISE_SECONDS, ALL_NOISE_SECONDS / num_recordings)


def _read_noises(paths: Sequence[str], sample_rate: int) -> tf.Tensor | None:
    """`(recording, samples)`: the beginnings of the recordings, repeated to one length."""
    if not paths:
        return None
    seconds = noise_seconds(len(paths))
    noises = [audio.read(path, sample_rate, max_seconds=seconds)[0] for path in paths]
    return tf.constant(np.stack([np.resize(noise, max(map(len, noises))) for noise in noises]))
