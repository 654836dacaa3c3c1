"""Layers that every model may use: the padding's length, attention that does not see it, norms, tokens.

The front-end makes the frames beyond a clip's own samples exactly zero. `NumFrames` finds them again, so a model needs
one input only, and the layers here take that count where Keras would carry a mask: Conv1D and pooling drop masks.
"""

import keras
import numpy as np
from keras import ops

from kerasr.kernels import fused_batch_norm

register = keras.saving.register_keras_serializable(package="kerasr")


@register
class NumFrames(keras.layers.Layer):
    """Number of frames up to the last one that is not all zeros; at least one, so that silence has an answer too.

    A frame of zeros inside the clip counts: only those at the end are padding.

    Shapes: (batch, time, feature) to (batch,), int32.
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, features):
        position = ops.arange(1, ops.shape(features)[1] + 1, dtype="int32")
        sounding = ops.any(ops.not_equal(features, 0), axis=-1)
        return ops.maximum(ops.max(ops.where(sounding, position, 0), axis=1), 1)

    def compute_output_spec(self, features):
        return keras.KerasTensor((features.shape[0],), "int32")


@register
class ZeroPadding(keras.layers.Layer):
    """Sets the frames past the clip's end to zero again: a layer with a bias has filled them.

    Shapes: (batch, time, ...) and num_frames (batch,), to (batch, time, ...).
    """

    def call(self, sequence, num_frames):
        inside = within_clip(sequence, num_frames)
        return ops.where(ops.expand_dims(inside, tuple(range(2, len(sequence.shape)))), sequence, 0)

    def compute_output_shape(self, sequence_shape, num_frames_shape):
        return sequence_shape


def within_clip(sequence, num_frames):
    """True for the clip's own frames, (batch, time)."""
    return ops.arange(ops.shape(sequence)[1], dtype="int32")[None] < num_frames[:, None]


@register
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch norm, with its weights and results, which TensorFlow trains in one kernel each way.

    Keras composes it of a dozen operations that each pass over the whole batch (`benchmarks/step_profile.py` shows what
    a step's parts take). In inference, on other backends and with options that the kernel lacks, it is Keras's own.

    The kernel has to be asked for with `fuse_batch_norms`, by whoever knows that the step is not compiled by XLA: there
    its gradients come out wrong (TensorFlow 2.21), and a model's `compile` turns XLA on unless told otherwise.
    """

    fused = False

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable and mask is None and self._suits_kernel(len(inputs.shape))):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = fused_batch_norm(inputs, self.gamma, self.beta, self.epsilon)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return outputs

    def _suits_kernel(self, rank):
        """Whether TensorFlow's kernel does what this layer was asked for."""
        usual = self.scale and self.center and not self.renorm and not self.synchronized
        last = self.axis in (-1, rank - 1)
        on_tensorflow = keras.backend.backend() == "tensorflow"
        right_type = self.compute_dtype != "float64"
        return self.fused and on_tensorflow and rank in (3, 4) and last and usual and right_type


def fuse_batch_norms(network, fused=True):
    """Let a network's batch norms train in TensorFlow's kernel; only for steps that XLA does not compile."""
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            layer.fused = fused


@register
class SubSpectralNorm(keras.layers.Layer):
    """Batch norm of each channel in each of a few sub-bands of the feature axis, with a scale and offset for each.

    The sub-bands are as wide as each other, or differ by one feature where the features do not divide evenly; there is
    at most one a feature. Source: Chang et al., "Subspectral Normalization for Neural Audio Data Processing", ICASSP
    2021, https://arxiv.org/abs/2103.13620, section 2, with the affine transformation per sub-band.

    Shapes: (batch, time, feature, channel) to the same. It computes in float32.

    Args:
        num_bands: sub-bands.
        momentum: share of the moving mean and variance kept at each step.
        epsilon: added to the variance.
    """

    def __init__(self, num_bands=5, *, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.num_bands = num_bands
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, images_shape):
        num_features, channels = images_shape[2:]
        bands = min(self.num_bands, num_features)
        # Row f has its one at the band that feature f is in.
        self.membership = np.eye(bands, dtype="float32")[np.arange(num_features) * bands // num_features]

        def weight(name, initializer, trainable):
            return self.add_weight(
                name=name, shape=(bands, channels), initializer=initializer, trainable=trainable, autocast=False
            )

        self.gamma, self.beta = weight("gamma", "ones", True), weight("beta", "zeros", True)
        self.moving_mean = weight("moving_mean", "zeros", False)
        self.moving_variance = weight("moving_variance", "ones", False)

    def call(self, images, training=None):
        # One row a frame, all features and channels side by side: half the time of Keras's batch norm on a CPU, which
        # broadcasts over the few channels.
        shape = ops.shape(images)
        rows = ops.reshape(ops.cast(images, "float32"), (-1, shape[2] * shape[3]))
        mean, variance = ops.convert_to_tensor(self.moving_mean), ops.convert_to_tensor(self.moving_variance)
        if training and self.trainable:
            mean, variance = self._moments(rows)
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + ops.stop_gradient(value) * (1 - self.momentum))
        scale = ops.rsqrt(variance + self.epsilon) * self.gamma
        rows = rows * self._to_features(scale) + self._to_features(self.beta - mean * scale)
        return ops.cast(ops.reshape(rows, shape), self.compute_dtype)

    def _moments(self, rows):
        """Mean and variance, (band, channel)."""
        weights = self.membership.T / np.sum(self.membership, axis=0)[:, None]
        mean, square = (
            ops.matmul(weights, ops.reshape(ops.mean(value, axis=0), (len(self.membership), -1)))
            for value in (rows, ops.square(rows))
        )
        return mean, ops.maximum(square - ops.square(mean), 0)

    def _to_features(self, bands):
        """From (band, channel) to a row of all features and channels."""
        return ops.reshape(ops.matmul(self.membership, bands), (1, -1))

    def compute_output_shape(self, images_shape):
        return images_shape

    def get_config(self):
        own = ("num_bands", "momentum", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@register
class FrameAttention(keras.layers.Layer):
    """For each query the average of a clip's own frames, weighted by a softmax of their dot products with the query.

    Shapes: queries (batch, query, width), sequence (batch, time, width) and num_frames (batch,), to
    (batch, query, width).
    """

    def call(self, queries, sequence, num_frames):
        scores = ops.matmul(queries, ops.transpose(sequence, (0, 2, 1)))
        scores = ops.where(ops.expand_dims(within_clip(sequence, num_frames), 1), scores, -float("inf"))
        return ops.matmul(ops.softmax(scores), sequence)

    def compute_output_shape(self, queries_shape, sequence_shape, num_frames_shape):
        return queries_shape


@register
class SelfAttention(keras.layers.Layer):
    """Scaled dot-product attention of each position to all, in several heads; it has no weights.

    One dense layer before it makes queries, keys and values in a single product; another may mix the heads after it.

    Shapes: queries, keys and values side by side (batch, time, 3 * width), to (batch, time, width).

    Args:
        num_heads: heads that share the width equally.
    """

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def call(self, projected):
        batch, time, width = ops.shape(projected)
        heads = ops.reshape(projected, (batch, time, 3, self.num_heads, width // 3 // self.num_heads))
        query, key, value = ops.unstack(ops.transpose(heads, (2, 0, 3, 1, 4)))
        scores = ops.matmul(query / heads.shape[-1] ** 0.5, ops.transpose(key, (0, 1, 3, 2)))
        attended = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
        return ops.reshape(attended, (batch, time, width // 3))

    def compute_output_shape(self, projected_shape):
        return (*projected_shape[:-1], projected_shape[-1] // 3)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


@register
class ClassToken(keras.layers.Layer):
    """A learned token before the first frame, and a learned position added to each: what a transformer starts from.

    Shapes: (batch, time, width) to (batch, 1 + time, width); time must be a number.
    """

    def build(self, sequence_shape):
        _, time, width = sequence_shape
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight((1, 1, width), initializer, name="token")
        self.positions = self.add_weight((1, 1 + time, width), initializer, name="positions")

    def call(self, sequence):
        token = ops.broadcast_to(self.token, (ops.shape(sequence)[0], 1, sequence.shape[-1]))
        return ops.concatenate([token, sequence], axis=1) + self.positions

    def compute_output_shape(self, sequence_shape):
        batch, time, width = sequence_shape
        return batch, 1 + time, width
