"""TensorFlow's kernels that Keras has no public way to: what a layer may call in training, on that backend alone.

The one room below the data pipeline that knows TensorFlow, and only when a function is called. Inference and every
other backend use `keras.ops`, so a saved model holds nothing of this. Nor may XLA compile it: in a network of several
layers the gradients then come out wrong by a tenth (TensorFlow 2.21; tests/layers watches for its mending).
"""

from typing import Any

from keras import ops


def fused_batch_norm(
    inputs: Any, gamma: Any, beta: Any, epsilon: float, num_frames: Any = None
) -> tuple[Any, Any, Any]:
    """A batch normalised to its own mean and variance, in one kernel forwards and one backwards.

    Of clips with padding, their own frames are gathered end to end for the kernel and put back between zeros: two
    passes more, where masked sums and products take nine.

    Args:
        inputs: `(batch, time, channel)` or `(batch, time, feature, channel)`.
        gamma: `(channel,)` scale of the outputs.
        beta: `(channel,)` offset of the outputs.
        epsilon: added to the variance.
        num_frames: `(batch,)` each clip's own frames; all of them by default.

    Returns:
        The outputs, as large as `inputs`, and the batch's mean and biased variance, each `(channel,)`.
    """
    import tensorflow as tf

    images = inputs if len(inputs.shape) == 4 else inputs[:, :, None]
    shape, own = tf.shape(images, tf.int64), None
    if num_frames is not None:
        own = tf.where(tf.sequence_mask(num_frames, shape[1]))
        images = tf.gather_nd(images, own)[None]
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon
    )
    # The kernel's variance is the unbiased one.
    count = ops.cast(ops.size(images) // ops.shape(images)[-1], "float32")
    if own is not None:
        outputs = tf.scatter_nd(own, outputs[0], shape)
    return ops.reshape(outputs, ops.shape(inputs)), mean, variance * ((count - 1) / count)


def sparse_ctc_loss(logits: Any, token_ids: Any, num_tokens: Any, num_frames: Any) -> Any:
    """CTC's loss by the kernel that takes sparse labels, `(batch,)`; the blank is output 0.

    Args:
        logits: `(batch, time, outputs)` float32.
        token_ids: `(batch, longest)` int32, numbered from 1.
        num_tokens: `(batch,)` int32, at least one each: the kernel refuses a row without labels.
        num_frames: `(batch,)` int32, enough for the tokens: without an alignment its loss is infinite.
    """
    import tensorflow as tf

    places = tf.where(tf.sequence_mask(num_tokens, tf.shape(token_ids)[1]))
    labels = tf.SparseTensor(places, tf.gather_nd(token_ids, places), tf.shape(token_ids, tf.int64))
    # (Its annotations know dense labels alone.)
    return tf.nn.ctc_loss(
        labels,  # pyright: ignore[reportArgumentType]
        logits,
        label_length=None,  # pyright: ignore[reportArgumentType]
        logit_length=num_frames,
        logits_time_major=False,
        blank_index=0,
    )
