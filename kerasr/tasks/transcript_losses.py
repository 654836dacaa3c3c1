"""What transcripts are learnt by: CTC, and beside it an attention decoder."""

import keras

from kerasr.config import FitConfig
from kerasr.layers.cross_entropy import sequence_cross_entropy
from kerasr.layers.ctc import count_frames, ctc_loss
from kerasr.models.decoders.transformer_decoder import TransformerDecoder
from kerasr.models.head import HEAD
from kerasr.tasks.auxiliary_loss import AuxiliaryLoss


@keras.saving.register_keras_serializable("kerasr")
class CTCLoss(keras.losses.Loss):
    """Of token ids `(batch, longest)`, -1 past a clip's last, and logits `(batch, time, outputs)`, the blank first."""

    def call(self, y_true, y_pred):
        """`(batch,)`."""
        token_ids = keras.ops.cast(y_true, "int32")
        return ctc_loss(y_pred, token_ids, keras.ops.sum(keras.ops.cast(token_ids >= 0, "int32"), axis=1))


def attention_loss(network: keras.Model, num_outputs: int, config: FitConfig) -> AuxiliaryLoss:
    """The cross entropy of a decoder that attends to the network's embedding: what CTC's share leaves of the loss."""
    decoder = TransformerDecoder(network.get_layer(HEAD).input.shape[-1], num_outputs)

    def compute(embedding, logits, targets, training):
        token_ids = keras.ops.cast(targets, "int32")
        found = decoder([embedding, count_frames(logits), token_ids], training=training)
        return (sequence_cross_entropy(found, token_ids, config.label_smoothing),)

    return AuxiliaryLoss(names=("attention_loss",), head=decoder, weight=1 - config.ctc_weight, compute=compute)
