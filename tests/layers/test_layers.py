"""Layers of our own, equal to Keras's where Keras has the like, forwards and on the way back."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from _padding import NUM_FRAMES, padded_clips, with_gradients
from ai_edge_litert.interpreter import Interpreter

from kerasr.exporters.converters import to_litert
from kerasr.layers import (
    BatchNormalization,
    ClassToken,
    CrossAttention,
    FrameAttention,
    MaskedBatchNormalization,
    MaskPadding,
    NumFrames,
    SelfAttention,
    SinusoidalPositions,
    SubSpectralNorm,
    fuse_batch_norms,
    sequence_cross_entropy,
)
from kerasr.models.registry import builder


@pytest.fixture
def clips():
    return padded_clips()


def test_only_zeros_at_the_end_are_padding(clips):
    assert NumFrames()(clips).numpy().tolist() == NUM_FRAMES.tolist()


def test_silence_has_one_frame():
    assert NumFrames()(np.zeros((2, 5, 3), "float32")).numpy().tolist() == [1, 1]


def test_a_value_too_small_for_half_precision_is_no_padding():
    clip = np.full((1, 4, 2), 1e-30, "float32")
    assert NumFrames(dtype="mixed_float16")(clip).numpy().tolist() == [4]


def test_zero_padding_clears_what_a_bias_filled(clips):
    cleared = MaskPadding()(clips + 1, NUM_FRAMES).numpy()
    np.testing.assert_array_equal(cleared[0], np.where(np.arange(12)[:, None] < 7, clips[0] + 1, 0))


def test_zero_padding_clears_pictures_too(clips):
    picture = np.repeat(clips[..., None] + 1, 2, axis=-1)
    cleared = MaskPadding()(picture, NUM_FRAMES).numpy()
    np.testing.assert_array_equal(cleared[..., 1], MaskPadding()(clips + 1, NUM_FRAMES))


def test_frames_are_averaged_by_their_likeness_within_the_clip(clips, rng):
    queries = rng.normal(size=(4, 2, 3)).astype("float32")
    averages = FrameAttention()(queries, clips + 1, NUM_FRAMES).numpy()
    for clip, query, num_frames, average in zip(clips + 1, queries, NUM_FRAMES, averages, strict=True):
        weights = np.exp(query @ clip[:num_frames].T)
        np.testing.assert_allclose(
            average, weights @ clip[:num_frames] / weights.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-6
        )


def test_self_attention_is_that_of_keras(rng):
    projected = rng.normal(size=(2, 5, 18)).astype("float32")
    theirs = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3, use_bias=False)
    query, key, value = np.split(projected, 3, axis=-1)
    theirs(query, value, key)
    theirs.set_weights([np.eye(6).reshape(weight.shape) for weight in theirs.get_weights()])
    np.testing.assert_allclose(SelfAttention(2)(projected), theirs(query, value, key), atol=1e-6)


@pytest.mark.parametrize("rotary", [False, True])
def test_self_attention_does_not_see_the_padding(rotary, rng):
    projected = rng.normal(size=(4, 12, 12)).astype("float32")
    layer = SelfAttention(2, rotary=rotary)
    together = layer(projected, NUM_FRAMES).numpy()
    for clip, num_frames, attended in zip(projected, NUM_FRAMES, together, strict=True):
        np.testing.assert_allclose(attended[:num_frames], layer(clip[None, :num_frames])[0], atol=1e-6)


def test_causal_attention_sees_nothing_later(rng):
    projected = rng.normal(size=(2, 6, 12)).astype("float32")
    layer = SelfAttention(2, rotary=True, causal=True)
    whole = layer(projected).numpy()
    for end in range(1, 7):
        np.testing.assert_allclose(whole[:, :end], layer(projected[:, :end]), atol=1e-6)
    np.testing.assert_allclose(whole[:, -1], SelfAttention(2, rotary=True)(projected)[:, -1], atol=1e-6)


def test_attention_in_chunks_is_that_of_a_window_which_ends_with_the_chunk(rng):
    projected, num_frames = rng.normal(size=(2, 11, 24)).astype("float32"), np.array([11, 4], np.int32)
    layer, whole = SelfAttention(2, rotary=True, chunk=3, past_chunks=1), SelfAttention(2, rotary=True)
    found = layer(projected, num_frames)
    for begin in range(0, 11, 3):
        first, end = max(begin - 3, 0), begin + 3
        window = whole(projected[:1, first:end])
        np.testing.assert_allclose(found[:1, begin:end], window[:, begin - first :], atol=1e-6)
    # The padding is not seen, and no chunk without a frame of its own makes what is no number.
    alone = layer(projected[1:, :4])
    np.testing.assert_allclose(found[1:, :4], alone, atol=1e-6)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(layer.attend(projected, None, 6), layer(projected)[:, 6:], atol=1e-6)


def test_cross_attention_is_that_of_keras_to_each_clips_own_frames(rng):
    queries, frames = rng.normal(size=(4, 5, 6)).astype("float32"), rng.normal(size=(4, 12, 12)).astype("float32")
    theirs = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3, use_bias=False)
    attended = CrossAttention(2)(queries, frames, NUM_FRAMES)
    key, value = np.split(frames, 2, axis=-1)
    theirs(queries, value, key)
    theirs.set_weights([np.eye(6).reshape(weight.shape) for weight in theirs.get_weights()])
    inside = np.arange(12)[None, None] < NUM_FRAMES[:, None, None]
    np.testing.assert_allclose(attended, theirs(queries, value, key, attention_mask=inside), atol=1e-6)


def test_sines_tell_places_apart():
    places = SinusoidalPositions()(np.zeros((1, 50, 8), "float32")).numpy()[0]
    np.testing.assert_allclose(places[3, [0, 4]], [np.sin(3), np.cos(3)], atol=1e-6)
    assert np.linalg.norm(places[:, None] - places[None], axis=-1)[~np.eye(50, dtype=bool)].min() > 0.1


def test_a_sequences_cross_entropy_is_kerass_over_its_tokens_and_its_end(rng):
    logits = rng.normal(size=(3, 4, 5)).astype("float32")
    token_ids = np.array([[3, 1, 4], [2, -1, -1], [-1, -1, -1]], np.int32)
    for smoothing in (0.0, 0.1):
        found = sequence_cross_entropy(logits, token_ids, smoothing)
        for loss, row, truth in zip(found, logits, ([3, 1, 4, 0], [2, 0], [0]), strict=True):
            own = row[: len(truth)]
            theirs = keras.losses.categorical_crossentropy(np.eye(5)[truth], own, True, smoothing)
            assert float(loss) == pytest.approx(float(np.sum(theirs)), rel=1e-5)


def test_rotary_attention_is_that_of_turned_complex_numbers(rng):
    """Su et al. 2021, section 3.2.2: pairs as complex numbers, turned by their frame times their frequency."""
    projected = rng.normal(size=(1, 5, 12)).astype("float32")
    query, key, value = projected.reshape(5, 3, 4).transpose(1, 0, 2)
    turn = np.exp(1j * np.arange(5)[:, None] * 10000.0 ** (-np.arange(2) / 2))
    query, key = ((each[:, :2] + 1j * each[:, 2:]) * turn for each in (query, key))
    weights = np.exp(np.real(query @ key.conj().T) / 2)
    expected = weights / weights.sum(1, keepdims=True) @ value
    np.testing.assert_allclose(SelfAttention(1, rotary=True)(projected)[0], expected, atol=1e-5)


def test_a_class_token_stands_first_and_each_frame_has_a_position(clips):
    layer = ClassToken()
    tokens = layer(clips).numpy()
    positions = layer.positions.numpy()
    np.testing.assert_allclose(tokens[:, 0], np.repeat(layer.token.numpy()[0] + positions[0, :1], 4, axis=0))
    np.testing.assert_allclose(tokens[:, 1:], clips + positions[:, 1:])


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (4, 6, 3)])
@pytest.mark.parametrize("trainable", [True, False])
def test_batch_norm_is_that_of_keras(shape, trainable, rng):
    """Values, gradients, moving averages and the answer after training."""
    inputs = tf.constant(rng.normal(1, 2, size=shape).astype("float32"))
    gamma, beta = rng.normal(size=3), rng.normal(size=3)
    got, want = [], []
    for kind, values in ((BatchNormalization, got), (keras.layers.BatchNormalization, want)):
        norm = kind(momentum=0.9, epsilon=1e-5, trainable=trainable)
        norm.fused = True
        norm(inputs)
        norm.gamma.assign(gamma), norm.beta.assign(beta)
        values += with_gradients(lambda norm=norm: norm(inputs, training=True), [inputs, norm.gamma, norm.beta])
        values += [norm.moving_mean.numpy(), norm.moving_variance.numpy(), norm(inputs)]
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("picture", [False, True])
def test_masked_batch_norm_is_that_of_the_clips_own_frames(picture, fused, rng):
    """Values, gradients, averages and the answer after training, against Keras's layer on all clips end to end."""
    clips = rng.normal(1, 2, size=(4, 12, 3)).astype("float32")
    inside = np.arange(12)[None] < NUM_FRAMES[:, None]
    inputs = tf.constant(np.stack([clips, clips + 1], axis=2) if picture else clips)
    ours, theirs = (kind(momentum=0.9) for kind in (MaskedBatchNormalization, keras.layers.BatchNormalization))
    ours.fused = fused
    ours(inputs, NUM_FRAMES), theirs(inputs[inside])
    for training in (True, False):
        found, wanted = (
            with_gradients(call, [inputs, norm.gamma, norm.beta])
            for norm, call in (
                (ours, lambda training=training: ours(inputs, NUM_FRAMES, training=training)),
                (theirs, lambda training=training: theirs(inputs[inside], training=training)),
            )
        )
        np.testing.assert_allclose(found[0][inside], wanted[0], atol=1e-5)
        assert not found[0][~inside].any()
        for value, expected in zip(found[1:], wanted[1:], strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=1e-5)


@pytest.mark.parametrize("options", [{"axis": 1}, {"scale": False}, {"center": False}, {"renorm": True}])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_batch_norm_with_any_option_is_that_of_keras(options, dtype, rng):
    inputs = rng.normal(1, 2, size=(4, 6, 5, 3)).astype("float32")
    ours, theirs = (kind(dtype=dtype, **options) for kind in (BatchNormalization, keras.layers.BatchNormalization))
    ours.fused = True
    np.testing.assert_allclose(ours(inputs, training=True), theirs(inputs, training=True), rtol=1e-2, atol=1e-2)


@pytest.mark.full
def test_a_network_trains_with_fused_batch_norms_as_without(rng):
    """Through several layers, as a training does it; XLA still gets it wrong, and then they must not be fused."""
    features, labels = rng.normal(size=(8, 24, 20)).astype("float32"), np.arange(8) % 3

    def step(fused, xla):
        keras.utils.set_random_seed(0)
        network = builder("ResidualCNN")((24, 20), 3, width=0.25, dropout=0.0)
        fuse_batch_norms(network, fused)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.SGD(0.1), loss, jit_compile=xla)
        network.train_on_batch(features, labels)
        return np.concatenate([weight.ravel() for weight in network.get_weights()])

    np.testing.assert_allclose(step(True, False), step(False, False), atol=1e-5)
    np.testing.assert_allclose(step(False, True), step(False, False), atol=1e-5)
    assert np.abs(step(True, True) - step(False, True)).max() > 1e-3, "TensorFlow has mended it: fuse under XLA, too"


@pytest.mark.parametrize("widths", [[2, 2, 2, 2, 2], [2, 1, 2, 1, 1], [1, 1, 1]], ids=["even", "uneven", "few"])
def test_sub_bands_are_batch_norms_side_by_side(widths):
    """Values, gradients, moving averages and the answer after training, against Keras's layer on each band."""
    images = tf.constant(np.random.default_rng(0).normal(1, 2, size=(4, 6, sum(widths), 3)).astype("float32"))
    ours = SubSpectralNorm(5, momentum=0.9, epsilon=1e-5)
    theirs = [keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5) for _ in widths]

    def expected(training):
        bands = tf.split(images, widths, axis=2)
        return tf.concat([norm(band, training=training) for norm, band in zip(theirs, bands, strict=True)], axis=2)

    ours(images), expected(False)
    rng = np.random.default_rng(1)
    for band, norm in enumerate(theirs):
        norm.gamma.assign(rng.normal(size=3)), norm.beta.assign(rng.normal(size=3))
        ours.gamma.assign(tf.tensor_scatter_nd_update(ours.gamma.value, [[band]], [norm.gamma.value]))
        ours.beta.assign(tf.tensor_scatter_nd_update(ours.beta.value, [[band]], [norm.beta.value]))
    got = with_gradients(lambda: ours(images, training=True), [images, ours.gamma, ours.beta])
    want = with_gradients(lambda: expected(True), [images, *(w for norm in theirs for w in (norm.gamma, norm.beta))])
    want = [*want[:2], np.stack(want[2::2]), np.stack(want[3::2])]
    for ours_value, theirs_value in zip(got, want, strict=True):
        np.testing.assert_allclose(ours_value, theirs_value, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours(images), expected(False), rtol=1e-5, atol=1e-5)


def test_a_frozen_norm_keeps_its_averages(rng):
    norm = SubSpectralNorm(2, trainable=False)
    images = rng.normal(3, 2, size=(4, 6, 4, 3)).astype("float32")
    np.testing.assert_allclose(norm(images, training=True), images, rtol=1e-4)
    assert not norm.moving_mean.numpy().any()


def test_in_a_file_a_masked_norm_is_a_part_of_the_convolution_before_it():
    """As an operation of its own it would be rounded twice more in 8 bits, and take time in 32."""
    features = keras.Input((None, 4), batch_size=1)
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(keras.layers.Reshape((-1, 4, 1))(features))
    x = MaskedBatchNormalization(beta_initializer="ones", name="norm")(x, NumFrames()(features))
    model = keras.Model(features, x)
    signature = [tf.TensorSpec((1, None, 4), tf.float32, "features")]
    content = to_litert({"serving_default": (lambda features: {"x": model(features, training=False)}, signature)})
    names = [tensor["name"] for tensor in Interpreter(model_content=content).get_tensor_details()]
    assert any("/batchnorm/add" in name for name in names)
    assert not any("/batchnorm/mul" in name for name in names)
