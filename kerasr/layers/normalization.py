"""Batch normalisation: Keras's own in one kernel, that of clips' own frames, and that of sub-bands; norms of clips."""

import keras
import numpy as np
from keras import ops

from kerasr.layers.kernels import fused_batch_norm
from kerasr.layers.masking import register, within_clip


class _KernelBatchNormalization(keras.layers.BatchNormalization):
    """What the batch norms here share: TensorFlow's kernel for a step of training, where it is asked for."""

    fused = False

    def _suits_kernel(self, inputs, training):
        """Whether TensorFlow's kernel does what this layer was asked for."""
        rank = len(inputs.shape)
        usual = self.scale and self.center and not self.renorm and not self.synchronized
        last = self.axis in (-1, rank - 1)
        on_tensorflow = keras.backend.backend() == "tensorflow"
        right_type = self.compute_dtype != "float64"
        learns = training and self.trainable
        return learns and self.fused and on_tensorflow and rank in (3, 4) and last and usual and right_type

    def _train_in_kernel(self, inputs, num_frames=None):
        outputs, mean, variance = fused_batch_norm(inputs, self.gamma, self.beta, self.epsilon, num_frames)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return outputs


@register
class BatchNormalization(_KernelBatchNormalization):
    """Keras's batch norm, with its weights and results, which TensorFlow trains in one kernel each way.

    Keras composes it of a dozen operations that each pass over the whole batch (`benchmarks/step_profile.py` shows what
    a step's parts take). In inference, on other backends and with options that the kernel lacks, it is Keras's own.

    The kernel has to be asked for with `fuse_batch_norms`, by whoever knows that the step is not compiled by XLA: there
    its gradients come out wrong (TensorFlow 2.21), and a model's `compile` turns XLA on unless told otherwise.
    """

    def call(self, inputs, training=None, mask=None):
        if mask is None and self._suits_kernel(inputs, training):
            return self._train_in_kernel(inputs)
        return super().call(inputs, training=training, mask=mask)


@register
class MaskedBatchNormalization(_KernelBatchNormalization):
    """Keras's batch norm over the clips' own frames, and zeros past their ends.

    The statistics of a batch do not depend on how far its clips are padded, and a convolution after it meets the same
    zeros past a clip's end whatever the clip was batched with ("sequence-wise", Amodei et al. 2016,
    https://arxiv.org/abs/1512.02595, section 3.2). It trains in TensorFlow's kernel when `BatchNormalization` does.

    Shapes: (batch, time, channel) or (batch, time, feature, channel), and num_frames (batch,), to the first's.
    """

    def build(self, inputs_shape, num_frames_shape):
        super().build(inputs_shape)

    def call(self, inputs, num_frames, training=None):
        if self._suits_kernel(inputs, training):
            return self._train_in_kernel(inputs, num_frames)
        mask = _own_frames(inputs, num_frames) if training else None
        outputs = super().call(inputs, training=training, mask=mask)
        if mask is None:
            # (Asked of the outputs: LiteRT makes a norm a part of the layer before it if nothing else needs that
            # layer's result, not even its shape.)
            mask = _own_frames(outputs, num_frames)
        return ops.where(ops.expand_dims(mask, -1), outputs, 0)

    def compute_output_shape(self, inputs_shape, num_frames_shape):
        return inputs_shape


def fuse_batch_norms(network, fused=True):
    """Let a network's batch norms train in TensorFlow's kernel; only for steps that XLA does not compile."""
    for layer in network.layers:
        if isinstance(layer, _KernelBatchNormalization):
            layer.fused = fused


def _own_frames(sequence, num_frames):
    """True for a clip's own frames, at each feature; of the sequence's shape without its channels."""
    mask = within_clip(sequence, num_frames)
    if len(sequence.shape) == 3:
        return mask
    # (An index of None would do, but LiteRT knows none of truth values.)
    return ops.broadcast_to(ops.expand_dims(mask, 2), ops.shape(sequence)[:-1])


@register
class MaskedGroupNormalization(keras.layers.Layer):
    """Group norm with one group, over all channels of a clip's own frames: Keras's own counts the padding, too.

    Source: Wu and He, "Group Normalization", ECCV 2018, https://arxiv.org/abs/1803.08494.

    Shapes: (batch, time, channel) and num_frames (batch,), to (batch, time, channel). It computes in float32.

    Args:
        epsilon: added to the variance.
    """

    def __init__(self, *, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, sequence_shape, num_frames_shape):
        channels = sequence_shape[-1]
        self.gamma = self.add_weight((channels,), "ones", name="gamma", autocast=False)
        self.beta = self.add_weight((channels,), "zeros", name="beta", autocast=False)

    def call(self, sequence, num_frames):
        values = ops.cast(sequence, "float32")
        # (Of new axes by an index, LiteRT knows none where the sizes are unknown.)
        own = ops.expand_dims(ops.cast(within_clip(values, num_frames), "float32"), 2)
        count = ops.expand_dims(ops.cast(num_frames, "float32"), (1, 2)) * values.shape[-1]
        mean = ops.sum(values * own, axis=(1, 2), keepdims=True) / count
        variance = ops.sum(ops.square((values - mean) * own), axis=(1, 2), keepdims=True) / count
        normed = (values - mean) * ops.rsqrt(variance + self.epsilon) * self.gamma + self.beta
        return ops.cast(normed, self.compute_dtype)

    def compute_output_shape(self, sequence_shape, num_frames_shape):
        return sequence_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


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
