"""The attention decoder: each token from those before it, of each clip's own frames and tokens alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasr.layers import sequence_cross_entropy
from kerasr.models.decoders.transformer_decoder import TransformerDecoder

NUM_FRAMES = np.array([9, 3, 6], np.int32)
TOKEN_IDS = np.array([[1, 2, 2, 3], [4, -1, -1, -1], [-1, -1, -1, -1]], np.int32)


@pytest.fixture(scope="module")
def decoder():
    keras.utils.set_random_seed(0)
    return TransformerDecoder(6, 5, width=8, num_heads=2, num_layers=2)


def losses(decoder, embedding, num_frames, token_ids):
    """Each clip's loss, and its slope by the embedding."""
    embedding, num_frames, token_ids = map(tf.constant, (embedding, num_frames, token_ids))
    with tf.GradientTape() as tape:
        tape.watch(embedding)
        found = sequence_cross_entropy(decoder([embedding, num_frames, token_ids]), token_ids, 0.1)
        total = tf.reduce_sum(found)
    return found.numpy(), tape.gradient(total, embedding).numpy()


def test_a_clip_sees_neither_its_batch_nor_its_padding(decoder, rng):
    embedding = rng.normal(size=(3, 9, 6)).astype("float32")
    together, slopes = losses(decoder, embedding, NUM_FRAMES, TOKEN_IDS)
    logits = decoder([embedding, NUM_FRAMES, TOKEN_IDS]).numpy()
    for index, (frames, ids) in enumerate(zip(NUM_FRAMES, TOKEN_IDS, strict=True)):
        ids = ids[None, ids >= 0]
        own = embedding[index : index + 1, :frames]
        alone, slope = losses(decoder, own, NUM_FRAMES[index : index + 1], ids)
        np.testing.assert_allclose(together[index], alone[0], rtol=1e-5)
        np.testing.assert_allclose(slopes[index, :frames], slope[0], atol=1e-5)
        assert not slopes[index, frames:].any()
        expected = decoder([own, NUM_FRAMES[index : index + 1], ids])[0]
        np.testing.assert_allclose(logits[index, : len(expected)], expected, atol=1e-5)


def test_a_token_is_told_by_those_before_it_alone(decoder, rng):
    embedding = rng.normal(size=(1, 9, 6)).astype("float32")
    first, second = (
        decoder([embedding, NUM_FRAMES[:1], np.array([ids], np.int32)]).numpy()[0] for ids in ([1, 2, 3], [1, 4, 3])
    )
    np.testing.assert_allclose(first[:2], second[:2], atol=1e-6)
    assert (np.abs(first[2:] - second[2:]).max(-1) > 1e-3).all()
