"""TensorFlow Serving's REST API, as an ASGI application."""

import asyncio
import json
import re
import zlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import numpy as np
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis import get_model_metadata_pb2

from kerasr.serving.describe import NOT_HERE, SIGNATURE_DEF, model_metadata, model_status
from kerasr.serving.json_tensors import parse_body, read_inputs, signature_name, write_outputs
from kerasr.serving.metrics import CONTENT_TYPE
from kerasr.serving.predict import Asked, Predictor
from kerasr.serving.servable import DEFAULT_SIGNATURE, Signature
from kerasr.serving.status import Code, ServingError, TooLargeError, invalid

# model_servers/http_rest_api_util.cc, kPredictionApiGegex and kModelStatusApiRegex.
_VERSION = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_PREDICT = re.compile(rf"/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?", re.IGNORECASE)
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]

# A client that takes longer to send its request has gone to sleep.
_BODY_SECONDS = 30

# JSON beyond this is read beside the event loop, which answers others meanwhile.
_SMALL_BYTES = 1 << 18

T = TypeVar("T")


def make_app(predictor: Predictor, max_request_bytes: int) -> Starlette:
    """The application.

    Args:
        predictor: answers.
        max_request_bytes: of one body, compressed or not.
    """
    api = RestApi(predictor, max_request_bytes)
    return Starlette(
        routes=[
            Route("/metrics", api.metrics),
            # TensorFlow Serving's usual place for them.
            Route("/monitoring/prometheus/metrics", api.metrics),
            Route("/{path:path}", api.answer, methods=_METHODS),
        ]
    )


class RestApi:
    """The handlers of the application."""

    def __init__(self, predictor: Predictor, max_request_bytes: int):
        self._predictor, self._max_request_bytes = predictor, max_request_bytes
        # One large body at a time: as Python's objects it takes many times the memory.
        self._turn = asyncio.Lock()

    async def metrics(self, _: Request) -> Response:
        """The counters, for Prometheus."""
        return Response(self._predictor.metrics.page(), media_type=CONTENT_TYPE)

    async def answer(self, request: Request) -> Response:
        """Anything under /v1/, in letters of any case."""
        path, headers, status = request.scope["path"], {}, 200
        if not path.lower().startswith("/v1/"):
            return Response(status_code=404)
        try:
            if request.method == "POST" and (match := _PREDICT.fullmatch(path)):
                content = await self._post(request, *match.groups())
            elif request.method == "GET" and (match := _STATUS.fullmatch(path)):
                content = self._get(*match.groups())
            else:
                raise invalid(f"Malformed request: {request.method} {path}")
        except ServingError as error:
            content, status = json.dumps({"error": error.message}, ensure_ascii=False).encode(), error.http_status
            if isinstance(error, TooLargeError):
                # The rest of the body is not read.
                headers["connection"] = "close"
        return Response(content, status, headers, media_type="application/json")

    async def _post(self, request: Request, name: str, version: str, label: str, method: str) -> bytes:
        with self._predictor.counting(name, method.capitalize(), "rest"):
            if method.lower() != "predict":
                raise ServingError(Code.UNIMPLEMENTED, NOT_HERE.format(method))
            declared = int(request.headers.get("content-length", 0))
            if declared > self._max_request_bytes:
                raise TooLargeError(declared, self._max_request_bytes)
            self._predictor.check_room(name)
            with self._predictor.holding_bytes() as hold:
                body = await self._read_body(request, hold)
                with self._predictor.holding(name):
                    return await self._predict(body, name, _to_version(version), label or "")

    async def _predict(self, body: bytes, name: str, version: int | None, label: str) -> bytes:
        is_large, as_rows = len(body) > _SMALL_BYTES, False
        async with AsyncExitStack() as turn:
            if is_large:
                await turn.enter_async_context(self._turn)
            document = await _work(is_large, parse_body, body)
            asked = Asked(name, version, label, signature_name(document))
            if (key := asked.signature or DEFAULT_SIGNATURE) not in self._predictor.models.find(
                name, version, label
            ).signatures:
                # http_rest_api_handler.cc, GetInfoMap: another status than that of gRPC.
                raise invalid(f'Serving signature name: "{key}" not found in signature def')

            async def read(signature: Signature) -> dict[str, np.ndarray]:
                nonlocal as_rows
                inputs, as_rows = await _work(is_large, read_inputs, document, signature, self._predictor.max_rows)
                document.clear()
                await turn.aclose()
                return inputs

            _, outputs = await self._predictor.predict(asked, read, "rest")
        return write_outputs(outputs, as_rows)

    async def _read_body(self, request: Request, hold: Callable[[int], None]) -> bytes:
        """The body, unpacked, of no more bytes than are taken; `hold` is told of them as they come."""
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in request.stream():
                    hold(len(chunk))
                    body += chunk
                    if len(body) > self._max_request_bytes:
                        raise TooLargeError(len(body), self._max_request_bytes)
        except TimeoutError:
            raise ServingError(
                Code.DEADLINE_EXCEEDED, f"the request did not arrive within {_BODY_SECONDS} seconds"
            ) from None
        except ClientDisconnect:
            raise ServingError(Code.CANCELLED, "the client went away before its request was whole") from None
        if request.headers.get("content-encoding") != "gzip":
            return bytes(body)
        unpacked = await _work(True, self._unzip, bytes(body))
        hold(len(unpacked))
        return unpacked

    def _unzip(self, body: bytes) -> bytes:
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            content = stream.decompress(body, self._max_request_bytes + 1)
        except zlib.error as error:
            raise invalid(f"the request is not the gzip that its header says: {error}") from error
        if len(content) > self._max_request_bytes:
            raise TooLargeError(len(content), self._max_request_bytes)
        return content

    def _get(self, name: str, version: str, label: str, what: str) -> bytes:
        method = "GetModelMetadata" if what else "GetModelStatus"
        with self._predictor.counting(name or "", method, "rest"):
            if not name:
                raise invalid("Missing model name in request.")
            asked = self._predictor.models, name, _to_version(version), label or ""
            return _metadata_json(model_metadata(*asked)) if what else _to_json(model_status(*asked))


async def _work(is_large: bool, function: Callable[..., T], *arguments: Any) -> T:
    """What a function returns: of something large, in another thread than that of the event loop."""
    return await asyncio.to_thread(function, *arguments) if is_large else function(*arguments)


def _to_version(text: str | None) -> int | None:
    if text is None:
        return None
    if len(text) > 19 or int(text) >= 2**63:
        raise invalid(f"Failed to convert version: {text} to numeric.")
    return int(text)


def _to_json(message) -> bytes:
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    ).encode()


def _metadata_json(response: get_model_metadata_pb2.GetModelMetadataResponse) -> bytes:
    """Metadata without the type of its Any, as http_rest_api_util.cc, ToJsonString puts it together."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURE_DEF].Unpack(signatures)
    spec, definitions = _to_json(response.model_spec), _to_json(signatures)
    return b'{\n"model_spec":%b,\n"metadata": {"signature_def": %b}\n}\n' % (spec, definitions)
