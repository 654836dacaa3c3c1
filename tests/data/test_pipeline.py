"""The pipeline: batches equal to clips on their own, order by seed and position, caches, bad recordings."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from _errors import raises
from _shared import SPEC

from kerasr import audio
from kerasr.audio.features import Features
from kerasr.config import Augmentation
from kerasr.data import clips as clips_module
from kerasr.data import pipeline as pipeline_module
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.pipeline import Pipeline, make_datasets, measure_front_end
from kerasr.data.sampling import Balance
from kerasr.data.targets import Targets

LABELS = ("high", "low", "middle")


@pytest.fixture
def utterances(tones):
    paths = sorted(tones.glob("*/*.wav"))
    return [Utterance(str(path), label=path.parent.name, split="train", duration=0.4) for path in paths]


def make(utterances, **kwargs):
    label_index = [LABELS.index(item.label) for item in utterances]
    return Pipeline(utterances, Targets.one_hot(label_index, 3), Features(SPEC), batch_size=16, **kwargs)


def as_arrays(dataset):
    return [tuple(np.asarray(part) for part in batch) for batch in dataset]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_evaluation_keeps_order_and_gives_each_clip_its_own_features(utterances):
    batches = as_arrays(make(utterances).batches())
    assert [len(batch[0]) for batch in batches] == [16, 16, 16, 12]
    features = np.concatenate([batch[0] for batch in batches])
    targets = np.concatenate([batch[1] for batch in batches])
    for number in (0, 17, 59):
        clip = audio.read(utterances[number].path)[0]
        alone = np.asarray(Features(SPEC)(clip[None], np.array([len(clip)])))[0]
        np.testing.assert_allclose(features[number], alone, atol=1e-4)
        assert LABELS[targets[number].argmax()] == utterances[number].label


AUGMENT = Augmentation(time_shift=0.02, gain_db=3.0, speed=(0.9, 1.1), noise=0.5, time_masks=1, mixup=0.2)


def test_training_batches_follow_seed_and_epoch(utterances):
    first = as_arrays(make(utterances, augment=AUGMENT, seed=1).batches(2))
    assert len(first) == 2 * 3
    assert_same(first, as_arrays(make(utterances, augment=AUGMENT, seed=1).batches(2)))
    other = as_arrays(make(utterances, augment=AUGMENT, seed=2).batches(2))
    assert np.abs(first[0][0] - other[0][0]).max() > 0.1
    assert np.abs(first[0][0] - first[3][0]).max() > 0.1


def test_a_stream_can_begin_anywhere(utterances):
    whole = as_arrays(make(utterances, augment=AUGMENT, seed=1).batches(3))
    assert_same(whole[4:], as_arrays(make(utterances, augment=AUGMENT, seed=1).batches(3, first_step=4)))


def test_an_epoch_of_several_passes_is_those_passes(utterances):
    single, double = (make(utterances, augment=AUGMENT, passes=passes) for passes in (1, 2))
    assert double.num_steps == 2 * single.num_steps
    assert_same(as_arrays(double.batches(2, first_step=1)), as_arrays(single.batches(4, first_step=1)))


@pytest.mark.parametrize("waveforms", [False, True])
def test_of_what_noise_is_left_of_nothing_is_to_be_written(utterances, waveforms):
    token_ids = Targets.ragged([[1, 2], [3]] * 30)
    augment = Augmentation(noise_only=0.4)
    made = Pipeline(utterances, token_ids, Features(SPEC), batch_size=16, augment=augment, waveforms=waveforms)
    inputs, rows = zip(*made.batches(3), strict=True)
    empty = [(np.asarray(part) == -1).all(1) for part in rows]
    assert 0.25 < np.concatenate(empty).mean() < 0.55
    # The same clips without the change, in the same order: those alone that keep their text are as they were.
    plain = Pipeline(utterances, token_ids, Features(SPEC), batch_size=16, augment=Augmentation(), waveforms=waveforms)
    for one, (other, _), none in zip(inputs, plain.batches(3), empty, strict=True):
        one, other = (np.asarray(part["waveform"] if waveforms else part) for part in (one, other))
        np.testing.assert_array_equal(np.any(one != other, axis=tuple(range(1, one.ndim))), none)


def test_every_clip_comes_up_over_the_epochs(utterances):
    pipeline = make(utterances, augment=Augmentation(), seed=0)
    plain = {batch.tobytes() for part in as_arrays(make(utterances).batches()) for batch in np.round(part[0], 3)}
    seen = {clip.tobytes() for part in as_arrays(pipeline.batches(8)) for clip in np.round(part[0], 3)}
    assert pipeline.num_steps == 3
    assert len(seen) == len(plain) == 60


@pytest.mark.parametrize("augment", [None, Augmentation(), AUGMENT])
def test_a_cache_changes_nothing_but_the_work(utterances, tmp_path, monkeypatch, augment):
    expected = as_arrays(make(utterances, augment=augment).batches(3))
    cached = make(utterances, augment=augment, cache_folder=tmp_path)
    reads = []
    monkeypatch.setattr(pipeline_module, "read_clip", lambda *args: reads.append(args) or read_clip(*args))
    assert_same(as_arrays(cached.batches(3)), expected)
    # What is read while it is being put away may be read twice; a whole pass more may not.
    first = len(reads)
    as_arrays(cached.batches(2))
    assert first < 3 * 60
    assert len(reads) - first <= 12


def test_a_cache_that_does_not_fit_is_refused_before_it_is_begun(utterances, tmp_path, monkeypatch):
    monkeypatch.setattr(Pipeline, "cache_bytes", 10**18)
    with raises("disk-full"):
        make(utterances, cache_folder=tmp_path)


def test_cache_bytes_is_what_the_cache_takes(utterances, tmp_path):
    pipeline = make(utterances, cache_folder=tmp_path)
    as_arrays(pipeline.batches())
    assert pipeline.cache_bytes == pipeline._cache._end == 4 * 60 * SPEC.shape[0] * 20


def test_any_rate_and_any_number_of_channels(tmp_path, rng):
    time = np.arange(48000) / 96000
    tone = 0.3 * np.sin(2 * np.pi * 700 * time)
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone, tone], 1), 96000, subtype="PCM_24")
    soundfile.write(tmp_path / "mono.flac", tone[::12], 8000)
    utterances = [Utterance(str(tmp_path / name), label="low") for name in ("stereo.wav", "mono.flac")]
    ((features, _),) = as_arrays(make(utterances).batches())
    loud = features[1] > features[1].max() - 30
    np.testing.assert_allclose(features[0][loud], features[1][loud], atol=0.5)


def test_detector_targets_and_weights(utterances):
    present = [int(item.label == "low") for item in utterances]
    targets = Targets(np.array(present, np.float32)[:, None])
    balance = Balance(weights=np.where(present, 2.0, 0.5))
    pipeline = Pipeline(utterances, targets, Features(SPEC), batch_size=60, balance=balance)
    ((_, targets, weights),) = as_arrays(pipeline.batches())
    np.testing.assert_array_equal(targets[:, 0], present)
    np.testing.assert_array_equal(weights, np.where(targets[:, 0], 2.0, 0.5))


def test_waveforms_for_a_backend_that_cannot_run_the_front_end_here(utterances):
    (inputs, targets), *_ = make(utterances, waveforms=True).batches()
    assert inputs["waveform"].shape[0] == inputs["num_samples"].shape[0] == targets.shape[0] == 16
    lengths = np.asarray(inputs["num_samples"])
    for clip, length in zip(np.asarray(inputs["waveform"]), lengths, strict=True):
        assert not clip[length:].any()


def test_a_three_hour_recording_costs_a_minute_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(clips_module, "MAX_CLIP_SECONDS", 2.0)
    asked = []
    long = np.ones(16000, "float32"), 8000
    monkeypatch.setattr(audio, "read", lambda *args, **kwargs: asked.append(kwargs) or long)
    assert len(read_clip("long.wav", SPEC)) == SPEC.clip_samples
    assert asked == [{"max_seconds": 2.0}]


def test_bad_recordings_are_listed_and_left_out_up_to_a_limit(utterances, tmp_path, capsys):
    bad = {"nan.wav": np.nan, "loud.wav": 1e19}
    for name, value in bad.items():
        soundfile.write(tmp_path / name, np.array([0.1, value, 0.2]), 8000, subtype="FLOAT")
    more = (Utterance(str(tmp_path / name), label="low", split="train", duration=0.1) for name in bad)
    corpus = Corpus("tones", (*utterances, *more))
    kept, features = measure_front_end(corpus, SPEC, max_bad=2)
    assert len(kept.utterances) == 60
    assert np.isfinite([*features.mean, *features.std]).all()
    told = capsys.readouterr().err
    assert all(name in told for name in bad)
    assert [path for path, _ in kept.bad] == [str(tmp_path / name) for name in bad]
    with raises("too-many-bad-recordings", r"nan\.wav"):
        measure_front_end(corpus, SPEC, max_bad=1)


def test_datasets_mix_the_words(utterances):
    test = replace(utterances[0], split="test")
    corpus = Corpus("tones", (*utterances[1:], test, replace(test, path=utterances[1].path, split="validation")))
    datasets, _ = make_datasets(corpus, SPEC, batch_size=16)
    words = [set(np.asarray(targets).argmax(1)) for _, targets in datasets["train"]]
    assert len(words) == 3
    assert all(len(heard) > 1 for heard in words)


def test_statistics_come_from_the_training_split_alone(utterances, tmp_path):
    loud = tmp_path / "loud.wav"
    audio.write(loud, np.sign(np.sin(np.arange(3000))), 8000)
    test = Utterance(str(loud), label="low", split="test", duration=0.4)
    _, with_test = measure_front_end(Corpus("tones", (*utterances, test)), SPEC, 0)
    _, without = measure_front_end(Corpus("tones", tuple(utterances)), SPEC, 0)
    assert with_test.mean == without.mean
    assert with_test.std == without.std
    _, trained = measure_front_end(Corpus("tones", (*utterances, replace(test, split="train"))), SPEC, 0)
    assert trained.mean != without.mean
