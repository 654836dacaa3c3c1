"""A sound in overlapping windows: the outputs of one clip, wherever it is cut and in whatever chunks it comes."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from _shared import SPEC

from kerasr.audio import Features
from kerasr.config import TaskConfig
from kerasr.inference.compiled import compile_probs
from kerasr.inference.windows import OverlappingWindows, WindowSizes
from kerasr.models.receptive_field import ReceptiveField, receptive_field
from kerasr.models.registry import builder, model_facts
from kerasr.tasks.transcribe import Transcribe

ANY_LENGTH = replace(SPEC, clip_seconds=None)


@pytest.fixture(scope="module")
def encoder():
    """A network, and what it says of clips."""
    keras.utils.set_random_seed(0)
    network = builder("ResNetEncoder")((None, SPEC.n_mels), 4, **model_facts("ResNetEncoder").narrow)
    front_end = Features(ANY_LENGTH, mean=[-60.0] * SPEC.n_mels, std=[10.0] * SPEC.n_mels)
    compiled = compile_probs([front_end], network, Transcribe((" ", "a", "b"), TaskConfig("transcribe")))
    return network, lambda clips: compiled(clips)["probs"]


def in_chunks(windows, waveform, sizes):
    """All outputs of a waveform that comes in chunks of these sizes, over and over."""
    found, start, turn = [], 0, 0
    while start < len(waveform):
        size = sizes[turn % len(sizes)]
        found += windows.process(waveform[start : start + size])
        start, turn = start + size, turn + 1
    return np.concatenate([*found, *windows.finish()])


@pytest.mark.parametrize("num_samples", [30_000, 29_999, 100, 1])
@pytest.mark.parametrize("chunks", [[30_000], [1, 7_000, 333]])
def test_windows_give_the_outputs_of_one_clip(encoder, rng, num_samples, chunks):
    network, probs = encoder
    waveform = (0.1 * rng.standard_normal(num_samples)).astype("float32")
    sizes = replace(WindowSizes.of(receptive_field(network), ANY_LENGTH, 4), step=9)
    found = in_chunks(OverlappingWindows(probs, ANY_LENGTH, sizes), waveform, chunks)
    np.testing.assert_allclose(found, probs([waveform])[0], atol=1e-5)


def test_less_context_than_the_receptive_field_is_not_enough(encoder, rng):
    network, probs = encoder
    waveform = (0.1 * rng.standard_normal(20_000)).astype("float32")
    sizes = replace(WindowSizes.of(receptive_field(network), ANY_LENGTH, 4), step=9, after=2)
    found = in_chunks(OverlappingWindows(probs, ANY_LENGTH, sizes), waveform, [20_000])
    assert np.abs(found - probs([waveform])[0]).max() > 1e-4


def test_outputs_come_as_soon_as_their_context_is_there(encoder):
    network, probs = encoder
    sizes = replace(WindowSizes.of(receptive_field(network), ANY_LENGTH, 4), step=5)
    windows = OverlappingWindows(probs, ANY_LENGTH, sizes)
    enough = (sizes.step + sizes.after) * 4 * SPEC.hop_length + SPEC.n_fft
    assert not [*windows.process(np.zeros(enough - 1, np.float32))]
    assert sum(map(len, windows.process(np.zeros(1, np.float32)))) == 5


def test_memory_does_not_grow_with_the_sound():
    asked = []

    def probs(clips):
        asked.extend(map(len, clips))
        return np.zeros((len(clips), max(ANY_LENGTH.num_frames(len(clip)) for clip in clips), 2), np.float32)

    sizes = WindowSizes.of(ReceptiveField(float("inf"), 0), ANY_LENGTH, 1)
    windows = OverlappingWindows(probs, ANY_LENGTH, sizes)
    # An hour.
    num = sum(len(outputs) for _ in range(360) for outputs in windows.process(np.zeros(80_000, np.float32)))
    num += sum(map(len, windows.finish()))
    assert num == ANY_LENGTH.num_frames(360 * 80_000)
    assert max(asked) <= 8_000 * (4 + 10 + 1)


def test_features_that_look_around_have_their_context_too(rng):
    spec = replace(ANY_LENGTH, center=True, num_deltas=1)
    features = Features(spec)
    waveform = (0.1 * rng.standard_normal(20_000)).astype("float32")

    def probs(clips):
        assert len({len(clip) for clip in clips}) == 1
        return np.asarray(features(np.stack(clips)))

    windows = OverlappingWindows(probs, spec, replace(WindowSizes.of(ReceptiveField(0, 0), spec, 1), step=40))
    found = np.concatenate(
        [one for start in range(0, 20_000, 3_000) for one in windows.process(waveform[start:][:3_000])]
    )
    np.testing.assert_allclose(found, probs([waveform])[0][: len(found)], atol=1e-3)
    assert len(found) > 150
