"""Several recordings as one path: read, measured and known again as one, wherever they lie."""

import os

import numpy as np
import pytest
from _errors import raises

from kerasr import audio
from kerasr.audio.joined import join_path, split_path
from kerasr.data import Utterance, read_manifest, write_manifest
from kerasr.data.hashes import content_hash


@pytest.fixture
def clips(tmp_path):
    """Three recordings, two of them in other folders, with what a name has to be encoded for."""
    paths = [tmp_path / "one" / "a.wav", tmp_path / "two" / "50%|b.wav", tmp_path / "c.wav"]
    for number, path in enumerate(paths, 1):
        path.parent.mkdir(exist_ok=True)
        audio.write(path, np.full(800 * number, 0.1 * number), 8000)
    return [str(path) for path in paths]


def test_a_path_names_its_parts(clips):
    path = join_path(clips, [0.1234, 0.05])
    assert split_path(path) == (clips, [0.123, 0.05])
    # To whoever goes by folders it is a recording in the folder of its first part.
    assert os.path.dirname(os.path.normpath(path)) == os.path.dirname(clips[0])
    assert join_path(clips[:1], []) == clips[0]
    assert split_path(clips[1]) == ([clips[1]], [])
    here = [os.path.relpath(clip) for clip in clips]
    assert split_path(join_path(["a.wav", "b/c.wav"], [1])) == (["a.wav", os.path.join("b", "c.wav")], [1.0])
    assert split_path(join_path(here, [0.1, 0.2]))[0] == here


def test_it_is_read_as_one_recording(clips):
    path = join_path(clips, [0.1, 0.25])
    assert audio.facts(path) == audio.AudioFacts(8000, 4800 + 2800, 1)
    waveform, rate = audio.read(path)
    whole = np.concatenate(
        [audio.read(clips[0])[0], np.zeros(800), audio.read(clips[1])[0], np.zeros(2000), audio.read(clips[2])[0]]
    )
    np.testing.assert_array_equal(waveform, whole)
    assert rate == 8000
    np.testing.assert_array_equal(audio.read(path, max_seconds=0.2, start_seconds=0.1)[0], whole[800:2400])
    np.testing.assert_array_equal(np.concatenate([*audio.blocks(path, 8000, 0.03)]), whole)
    assert len(audio.read(path, 16000)[0]) == 2 * len(whole)


def test_parts_of_several_rates_have_the_first_ones(tmp_path, clips):
    audio.write(tmp_path / "wide.wav", np.full(1600, 0.1), 16000)
    assert audio.facts(join_path([clips[0], str(tmp_path / "wide.wav")], [0.1])) == audio.AudioFacts(8000, 2400, 1)


def test_a_part_that_is_missing_is_named(clips):
    os.unlink(clips[1])
    with raises("recording-not-found", clips[1]):
        audio.facts(join_path(clips, [0.1, 0.1]))


def test_it_is_known_by_what_it_holds(tmp_path, clips):
    known = content_hash(join_path(clips, [0.1, 0.2]))
    assert int(known.partition(":")[0]) == sum(map(os.path.getsize, clips))
    others = [join_path(clips, [0.2, 0.1]), join_path(clips[::-1], [0.2, 0.1]), join_path(clips[:2], [0.1])]
    assert known not in map(content_hash, others)
    os.rename(tmp_path / "one" / "a.wav", tmp_path / "moved.wav")
    assert content_hash(join_path([str(tmp_path / "moved.wav"), *clips[1:]], [0.1, 0.2])) == known


def test_a_manifest_moves_with_its_parts(tmp_path, clips):
    item = Utterance(join_path(clips, [0.1, 0.2]), text="a b c", speaker="anna")
    write_manifest(tmp_path / "list.csv", [item, Utterance(clips[0], text="a")])
    assert str(tmp_path) not in (tmp_path / "list.csv").read_text()
    assert read_manifest(tmp_path / "list.csv").utterances[0] == item
