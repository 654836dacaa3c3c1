"""A request from its checked inputs to its outputs, the same for both protocols."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from kerasr.serving.batching import FULL, Batcher
from kerasr.serving.metrics import Metrics
from kerasr.serving.models import Models
from kerasr.serving.servable import DEFAULT_SIGNATURE, Servable, Signature
from kerasr.serving.status import Code, ServingError, as_serving_error, invalid

Arrays = dict[str, np.ndarray]
# Makes the inputs of a request, now that its signature is known.
Reader = Callable[[Signature], Awaitable[Arrays]]


@dataclass(frozen=True)
class Asked:
    """Which signature of which model a request is for.

    Attributes:
        model: its name.
        version: its number; the newest where None.
        label: a name for a version instead.
        signature: its name; empty for the default.
        output_filter: the outputs that are wanted; all where empty.
    """

    model: str
    version: int | None = None
    label: str = ""
    signature: str = ""
    output_filter: Sequence[str] = ()


class Predictor:
    """Answers requests with the models in memory.

    Args:
        models: the models.
        batcher: runs them.
        metrics: counts the requests.
        max_held_bytes: most bytes of requests that are held at a time; what comes on top is refused.
    """

    def __init__(self, models: Models, batcher: Batcher, metrics: Metrics, max_held_bytes: int):
        self.models, self.metrics = models, metrics
        self._batcher, self._max_held_bytes, self._held_bytes = batcher, max_held_bytes, 0
        self._num_held: Counter[str] = Counter()

    @property
    def max_rows(self) -> int:
        """Most rows that a request may have."""
        return self._batcher.max_rows

    def check_room(self, model: str) -> None:
        """Refuse a request to a model that has its hands full.

        To say so before a request is read keeps the server on its feet: JSON can take longer to read than the model to
        answer.

        Raises:
            ServingError: UNAVAILABLE.
        """
        if self._num_held[model] >= self._batcher.max_held:
            raise ServingError(Code.UNAVAILABLE, FULL)

    @contextmanager
    def holding(self, model: str) -> Iterator[None]:
        """Count a request among those that are being answered.

        Raises:
            ServingError: UNAVAILABLE, where there are too many.
        """
        self.check_room(model)
        self._num_held[model] += 1
        try:
            yield
        finally:
            self._num_held[model] -= 1
            if not self._num_held[model]:
                # Names that clients make up are not kept.
                del self._num_held[model]

    @contextmanager
    def holding_bytes(self) -> Iterator[Callable[[int], None]]:
        """Count a request's bytes, as they come, until it is answered.

        Yields:
            Takes how many came; raises ServingError, UNAVAILABLE, where too many are held.
        """
        mine = 0

        def hold(num_bytes: int) -> None:
            nonlocal mine
            if self._held_bytes + num_bytes > self._max_held_bytes:
                raise ServingError(Code.UNAVAILABLE, FULL)
            mine += num_bytes
            self._held_bytes += num_bytes
            self.metrics.held_bytes.set(self._held_bytes)

        try:
            yield hold
        finally:
            self._held_bytes -= mine
            self.metrics.held_bytes.set(self._held_bytes)

    @contextmanager
    def counting(self, model: str, method: str, protocol: str) -> Iterator[None]:
        """Count a request by how it ends; what it raises leaves as a ServingError."""
        # Names that clients make up are not kept.
        model = model if model in self.models.names() else ""
        code = Code.CANCELLED
        try:
            yield
            code = Code.OK
        except Exception as error:
            failure = as_serving_error(error)
            code = failure.code
            raise failure from error
        finally:
            self.metrics.requests.labels(model, method, protocol, code.name).inc()

    async def predict(self, asked: Asked, read: Reader, protocol: str) -> tuple[Servable, Arrays]:
        """Answer a request.

        Returns:
            The version that answered, and the outputs.

        Raises:
            ServingError: with the code and, where TensorFlow Serving's own code refuses, its words.
        """
        started = time.perf_counter()
        with self.models.find(asked.model, asked.version, asked.label) as servable:
            signature = find_signature(servable, asked.signature)
            inputs = await read(signature)
            for name, tensor in signature.inputs.items():
                tensor.check(inputs[name])
            names = check_output_filter(signature, asked.output_filter)
            outputs = await self._batcher.run(servable, signature, inputs)
            self.metrics.seconds.labels(servable.model, protocol).observe(time.perf_counter() - started)
            return servable, {name: outputs[name] for name in names}


def find_signature(servable: Servable, name: str) -> Signature:
    """The signature that a request asks for."""
    try:
        return servable.signature(name)
    except KeyError:
        # predict_util.cc, RunPredict.
        raise ServingError(
            Code.FAILED_PRECONDITION, f'Serving signature key "{name or DEFAULT_SIGNATURE}" not found.'
        ) from None


def check_names(signature: Signature, given: Collection[str]) -> None:
    """Raise ServingError unless the inputs have the signature's names (predict_util.cc, VerifyRequestInputsSize)."""
    names, wanted = set(given), set(signature.inputs)
    if names != wanted:
        lists = [",".join(sorted(some)) for some in (names, wanted, names - wanted, wanted - names)]
        raise invalid(
            f"input size does not match signature: {len(names)}!={len(wanted)} len({{{lists[0]}}}) != "
            f"len({{{lists[1]}}}). Sent extra: {{{lists[2]}}}. Missing but required: {{{lists[3]}}}."
        )


def check_output_filter(signature: Signature, wanted: Sequence[str]) -> Sequence[str]:
    """The outputs to answer with (predict_util.cc, PreProcessPrediction)."""
    for number, name in enumerate(wanted):
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}."
            )
        if name in wanted[:number]:
            raise invalid(f"duplicate output tensor alias: {name}")
    return wanted or sorted(signature.outputs)
