"""Cross entropy of sequences of tokens: the loss of an attention decoder."""

from keras import ops

# What begins a sequence for a decoder, and what it says at the end: CTC's blank, which is no token.
END = 0


def sequence_cross_entropy(logits, token_ids, label_smoothing=0.0):
    """Negative logarithm of each sequence's probability, its end included, in float32.

    A sum over the tokens, as CTC's loss is of a whole transcript: so the two are of one size.

    Args:
        logits: `(batch, longest + 1, outputs)`, of each token after those before it.
        token_ids: `(batch, longest)`, numbered from 1, -1 past a sequence's end.
        label_smoothing: share of each target that is spread over all outputs.

    Returns:
        `(batch,)`.
    """
    token_ids = ops.cast(token_ids, "int32")
    num_tokens = ops.sum(ops.cast(token_ids >= 0, "int32"), axis=1)
    truth = ops.pad(ops.maximum(token_ids, END), [(0, 0), (0, 1)], constant_values=END)
    log_probs = ops.log_softmax(ops.cast(logits, "float32"))
    right = ops.take_along_axis(log_probs, truth[..., None], axis=-1)[..., 0]
    losses = -(1 - label_smoothing) * right - label_smoothing * ops.mean(log_probs, axis=-1)
    inside = ops.arange(ops.shape(truth)[1], dtype="int32")[None] <= num_tokens[:, None]
    return ops.sum(ops.where(inside, losses, 0.0), axis=1)
