"""A sound that goes on is cut at its pauses, and greedily says what it says as a whole."""

import numpy as np
import pytest

from kerasr.decoding.greedy import collapse
from kerasr.decoding.segments import Segmenter

SPACE = 1


def outputs(path):
    """Probabilities whose likeliest path this is: a digit an output, 0 the blank and 1 the space."""
    probs = np.full((len(path), 5), 0.05, np.float32)
    probs[np.arange(len(path)), [*map(int, path)]] = 0.8
    return probs


def cut(path, size=1000, space=SPACE, **options):
    """The segments of a path that comes so many outputs at a time: where each begins, and its likeliest path."""
    segmenter = Segmenter(space, **{"pause": 4, "longest": 20, **options})
    probs, found = outputs(path), []
    for start in range(0, len(path), size):
        found += segmenter.process(probs[start : start + size])
    found += segmenter.finish()
    for segment in found:
        np.testing.assert_array_equal(segment.probs, probs[segment.first : segment.first + len(segment.probs)])
    return [(segment.first, "".join(map(str, segment.probs.argmax(-1)))) for segment in found]


def test_a_pause_ends_a_segment_and_some_silence_begins_the_next():
    assert cut("0002030000000304") == [(1, "002030000"), (11, "00304")]
    # A space is no word, and none begins a segment.
    assert cut("00020301010001030400") == [(1, "002030101"), (14, "030400")]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_however_outputs_come_the_segments_are_the_same(size):
    path = "00022203301000000010044100000000222"
    assert cut(path, size) == cut(path)
    said = [collapse(np.array([*map(int, found)])) for _, found in cut(path)]
    assert said == [[2, 3, SPACE], [4, SPACE], [2]]


def test_what_has_no_pause_is_cut_where_a_word_ends():
    path = "2031" * 10
    found = cut(path)
    assert len(found) > 1
    assert all(len(segment) <= 20 for _, segment in found)
    assert SPACE not in {int(segment[0]) for _, segment in found}
    assert "1".join(segment for _, segment in found) in path
    # Where no word ends, nothing is cut.
    assert [len(segment) for _, segment in cut("203" * 10)] == [30]


def test_where_words_are_tokens_any_blank_is_between_two():
    assert cut("0002030000000304", space=None) == [(1, "002030000"), (11, "00304")]
    path = "22033044" * 5
    found = cut(path, space=None)
    assert len(found) > 1
    assert all(len(segment) <= 20 for _, segment in found)
    assert "0".join(segment for _, segment in found) == path


def test_of_pieces_a_word_begins_with_some_of_them():
    """A blank within a word is no seam; a word's first piece is the next segment's, all of it."""
    path = "2200330440" * 4
    found = cut(path, begins={2})
    assert len(found) > 1
    assert all(segment.startswith("22") for _, segment in found)
    assert "".join(segment for _, segment in found) == path
    # A space alone between two words is of neither.
    found = cut("2031" * 10, begins={4})
    assert "1".join(segment for _, segment in found) in "2031" * 10
    # Where no other word begins, nothing is cut.
    assert [len(segment) for _, segment in cut("22" + "30" * 30, begins={2}, pause=9)] == [62]


def test_silence_has_no_segments_and_keeps_little():
    segmenter = Segmenter(SPACE, pause=4, longest=20)
    assert not [*segmenter.process(outputs("0" * 1000)), *segmenter.finish()]
    assert len(segmenter.path) <= 4
    assert segmenter.least_blank == pytest.approx(0.8)
