"""What is fitted: a network, and what it learns from beside the labels."""

import keras
import numpy as np
from keras import ops

from kerasr.tasks import Task

# How fast a group's weight follows its loss: the step size of section 5 in Sagawa et al.
GROUP_STEP = 0.01


class Learner(keras.Model):
    """A network in training. It shares the layers of the network that is saved, and is thrown away itself.

    With a teacher, the loss of a training batch is a mix of the labels' and of how far the network is from what the
    teacher says of the very same input, augmentation included (distillation, Hinton, Vinyals and Dean 2015,
    https://arxiv.org/abs/1503.02531).

    With groups, a training batch's third part is each clip's weight in each group (`Pipeline`), and the loss is a
    weighted mean of the groups' losses, in which a group with a higher loss weighs more with each step: online group
    DRO (Sagawa et al. 2020, algorithm 1, https://arxiv.org/abs/1911.08731). A group's loss is the one that a batch
    estimates without bias: the mean over all of its clips of weight times loss, over the group's share of the draws.

    Validation sees the labels alone.

    Args:
        inputs: as for `keras.Model`.
        outputs: as for `keras.Model`.
        task: gives the loss between logits and teacher.
        loss: between targets and logits.
        teacher: model from the same inputs to its own logits.
        teacher_weight: share of the loss that is the teacher's.
        temperature: softens the teacher and the network.
        group_shares: `(groups,)` share of the drawn clips that is each group's.
    """

    def __init__(
        self,
        inputs,
        outputs,
        *,
        task: Task,
        loss: keras.losses.Loss,
        teacher: keras.Model | None = None,
        teacher_weight: float = 0.0,
        temperature: float = 1.0,
        group_shares: np.ndarray | None = None,
    ):
        super().__init__(inputs, outputs)
        self._label_loss = loss
        self._teacher_weight = teacher_weight if teacher else 0.0
        # In functions Keras does not see the teacher: its weights are none of this model's.
        self._disagreement = lambda x, logits: task.agreement(teacher(x, training=False), logits, temperature)
        self._group_shares = None if group_shares is None else group_shares.astype("float32")
        if group_shares is not None:
            even = keras.initializers.Constant(1 / len(group_shares))
            self.group_weights = self.add_weight(
                shape=group_shares.shape, initializer=even, trainable=False, name="group_weights"
            )

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if self._group_shares is not None:
            sample_weight = self._weigh_groups(sample_weight, self._label_loss.call(y, y_pred))
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not self._teacher_weight:
            return loss
        apart = self._disagreement(x, y_pred)
        apart = ops.mean(apart if sample_weight is None else apart * sample_weight)
        return (1 - self._teacher_weight) * loss + self._teacher_weight * apart

    def _weigh_groups(self, membership, losses):
        """`(batch,)` weights of clips, from those in each group `(batch, groups + 1)` and their losses `(batch,)`."""
        share = ops.convert_to_tensor(self._group_shares)
        group_losses = ops.mean(membership[:, :-1] * losses[:, None], axis=0) / share
        weights = self.group_weights * ops.exp(GROUP_STEP * ops.stop_gradient(group_losses))
        weights = weights / ops.sum(weights)
        self.group_weights.assign(weights)
        # The last column is of clips whose group is not known: they count as they are.
        factors = ops.append(weights / share * ops.sum(share), 1.0)
        return ops.matmul(membership, factors[:, None])[:, 0]
