"""Connectionist temporal classification (CTC): the loss of a transcript whose times nobody knows.

A network says at each frame a token or the blank. A transcript's probability is that of all the ways to say it, tokens
repeated and blanks between them (Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf). Frames past a
clip's end say the blank for certain, so they change no transcript, its probability or its gradient.
"""

import keras
from keras import ops

from kerasr.layers.kernels import sparse_ctc_loss
from kerasr.layers.masking import register, within_clip

# The blank's place among the outputs; tokens are numbered from 1.
BLANK = 0
# What a frame of padding gives every token; the blank has 0, and a softmax in float32 makes that a probability of 1.
PADDING_LOGIT = -80.0


@register
class BlankPadding(keras.layers.Layer):
    """Frames past the clip's end say the blank.

    Shapes: logits (batch, time, outputs) and num_frames (batch,), to (batch, time, outputs).
    """

    def call(self, logits, num_frames):
        inside = ops.expand_dims(within_clip(logits, num_frames), 2)
        return ops.where(inside, logits, padding_row(logits.shape[-1], logits.dtype))

    def compute_output_shape(self, logits_shape, num_frames_shape):
        return logits_shape


def padding_row(num_outputs, dtype="float32"):
    """`(outputs,)` logits of a frame that says the blank for certain."""
    return ops.where(ops.arange(num_outputs) == BLANK, ops.cast(0.0, dtype), ops.cast(PADDING_LOGIT, dtype))


def count_frames(logits):
    """Frames of each clip without what `BlankPadding` has marked: `(batch, time, outputs)` to `(batch,)`."""
    position = ops.arange(1, ops.shape(logits)[1] + 1, dtype="int32")
    own = ops.any(logits != padding_row(logits.shape[-1], logits.dtype), axis=-1)
    return ops.maximum(ops.max(ops.where(own, position, 0), axis=1), 1)


def least_frames(token_ids, num_tokens):
    """Frames that a transcript takes at least: one a token, and a blank between two that are the same.

    Args:
        token_ids: int32 `(batch, longest)`.
        num_tokens: int32 `(batch,)`.

    Returns:
        int32 `(batch,)`.
    """
    pairs = ops.arange(1, ops.shape(token_ids)[1], dtype="int32")[None] < num_tokens[:, None]
    same = ops.logical_and(token_ids[:, 1:] == token_ids[:, :-1], pairs)
    return num_tokens + ops.sum(ops.cast(same, "int32"), axis=1)


def ctc_loss(logits, token_ids, num_tokens, *, sparse=None):
    """Negative logarithm of each transcript's probability, in float32.

    A transcript that takes more frames than its clip has counts 0: none of its gradients would be finite. A training
    looks for such clips beforehand; what augmentation shortens once in a while is left out here.

    Args:
        logits: `(batch, time, outputs)`, the blank first, with the padding marked by `BlankPadding`.
        token_ids: int32 `(batch, longest)`, numbered from 1; whatever stands past a transcript's end.
        num_tokens: int32 `(batch,)`; 0 for a clip in which nothing is said.
        sparse: by the kernel of TensorFlow that takes sparse labels, many times as fast as Keras's loss there
            (`benchmarks/ctc.py`) and unknown to XLA; where None, wherever TensorFlow is the backend.

    Returns:
        `(batch,)`.
    """
    logits, num_frames = ops.cast(logits, "float32"), count_frames(logits)
    # (Where nobody says anything there is no column.)
    token_ids, num_tokens = ops.pad(ops.cast(token_ids, "int32"), [(0, 0), (0, 1)]), ops.cast(num_tokens, "int32")
    empty = num_tokens == 0
    possible = ops.logical_and(least_frames(token_ids, num_tokens) <= num_frames, ops.logical_not(empty))
    # Any one token can be said in any clip: it stands in where there is nothing to compute.
    inside = ops.arange(ops.shape(token_ids)[1], dtype="int32")[None] < num_tokens[:, None]
    token_ids = ops.where(ops.logical_and(inside, possible[:, None]), token_ids, 1)
    lengths = ops.where(possible, num_tokens, 1)
    if sparse is None:
        sparse = keras.backend.backend() == "tensorflow"
    compute = sparse_ctc_loss if sparse else _ctc_loss
    losses = ops.where(possible, compute(logits, token_ids, lengths, num_frames), 0.0)
    frames = within_clip(logits, num_frames)
    silence = -ops.sum(ops.where(frames, ops.log_softmax(logits)[..., BLANK], 0.0), axis=1)
    return ops.where(empty, silence, losses)


def _ctc_loss(logits, token_ids, num_tokens, num_frames):
    return ops.ctc_loss(token_ids, logits, num_tokens, num_frames, mask_index=BLANK)
