"""TensorFlow's kernels that Keras has no public way to: what a layer may call in training, on that backend alone.

The one room below the data pipeline that knows TensorFlow, and only when a function is called. Inference and every
other backend use `keras.ops`, so a saved model holds nothing of this. Nor may XLA compile it: in a network of several
layers the gradients then come out wrong by a tenth (TensorFlow 2.21; tests/layers watches for its mending).
"""

from typing import Any

from keras import ops


def fused_batch_norm(inputs: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """A batch normalised to its own mean and variance, in one kernel forwards and one backwards.

    Args:
        inputs: `(batch, time, channel)` or `(batch, time, feature, channel)`.
        gamma: `(channel,)` scale of the outputs.
        beta: `(channel,)` offset of the outputs.
        epsilon: added to the variance.

    Returns:
        The outputs, as large as `inputs`, and the batch's mean and biased variance, each `(channel,)`.
    """
    import tensorflow as tf

    images = inputs if len(inputs.shape) == 4 else inputs[:, :, None]
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon
    )
    # The kernel's variance is the unbiased one.
    count = ops.cast(ops.size(images) // ops.shape(images)[-1], "float32")
    return ops.reshape(outputs, ops.shape(inputs)), mean, variance * ((count - 1) / count)
