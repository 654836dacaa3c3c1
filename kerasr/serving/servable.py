"""One version of a model in memory: its signatures, and what they answer."""

import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from kerasr.serving.folders import EXTRA, WARM_UP
from kerasr.serving.status import as_serving_error, invalid
from kerasr.serving.tensors import from_proto

# saved_model_warmup_util.cc, WarmupConsts::kMaxNumRecords.
MAX_WARM_UP = 1000
DEFAULT_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
# What C++ calls them.
_TYPE_NAMES = {tf.float32: "float", tf.float64: "double"}


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature.

    Attributes:
        name: as clients call it.
        dtype: its type.
        shape: its sizes, None where any will do; None if even their number is free.
        index: its place among the signature's, in the order of their names.
    """

    name: str
    dtype: tf.DType
    shape: tuple[int | None, ...] | None
    index: int

    @property
    def is_batched(self) -> bool:
        """Whether rows can be added and taken away."""
        return bool(self.shape) and self.shape[0] is None

    @property
    def rank(self) -> int:
        """Most axes that it has; of any number where that is free."""
        return sys.maxsize if self.shape is None else len(self.shape)

    def check_type(self, dtype: tf.DType) -> None:
        """Raise ServingError where a value is of another type, in TensorFlow's words."""
        if dtype != self.dtype:
            wanted, given = (_TYPE_NAMES.get(one, one.name) for one in (self.dtype, dtype))
            raise invalid(f"Expects arg[{self.index}] to be {wanted} but {given} is provided")

    def check(self, value: np.ndarray) -> None:
        """Raise ServingError where a value is of another shape."""
        if self.shape is None:
            return
        fits = value.ndim == len(self.shape) and all(
            wanted in (None, size) for wanted, size in zip(self.shape, value.shape, strict=True)
        )
        if not fits:
            wanted = ",".join("?" if size is None else str(size) for size in self.shape)
            given = ",".join(map(str, value.shape))
            raise invalid(f"{self.name}: a tensor of shape [{given}] came, and [{wanted}] is expected")


@dataclass(frozen=True)
class Signature:
    """What a model can be asked.

    Attributes:
        name: as clients call it.
        inputs: what it takes.
        outputs: what it answers.
        function: the graph.
    """

    name: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    function: Any

    @property
    def is_batched(self) -> bool:
        """Whether requests can be joined: each tensor has a first axis of any size."""
        return all(tensor.is_batched for tensor in [*self.inputs.values(), *self.outputs.values()])

    def check_rows(self, num_rows: int, most: int) -> None:
        """Raise ServingError where more rows come than may ever wait.

        It is asked before anything is done with each of them: they can be millions.
        """
        if self.is_batched and num_rows > most:
            # shared_batch_scheduler.h, Queue::ValidateBatchTaskQueueCapacity. To come again would not help.
            raise invalid(f"Task size {num_rows} is larger than maximum input batch size {most}")

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph.

        Raises:
            ServingError: with the code that TensorFlow gives.
        """
        try:
            tensors = {name: tf.constant(value, self.inputs[name].dtype) for name, value in inputs.items()}
            return {name: value.numpy() for name, value in self.function(**tensors).items()}
        except Exception as error:
            raise as_serving_error(error) from error


class Servable:
    """A loaded version.

    Attributes:
        model: the model's name.
        version: its number.
        signature_defs: the signatures as the file describes them.
        signatures: those that can be called.
    """

    def __init__(self, model: str, version: int, path: Path):
        self.model, self.version = model, version
        loaded = tf.saved_model.load(str(path))
        meta_graph = _serve_graph(path)
        self.signature_defs = dict(meta_graph.signature_def)
        self.signatures = {
            name: _make_signature(name, self.signature_defs[name], function)
            for name, function in loaded.signatures.items()
        }
        # The functions' variables live as long as this does.
        self._loaded = loaded
        self._num_running = 0
        self._idle = threading.Condition()

    def __enter__(self) -> "Servable":
        with self._idle:
            self._num_running += 1
        return self

    def __exit__(self, *_) -> None:
        with self._idle:
            self._num_running -= 1
            self._idle.notify_all()

    def wait_until_unused(self) -> None:
        """Wait for the requests that hold this version."""
        with self._idle:
            self._idle.wait_for(lambda: not self._num_running)

    def warm_up(self, path: Path) -> int:
        """Play the requests that were recorded with the version.

        Returns:
            How many there were.

        Raises:
            ServingError: one was not answered.
        """
        file, number = path / EXTRA / WARM_UP, 0
        if not file.exists():
            return 0
        for number, record in enumerate(tf.data.TFRecordDataset(str(file)), 1):
            if number > MAX_WARM_UP:
                raise invalid(f"Number of warmup records exceeds the maximum ({MAX_WARM_UP}) at {file}")
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            if log.WhichOneof("log_type") == "predict_log":
                self._play(log.predict_log.request)
        return number

    def _play(self, request) -> None:
        signature = self.signature(request.model_spec.signature_name)
        signature.run({name: from_proto(name, proto) for name, proto in request.inputs.items()})

    def signature(self, name: str) -> Signature:
        """The signature of a name, or the default one.

        Raises:
            KeyError: there is none.
        """
        return self.signatures[name or DEFAULT_SIGNATURE]


def _serve_graph(path: Path) -> meta_graph_pb2.MetaGraphDef:
    """The description of the graph that is for serving."""
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        if tf.saved_model.SERVING in graph.meta_info_def.tags:
            return graph
    raise invalid(f"{path}: no graph with the tag {tf.saved_model.SERVING!r}")


def _make_signature(name: str, description, function) -> Signature:
    return Signature(name, _tensors(description.inputs), _tensors(description.outputs), function)


def _tensors(infos) -> dict[str, Tensor]:
    return {
        name: Tensor(name, tf.as_dtype(infos[name].dtype), _shape(infos[name].tensor_shape), index)
        for index, name in enumerate(sorted(infos))
    }


def _shape(shape) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
