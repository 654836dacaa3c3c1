"""Edit distance of token ids, in a graph: what Keras measures of each epoch where clips are transcribed."""

import keras
from keras import ops

from kerasr.decoding.greedy import best_path


def edit_distance(found, truth):
    """Insertions, deletions and substitutions between two rows of tokens (Levenshtein 1966), for each clip of a batch.

    One row of the table is made of the one before at once: what insertions add along it is a running minimum.

    Args:
        found: int32 `(batch, some)`, -1 past a clip's last token.
        truth: int32 `(batch, others)`, -1 past a clip's last token.

    Returns:
        int32 `(batch,)`.
    """
    num_found, num_truth = (ops.sum(ops.cast(ids >= 0, "int32"), axis=1) for ids in (found, truth))
    place = ops.arange(ops.shape(truth)[1] + 1, dtype="int32")[None]

    def extend(number, row):
        token = ops.take(found, ops.broadcast_to(number, (1,)), axis=1)
        substituted = row[:, :-1] + ops.cast(truth != token, "int32")
        least = ops.concatenate([row[:, :1] + 1, ops.minimum(row[:, 1:] + 1, substituted)], axis=1)
        # (A running minimum: Keras's associative scan is traced for long on TensorFlow where a length is not known.)
        least = place + ops.min(ops.where(upto, (least - place)[:, None], most + ops.shape(truth)[1]), axis=-1)
        # Past the end of what was found, the row stays.
        return number + 1, ops.where((number < num_found)[:, None], least, row)

    upto = place[0][None, :, None] >= place[0][None, None]
    most = ops.max(num_found)
    first = ops.broadcast_to(place, (ops.shape(truth)[0], ops.shape(truth)[1] + 1))
    _, last = ops.while_loop(lambda number, _: number < most, extend, (ops.zeros((), "int32"), first))
    return ops.take_along_axis(last, num_truth[:, None], axis=1)[:, 0]


@keras.saving.register_keras_serializable("kerasr")
class TokenErrorRate(keras.metrics.Metric):
    """Edit distance between the tokens of the likeliest path and the transcript's, as a share of the transcripts'.

    It may be more than 1: a network says more than there is.
    """

    def __init__(self, name="token_error_rate", **kwargs):
        super().__init__(name=name, **kwargs)
        self.errors = self.add_weight(name="errors", initializer="zeros")
        self.tokens = self.add_weight(name="tokens", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count those of a batch: token ids `(batch, longest)`, -1 past a clip's last, and logits."""
        truth = ops.cast(y_true, "int32")
        errors = edit_distance(best_path(y_pred), truth)
        self.errors.assign_add(ops.cast(ops.sum(errors), self.errors.dtype))
        self.tokens.assign_add(ops.cast(ops.sum(ops.cast(truth >= 0, "int32")), self.tokens.dtype))

    def result(self):
        return self.errors / ops.maximum(self.tokens, 1)
