"""TensorFlow Serving's gRPC services: PredictionService, ModelService, and gRPC's own health check."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kerasr.serving.describe import NOT_HERE, SIGNATURE_DEF, model_metadata, model_status, version_of
from kerasr.serving.predict import Asked, Predictor, check_names
from kerasr.serving.servable import DEFAULT_SIGNATURE, Signature
from kerasr.serving.status import ServingError, invalid
from kerasr.serving.tensors import declared_bytes, from_proto, to_proto, type_of

_STATUS = {status.value[0]: status for status in grpc.StatusCode}

# Calls of one connection that are under way.
_MAX_STREAMS = 800


class GrpcServer:
    """All services on one port.

    Args:
        predictor: answers.
        address: `host:port`; port 0 is any free one.
        max_request_bytes: of one message, and of the memory that one of its tensors takes.
        max_requests: that are answered at the same time.

    Attributes:
        port: on which it listens.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, predictor: Predictor, address: str, max_request_bytes: int, max_requests: int):
        options = [
            ("grpc.max_receive_message_length", max_request_bytes),
            ("grpc.max_send_message_length", -1),
            # More wait with the client; of 1,000 that are not looked at, gRPC would cancel some at random.
            ("grpc.max_concurrent_streams", _MAX_STREAMS),
            # Else a second server would share the port, and each get some of the requests.
            ("grpc.so_reuseport", 0),
        ]
        self._server = grpc.aio.server(
            options=options, maximum_concurrent_rpcs=max_requests, interceptors=[_DecodingInterceptor()]
        )
        self._health = HealthService()
        predictions = PredictionService(predictor, max_request_bytes)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(predictions, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(predictor), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen at {address}") from error

    async def start(self) -> None:
        """Take requests."""
        await self._server.start()

    def announce_end(self) -> None:
        """Say to those who watch its health that requests should go elsewhere; they are still taken."""
        self._health.stop()

    async def stop(self, grace_seconds: float) -> None:
        """Take no more requests, answer those that were taken, and end."""
        await self._server.stop(grace_seconds)


class _DecodingInterceptor(grpc.aio.ServerInterceptor):
    """Answers what is no message with INVALID_ARGUMENT, for it is the client's fault; by itself gRPC would log it.

    In C++ gRPC says INTERNAL, in Python UNKNOWN, and whoever watches a server takes these for faults of its own.
    """

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or handler.request_deserializer is None:
            return handler
        respond, deserialize = handler.unary_unary, handler.request_deserializer

        def decode(content: bytes):
            try:
                return deserialize(content)
            except DecodeError as error:
                return error

        async def answer(request, context):
            if isinstance(request, DecodeError):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(request))
            return await respond(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, decode, handler.response_serializer)


@asynccontextmanager
async def _answering(predictor: Predictor, context: Any, request: Any, method: str) -> AsyncIterator[None]:
    """Turn what goes wrong into a status of gRPC, and count the request."""
    try:
        with predictor.counting(request.model_spec.name, method, "grpc"):
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            yield
    except ServingError as error:
        await context.abort(_STATUS[error.code], error.message)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata. The rest is refused: kerasr exports no signature that it could be asked of."""

    def __init__(self, predictor: Predictor, max_request_bytes: int):
        self._predictor, self._max_bytes = predictor, max_request_bytes

    async def Predict(self, request, context):
        """Answer tensors with tensors."""
        async with _answering(self._predictor, context, request, "Predict"):
            with self._predictor.holding(request.model_spec.name), self._predictor.holding_bytes() as hold:
                hold(request.ByteSize())
                return await self._predict(request, hold)

    async def _predict(self, request, hold: Callable[[int], None]):
        spec = request.model_spec
        asked = Asked(*version_of(spec), spec.signature_name, list(request.output_filter))

        async def read(signature: Signature) -> dict[str, np.ndarray]:
            return _read_inputs(request, signature, self._max_bytes, hold)

        servable, outputs = await self._predictor.predict(asked, read, "grpc")
        response = predict_pb2.PredictResponse()
        response.model_spec.name = servable.model
        response.model_spec.version.value = servable.version
        response.model_spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(to_proto(value))
        return response

    async def GetModelMetadata(self, request, context):
        """Describe a model's signatures."""
        async with _answering(self._predictor, context, request, "GetModelMetadata"):
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for name in request.metadata_field:
                if name != SIGNATURE_DEF:
                    raise invalid(f"Metadata field {name} is not supported")
            return model_metadata(self._predictor.models, *version_of(request.model_spec))

    async def Classify(self, request, context):
        """Refused."""
        await _refuse(context, "Classify")

    async def Regress(self, request, context):
        """Refused."""
        await _refuse(context, "Regress")

    async def MultiInference(self, request, context):
        """Refused."""
        await _refuse(context, "MultiInference")


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; a change of the configuration is refused, for the files say what is served."""

    def __init__(self, predictor: Predictor):
        self._predictor = predictor

    async def GetModelStatus(self, request, context):
        """Say which versions there are, and in which state."""
        async with _answering(self._predictor, context, request, "GetModelStatus"):
            return model_status(self._predictor.models, *version_of(request.model_spec))

    async def HandleReloadConfigRequest(self, request, context):
        """Refused."""
        await _refuse(context, "HandleReloadConfigRequest")


class HealthService(health_pb2_grpc.HealthServicer):
    """gRPC's health check of the whole server, the one that an empty name asks for.

    In grpc_health's own, a Watch goes on until its client ends it, and the server's end would wait for that.
    """

    def __init__(self):
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Say that nothing more is served, and end every Watch."""
        self._stopping.set()

    async def Check(self, request, context):
        """Say how the server is."""
        if request.service:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return self._answer(request)

    async def Watch(self, request, context):
        """Say how the server is, and again at its end."""
        yield self._answer(request)
        await self._stopping.wait()
        yield self._answer(request)

    def _answer(self, request) -> health_pb2.HealthCheckResponse:
        status = "SERVICE_UNKNOWN" if request.service else "NOT_SERVING" if self._stopping.is_set() else "SERVING"
        return health_pb2.HealthCheckResponse(status=status)


async def _refuse(context: Any, method: str) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, NOT_HERE.format(method))


def _read_inputs(
    request: predict_pb2.PredictRequest, signature: Signature, max_bytes: int, hold: Callable[[int], None]
) -> dict[str, np.ndarray]:
    """The tensors of a request, of the names and types that the signature takes, each of `max_bytes` at most."""
    check_names(signature, request.inputs.keys())
    for name, proto in request.inputs.items():
        signature.inputs[name].check_type(type_of(name, proto))
    declared = sum(declared_bytes(name, proto, max_bytes) for name, proto in request.inputs.items())
    # A value that stands for a thousand takes the room of a thousand.
    hold(max(0, declared - request.ByteSize()))
    return {name: from_proto(name, proto, max_bytes) for name, proto in request.inputs.items()}
