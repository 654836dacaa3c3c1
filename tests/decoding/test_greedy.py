"""Greedy decoding and the distance between what it says and the truth, in NumPy and in a graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from rapidfuzz.distance import Levenshtein

from kerasr.decoding.greedy import best_path, collapse
from kerasr.metrics.edit_distance import TokenErrorRate, edit_distance


def rows(rng, count=40, most=12, num_tokens=4):
    """Token ids of random lengths, none among them, padded with -1."""
    ids = [list(rng.integers(1, num_tokens + 1, rng.integers(0, most + 1))) for _ in range(count)]
    padded = np.full((count, most), -1, np.int32)
    for row, own in zip(padded, ids, strict=True):
        row[: len(own)] = own
    return ids, padded


@pytest.mark.parametrize(
    ("path", "tokens"), [([], []), ([0, 0], []), ([1, 1, 0, 1, 2, 2, 0], [1, 1, 2]), ([3], [3]), ([1, 2, 1], [1, 2, 1])]
)
def test_repeats_and_blanks_are_taken_out(path, tokens):
    assert collapse(np.array(path)) == tokens


def test_a_graph_finds_the_same_path(rng):
    outputs = rng.standard_normal((30, 15, 4)).astype("float32")
    found = tf.function(best_path)(tf.constant(outputs)).numpy()
    for row, path in zip(found, outputs.argmax(-1), strict=True):
        tokens = collapse(path)
        assert list(row[: len(tokens)]) == tokens
        assert (row[len(tokens) :] == -1).all()


def test_the_distance_is_levenshteins(rng):
    (one, first), (other, second) = rows(rng), rows(rng, most=9)
    found = tf.function(edit_distance)(tf.constant(first), tf.constant(second))
    assert list(found.numpy()) == [Levenshtein.distance(a, b) for a, b in zip(one, other, strict=True)]
    nothing = np.full((40, 1), -1, np.int32)
    assert list(edit_distance(nothing, second).numpy()) == [*map(len, other)]
    assert list(edit_distance(first, nothing[:, :0]).numpy()) == [*map(len, one)]


def test_the_rate_is_of_all_tokens_together(rng):
    _, truth = rows(rng, num_tokens=3)
    outputs = rng.standard_normal((40, 15, 4)).astype("float32")
    metric = TokenErrorRate()
    for part in (slice(0, 7), slice(7, 40)):
        metric.update_state(truth[part].astype("float32"), outputs[part])
    pairs = [(collapse(path), list(row[row >= 0])) for path, row in zip(outputs.argmax(-1), truth, strict=True)]
    expected = sum(Levenshtein.distance(*pair) for pair in pairs) / sum(len(one) for _, one in pairs)
    assert float(metric.result()) == pytest.approx(expected)
    metric.reset_state()
    assert float(metric.result()) == 0
    assert keras.metrics.deserialize(keras.metrics.serialize(metric)).name == metric.name
