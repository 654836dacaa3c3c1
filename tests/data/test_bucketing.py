"""Batches of like lengths: every clip once, no batch too large, another order in each epoch; targets of any length."""

import dataclasses

import numpy as np
import pytest
from _errors import raises
from _shared import SPEC, quiet

from kerasr import audio
from kerasr.audio.features import Features
from kerasr.config import Augmentation
from kerasr.data.bucketing import Buckets
from kerasr.data.manifest import Utterance
from kerasr.data.pipeline import Pipeline
from kerasr.data.targets import Targets
from kerasr.training.trainer import train_recipe


@pytest.mark.parametrize("seed", [None, (0, 1)])
def test_every_clip_is_drawn_once_and_no_batch_is_too_long(rng, seed):
    seconds = rng.uniform(0.1, 9, 300)
    buckets = Buckets(seconds, 32, 20.0)
    batches = buckets.batches(seed)
    assert len(batches) == buckets.num_batches
    assert sorted(np.concatenate(batches)) == list(range(300))
    for batch in batches:
        assert len(batch) <= 32
        assert len(batch) * seconds[batch].max() <= 20.0
    padded = sum(len(batch) * seconds[batch].max() for batch in batches)
    assert padded < 1.2 * seconds.sum(), "as they come it would be more than half as much again"


def test_a_clip_longer_than_the_bound_is_a_batch_of_its_own():
    batches = Buckets([1.0, 50.0, 1.0, 60.0], 8, 10.0).batches(None)
    assert sorted(sorted(batch) for batch in batches) == [[0, 2], [1], [3]]


def test_epochs_differ_and_a_seed_repeats_them(rng):
    buckets = Buckets(rng.uniform(0.5, 2, 200), 8, 100.0)
    first, again, other = (buckets.batches(seed) for seed in ((0, 0), (0, 0), (0, 1)))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert {tuple(sorted(batch)) for batch in first} != {tuple(sorted(batch)) for batch in other}


@pytest.fixture(scope="module")
def lengths(tmp_path_factory):
    """Forty tones of 0.2 to 1.5 seconds."""
    folder, rng, utterances = tmp_path_factory.mktemp("lengths"), np.random.default_rng(0), []
    for number in range(40):
        seconds = rng.uniform(0.2, 1.5)
        tone = 0.3 * np.sin(2 * np.pi * (300, 1500)[number % 2] * np.arange(int(seconds * 8000)) / 8000)
        (folder / ("low", "high")[number % 2]).mkdir(exist_ok=True)
        path = folder / ("low", "high")[number % 2] / f"{number}.wav"
        audio.write(path, tone.astype("float32"), 8000)
        utterances.append(Utterance(str(path), label=path.parent.name, duration=len(tone) / 8000))
    return folder, utterances


def pipeline(utterances, targets, **options):
    return Pipeline(utterances, targets, Features(dataclasses.replace(SPEC, clip_seconds=None)), **options)


def test_a_stream_of_buckets_begins_anywhere(lengths):
    _, utterances = lengths
    targets = Targets(np.arange(40, dtype=np.float32)[:, None])
    made = pipeline(utterances, targets, batch_size=8, batch_seconds=4.0, augment=Augmentation(), seed=3)
    whole = [(features.numpy(), clips.numpy()) for features, clips in made.batches(2)]
    assert len(whole) == 2 * made.num_steps
    for epoch in (whole[: made.num_steps], whole[made.num_steps :]):
        assert sorted(np.concatenate([clips[:, 0] for _, clips in epoch])) == list(range(40))
    for (features, clips), (same, numbers) in zip(whole[5:], made.batches(2, first_step=5), strict=True):
        np.testing.assert_array_equal(clips, numbers)
        np.testing.assert_array_equal(features, same)


def test_targets_of_any_length_are_padded(lengths):
    _, utterances = lengths
    ids = [[number] * (number % 5) for number in range(40)]
    made = pipeline(utterances, Targets.ragged(ids), batch_size=8, batch_seconds=4.0)
    seen = []
    for _, targets in made.batches():
        tokens = targets.numpy()
        lengths_of = (tokens >= 0).sum(1)
        assert tokens.shape[1] == lengths_of.max()
        for row, number in zip(tokens, lengths_of, strict=True):
            assert (row[number:] == -1).all()
            seen.append(list(row[:number]))
    assert sorted(seen) == sorted(ids)


def test_it_trains_on_clips_of_any_length(lengths, short_config):
    folder, _ = lengths
    changes = {
        "data": str(folder),
        "model": "Conv1DLSTM",
        "model_options": {"filters": 8, "units": 8},
        "features": dataclasses.replace(SPEC, clip_seconds=None),
        "batch_size": 8,
        "batch_seconds": 6.0,
        "epochs": 2,
    }
    run = train_recipe(short_config.replace(**changes), console=quiet())
    assert len(run.history) == 2
    with raises("settings-conflict"):
        train_recipe(short_config.replace(**changes, sampling="balanced"), console=quiet())
