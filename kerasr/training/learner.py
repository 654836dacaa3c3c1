"""What is fitted: a network, what it learns from beside the labels, and the average of its weights."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasr.tasks import Task
from kerasr.tasks.auxiliary_loss import AuxiliaryLoss

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

    With an average, what is judged and kept is the moving average of the weights and of the batch norms' statistics,
    which belong to them. Its momentum rises with the steps of a phase, min(average, (1 + t) / (10 + t)) at step t (the
    decay of `tf.train.ExponentialMovingAverage` with `num_updates`): with a constant one, a short training would keep
    the network that it began with. Keras's `use_ema` has that constant, and leaves the statistics out.

    With an auxiliary loss, the loss is a mix of the task's own and of that. Where that is of the embedding, the model's
    outputs are the logits and the embedding. Validation has the same mix, unless the auxiliary loss says otherwise, but
    sees no teacher.

    Args:
        inputs: as for `keras.Model`.
        outputs: the logits; with an auxiliary loss of the embedding a list of them and of the embedding.
        task: gives the loss between logits and teacher.
        loss: between targets and logits.
        teacher: model from the same inputs to its own logits.
        teacher_weight: share of the loss that is the teacher's.
        temperature: softens the teacher and the network.
        auxiliary: a loss beside the task's own.
        group_shares: `(groups,)` share of the drawn clips that is each group's.
        average: highest momentum of the weights' average; 0 judges and keeps the weights as they are.
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
        auxiliary: AuxiliaryLoss | None = None,
        group_shares: np.ndarray | None = None,
        average: float = 0.0,
    ):
        self._gives_embedding = auxiliary is not None and auxiliary.of_embedding
        # Of one output, Keras's losses and metrics know nothing of the embedding.
        super().__init__(inputs, outputs[0] if self._gives_embedding else outputs)
        self._auxiliary = auxiliary
        if self._gives_embedding:
            self._network = keras.Model(inputs, outputs)
        if auxiliary:
            self.auxiliary_head = auxiliary.head
            self._auxiliary_means = [keras.metrics.Mean(name) for name in auxiliary.names]
        self._uses_auxiliary = auxiliary is not None
        self._average = average
        if average:
            self._averages = [self._own(one.shape, "float32", "average") for one in self._averaged()]
            self._num_averaged = self._own((), "int32", "num_averaged")
        self._label_loss = loss
        self._teacher_weight = teacher_weight if teacher else 0.0
        if teacher:
            # In functions Keras does not see the teacher: its weights are none of this model's.
            self._disagreement = lambda x, logits: task.distillation_loss(
                teacher(x, training=False), logits, temperature
            )
        self._group_shares = None if group_shares is None else group_shares.astype("float32")
        if group_shares is not None:
            even = keras.initializers.Constant(1 / len(group_shares))
            self.group_weights = self.add_weight(
                shape=group_shares.shape, initializer=even, trainable=False, name="group_weights"
            )

    def _own(self, shape: tuple[int, ...], dtype: str, name: str) -> keras.Variable:
        return self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name)

    def _averaged(self) -> list[keras.Variable]:
        """The network's weights and statistics (random layers have whole numbers among theirs, which have no mean)."""
        layers = [*self.layers, self.auxiliary_head] if self._auxiliary else self.layers
        variables = (variable for layer in layers for variable in layer.variables)
        return [variable for variable in variables if variable.dtype.startswith("float")]

    def use_auxiliary(self, use: bool) -> None:
        """Whether the auxiliary loss, where there is one, counts in what is compiled next, and its head learns."""
        if self._auxiliary:
            self._uses_auxiliary = self.auxiliary_head.trainable = use

    def restart_average(self) -> None:
        """Forget the average: a phase of the training begins, whose steps are counted from here."""
        if self._average:
            self._num_averaged.assign(0)

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The average in the weights' place, where there is one."""
        if not self._average:
            yield
            return
        variables = self._averaged()
        own = [ops.convert_to_numpy(variable) for variable in variables]
        # What the last step made is not in the average yet: a step adds the weights that it begins with.
        for variable, value in zip(variables, self._next_averages(), strict=True):
            variable.assign(value)
        try:
            yield
        finally:
            for variable, value in zip(variables, own, strict=True):
                variable.assign(value)

    def _next_averages(self) -> list[Any]:
        """The averages with the present weights added to them."""
        count = ops.cast(self._num_averaged, "float32")
        # Nothing is left of what the first step begins with.
        momentum = ops.where(count > 1, ops.minimum(self._average, count / (9 + count)), 0.0)
        pairs = zip(self._averages, self._averaged(), strict=True)
        return [momentum * mean + (1 - momentum) * ops.stop_gradient(variable) for mean, variable in pairs]

    def _add_to_averages(self) -> None:
        for mean, value in zip(self._averages, self._next_averages(), strict=True):
            mean.assign(value)
        self._num_averaged.assign(self._num_averaged + 1)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Keras's, of the averaged weights where there are some: `fit` validates by it, too."""
        with self.averaged_weights():
            return super().evaluate(*args, **kwargs)

    def call(self, inputs, training=None, mask=None):
        """The logits; with an auxiliary loss of the embedding, also that."""
        if self._gives_embedding:
            return self._network(inputs, training=training)
        return super().call(inputs, training=training, mask=mask)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, y_pred[0] if self._gives_embedding else y_pred, sample_weight)

    def compute_loss(self, x=None, y=None, y_pred: Any = None, sample_weight=None, training=True):
        logits, embedding = y_pred if self._gives_embedding else (y_pred, None)
        if training and self._average:
            self._add_to_averages()
        if training and self._group_shares is not None:
            sample_weight = self._weigh_groups(sample_weight, self._label_loss.call(y, logits))
        loss = super().compute_loss(x, y, logits, sample_weight, training)
        if self._auxiliary and self._uses_auxiliary:
            parts = self._auxiliary.compute(embedding, logits, y, training)
            for mean, part in zip(self._auxiliary_means, parts, strict=True):
                mean.update_state(part)
            if training or self._auxiliary.validated:
                loss = _mix(loss, sum(parts), sample_weight, self._auxiliary.weight)
        if training and self._teacher_weight:
            loss = _mix(loss, self._disagreement(x, logits), sample_weight, self._teacher_weight)
        return loss

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


def _mix(loss, losses, sample_weight, weight):
    """A loss, and the mean of other losses `(batch,)` that has a weight in the whole."""
    return (1 - weight) * loss + weight * ops.mean(losses if sample_weight is None else losses * sample_weight)
