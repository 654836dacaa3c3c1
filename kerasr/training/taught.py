"""What is fitted to what: batches as the network takes them, and its losses.

The front-end runs in the pipeline; where it cannot, on another backend than TensorFlow, it is the first layer of what
is fitted. Then a task that makes of features what is right knows it in the model alone, whose outputs are the losses.
"""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from kerasr.runs.run import Run
from kerasr.tasks import Task
from kerasr.training.runtime import Runtime


def begins_with_front_end(task: Task, runtime: Runtime) -> bool:
    """Whether the front-end is the first layer: on another backend than TensorFlow it cannot run in the pipeline."""
    return task.from_waveforms or runtime.backend != "tensorflow"


def is_arranged_in_model(task: Task, runtime: Runtime) -> bool:
    """Whether what the network is given, and is to give, is made behind the front-end, in the model."""
    return task.arranges and begins_with_front_end(task, runtime)


def arrange_batches(batches: tf.data.Dataset, run: Run, runtime: Runtime) -> tf.data.Dataset:
    """Batches of features, targets and what else there is, as what is fitted takes them."""
    task = run.task
    if not is_arranged_in_model(task, runtime):
        return batches.map(lambda features, targets, *rest: (*task.arrange(features, targets), *rest))
    # The losses are outputs, and are held against nothing.
    losses = losses_of(run, runtime)
    return batches.map(lambda clips, targets: ({**clips, "targets": targets}, dict.fromkeys(losses, targets[:, 0])))


def losses_of(run: Run, runtime: Runtime) -> Any:
    """The losses of what is fitted."""
    losses: Any = run.task.loss(run.config.fit)
    return {name: OutputAsLoss() for name in losses} if is_arranged_in_model(run.task, runtime) else losses


class Taught(keras.layers.Layer):
    """Losses `(batch,)`, by their names, of features and targets, which a task arranges (`Task.arrange`).

    Args:
        network: is given what the task makes of them.
        task: of the network.
        losses: between what is right and what the network makes.
    """

    def __init__(self, network: keras.Model, task: Task, losses: Mapping[str, keras.losses.Loss]):
        super().__init__(name="taught")
        self.network = network
        self._task, self._criteria = task, losses

    def call(self, features: Any, targets: Any, training: bool | None = None) -> dict[str, Any]:
        """Of float32 `(batch, time, feature)` and int32 `(batch, longest)`."""
        given, right = self._task.arrange(features, targets)
        made = self.network(given, training=training)
        return {name: loss.call(right[name], made[name]) for name, loss in self._criteria.items()}

    def compute_output_spec(self, features: Any, targets: Any, training: bool | None = None) -> dict[str, Any]:
        """One number a clip."""
        return {name: keras.KerasTensor((features.shape[0],), "float32") for name in self._criteria}


class OutputAsLoss(keras.losses.Loss):
    """What a model gives, as it is: its outputs are losses `(batch,)`."""

    def call(self, y_true, y_pred):
        """`(batch,)`; what is right was known to the model."""
        return y_pred
