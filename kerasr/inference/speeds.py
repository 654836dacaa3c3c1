"""A network's outputs of clips at several speeds, as one."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kerasr.decoding.speeds import choose_speed
from kerasr.inference.compiled import CompiledModel
from kerasr.tasks import Recognition


class SeveralSpeeds:
    """Outputs of clips at that speed at which their transcript is likeliest (`kerasr.decoding.speeds`).

    Args:
        models: clips `(samples,)` to a dictionary with `logits`, by the speed at which they play them; 1 is among them.
        task: how the outputs are read.
    """

    def __init__(self, models: Mapping[float, CompiledModel], task: Recognition):
        self._models, self._task = models, task

    def __call__(self, clips: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """`logits` and `probs` `(clips, time, outputs)`, at the times of the clips' own speed."""
        found = {speed: model(clips)["logits"] for speed, model in self._models.items()}
        rows = ({speed: outputs[number] for speed, outputs in found.items()} for number in range(len(clips)))
        logits = np.stack([choose_speed(row, self._task.frame_times) for row in rows])
        return {"logits": logits, "probs": keras.ops.convert_to_numpy(self._task.probs(logits))}
