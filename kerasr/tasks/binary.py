"""What the tasks share whose every logit is a yes or a no of its own."""

import keras

from kerasr.config import FitConfig
from kerasr.tasks.base import FOCAL_GAMMA
from kerasr.tasks.recognition import Recognition


class BinaryTask(Recognition):
    """A task whose logits become probabilities by a sigmoid each."""

    def loss(self, config: FitConfig) -> keras.losses.Loss:
        """Binary cross-entropy or focal loss between 0 or 1 and each logit; the focal loss smooths no label."""
        if config.loss == "focal":
            return keras.losses.BinaryFocalCrossentropy(gamma=FOCAL_GAMMA, from_logits=True)
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)

    def distillation_loss(self, teacher_logits, logits, temperature: float):
        """`(batch,)` binary cross-entropy with the teacher's softened sigmoids."""
        probs = keras.ops.sigmoid(teacher_logits / temperature)
        return temperature**2 * keras.losses.binary_crossentropy(probs, logits / temperature, from_logits=True)
