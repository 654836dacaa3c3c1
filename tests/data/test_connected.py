"""Strings of recordings: of one speaker and one split, each recording once, the same for a seed, new in each pass."""

import dataclasses

import numpy as np
import pytest
from _shared import SPEC

from kerasr import audio
from kerasr.audio.features import Features
from kerasr.audio.joined import split_path
from kerasr.config import Augmentation
from kerasr.data import Corpus, Utterance
from kerasr.data.connected import PAUSES, ConnectedPipeline, connect, connect_corpus
from kerasr.data.targets import Targets


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Twelve recordings by each of three speakers; how loud one is tells which it is."""
    folder, found = tmp_path_factory.mktemp("words"), []
    for number in range(36):
        word, speaker = ("one", "two", "three")[number % 3], ("anna", "ben", "cleo")[number // 12]
        path = folder / f"{word}_{speaker}_{number}.wav"
        audio.write(path, np.full(800 + 10 * number, 0.01 * (1 + number)), 8000)
        facts = {"accent": speaker[0], "take": str(number)}
        found.append(Utterance(str(path), word, speaker=speaker, split="train", duration=0.1, extra=facts))
    return found


def parts_of(strings):
    return [split_path(item.path)[0] for item in strings]


def test_a_string_has_one_speaker_and_says_what_its_parts_say(recordings):
    strings = connect(recordings, 5, 0)
    said = {item.path: item for item in recordings}
    assert {len(parts) for parts in parts_of(strings)} <= {1, 2, 3, 4, 5}
    for item, parts in zip(strings, parts_of(strings), strict=True):
        assert {said[path].speaker for path in parts} == {item.speaker}
        assert item.text == " ".join(said[path].label for path in parts)
        assert (item.label, item.split, item.extra["accent"]) == (None, "train", item.speaker[0])
        assert ("take" in item.extra) == (len(parts) == 1)
        pauses = split_path(item.path)[1]
        assert all(PAUSES[0] <= pause <= PAUSES[1] for pause in pauses)
        assert item.duration == pytest.approx(0.1 * len(parts) + sum(pauses))
    assert sorted(path for parts in parts_of(strings) for path in parts) == sorted(said)
    assert {len(parts) for parts in parts_of(connect(recordings, 4, 0, shortest=3))} == {3, 4}


def test_a_seed_repeats_strings_and_a_pass_has_its_own(recordings):
    strings = connect(recordings, 5, 3)
    assert connect(recordings, 5, 3) == strings
    assert connect(recordings, 5, 4) != strings
    other = connect(recordings, 5, 3, 1)
    assert {item.text for item in other} != {item.text for item in strings}
    assert [item.speaker for item in other] == [item.speaker for item in strings]
    assert [*map(len, parts_of(other))] == [*map(len, parts_of(strings))]
    # Whoever else is in the split has no say in what somebody's strings are.
    assert connect(recordings[12:], 5, 3) == [item for item in strings if item.speaker != "anna"]


def test_only_what_is_held_out_is_joined_beforehand(recordings):
    splits = {"anna": "train", "ben": "validation", "cleo": "test"}
    items = tuple(dataclasses.replace(item, split=splits[item.speaker]) for item in recordings)
    silence = dataclasses.replace(items[0], label="_silence_")
    corpus = connect_corpus(Corpus("x", (silence, *items[1:])), 5, 0)
    trains = [item for item in corpus.utterances if item.split == "train"]
    assert [item.path for item in trains] == [item.path for item in items[:12]]
    assert [item.text for item in trains] == [None, *(item.label for item in items[1:12])]
    for speaker, split in list(splits.items())[1:]:
        strings = [item for item in corpus.utterances if item.split == split]
        assert {item.speaker for item in strings} == {speaker}
        assert strings == connect([item for item in items if item.split == split], 5, 0)
    assert [item.text is None for item in connect(trains, 12, 0, shortest=12)] == [True]


@pytest.fixture
def pipeline(recordings):
    ids = {"one": 1, "two": 2, "three": 3}

    def draw(number):
        strings = connect(recordings, 5, 3, number)
        return strings, Targets.ragged([[ids[word] for word in item.text.split()] for item in strings])

    augment = Augmentation(gain_db=3.0, noise=0.5)
    features = Features(dataclasses.replace(SPEC, clip_seconds=None))
    return ConnectedPipeline(
        draw, features, batch_size=4, batch_seconds=4.0, passes=2, augment=augment, seed=3, waveforms=True
    )


def test_each_pass_has_strings_of_its_own_and_begins_anywhere(pipeline):
    whole = [
        (clips["num_samples"].numpy(), clips["waveform"].numpy(), ids.numpy()) for clips, ids in pipeline.batches(2)
    ]
    assert len(whole) == 2 * pipeline.num_steps
    a_pass = pipeline.num_steps // 2
    passes = [whole[start : start + a_pass] for start in range(0, len(whole), a_pass)]
    texts = [sorted(tuple(row) for _, _, ids in one for row in ids) for one in passes]
    assert len({str(text) for text in texts}) == 4
    for one in passes:
        # Each recording once in each pass: as many of each word.
        said = np.concatenate([ids.ravel() for _, _, ids in one])
        assert [int(np.sum(said == word)) for word in (1, 2, 3)] == [12, 12, 12]
    first = a_pass + 1
    for before, (clips, ids) in zip(whole[first:], pipeline.batches(2, first_step=first), strict=True):
        for one, other in zip(before, (clips["num_samples"], clips["waveform"], ids), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_target_goes_with_its_sound(recordings):
    loudness = {item.path: number for number, item in enumerate(recordings, 1)}

    def draw(number):
        strings = connect(recordings, 3, 0, number)
        return strings, Targets.ragged([[loudness[path] for path in parts] for parts in parts_of(strings)])

    features = Features(dataclasses.replace(SPEC, clip_seconds=None))
    for clips, ids in ConnectedPipeline(draw, features, batch_size=4, waveforms=True).batches(2):
        for waveform, told in zip(clips["waveform"].numpy(), ids.numpy(), strict=True):
            levels = np.round(100 * waveform).astype(int)
            heard = [level for level, before in zip(levels, [0, *levels[:-1]], strict=True) if level and not before]
            assert heard == [one for one in told if one >= 0]
