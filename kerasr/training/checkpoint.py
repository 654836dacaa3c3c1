"""One file that holds everything a training needs to go on as if it had never stopped.

Weights, batch statistics, the random layers' seeds, the optimiser's moments, the metrics' sums, the position and the
callbacks' state, in one `.npz` that is written beside its place and renamed into it: a kill at any moment leaves either
the old checkpoint or the new one.
"""

import io
import json
import os
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasr.config import parse_json, shorten
from kerasr.core import atomic
from kerasr.errors import UserError

_STATE = "state"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's content.

    Attributes:
        path: the file it came from.
        state: position and callbacks' state, as plain JSON types.
        arrays: values of the training's variables.
    """

    path: str
    state: dict[str, Any]
    arrays: list[np.ndarray]

    def restore(self, model: keras.Model) -> None:
        """Set the variables of a compiled and built model.

        Raises:
            UserError: the checkpoint belongs to another model.
        """
        variables = _variables(model)
        own = [keras.ops.convert_to_numpy(variable) for variable in variables]
        if [(array.shape, array.dtype) for array in own] != [(array.shape, array.dtype) for array in self.arrays]:
            raise UserError(
                "checkpoint-of-another-model",
                f"{self.path}: this checkpoint belongs to another model; train again without --resume",
            )
        for variable, array in zip(variables, self.arrays, strict=True):
            variable.assign(array)


def save_checkpoint(path: str | os.PathLike[str], model: keras.Model, state: dict[str, Any]) -> None:
    """Write the variables of a model in training, and `state` (plain JSON types).

    Raises:
        OSError: the file cannot be written; the earlier checkpoint is still there.
    """
    arrays = {f"v{number}": keras.ops.convert_to_numpy(value) for number, value in enumerate(_variables(model))}
    arrays[_STATE] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    memory = io.BytesIO()
    np.savez(memory, **arrays)
    atomic.write_bytes(path, memory.getvalue())


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            # A few megabytes could unpack to more than there is memory; `save_checkpoint` packs nothing.
            if any(member.compress_type for member in file.zip.infolist()):
                raise ValueError("its arrays are compressed")
            state = parse_json(file[_STATE].tobytes().decode())
            if not isinstance(state, dict):
                raise ValueError(f"its state is {shorten(state)}")
            return Checkpoint(os.fspath(path), state, [file[f"v{number}"] for number in range(len(file.files) - 1)])
    except FileNotFoundError:
        raise UserError(
            "checkpoint-not-found", f"{path}: there is no checkpoint yet; train again without --resume"
        ) from None
    except PermissionError:
        raise
    except Exception as error:  # NumPy lets zipfile's, zlib's and its own errors through.
        raise UserError(
            "checkpoint-damaged", f"{path}: this checkpoint is damaged ({shorten(error)}); train again without --resume"
        ) from error


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Everything that changes in training, each once, in an order that does not change.

    Variables are float32 or integers under every precision policy, which NumPy can keep.
    """
    everything = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in everything}.values())
