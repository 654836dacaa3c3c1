"""What can go wrong with a request, in the words of both protocols."""

import re
from enum import IntEnum

# Bytes at which TensorFlow Serving cuts its messages (model_servers/grpc_status_util.cc, ToGRPCStatus). Clients of gRPC
# take no more than 8 KiB of a status, in which each byte that is not ASCII is written as three.
_MESSAGE_LIMIT = 1024


# What TensorFlow's Python adds to the words of its graph.
_PYTHONS_WORDS = re.compile(r"^Graph execution error:\s*(Detected at node.*\n.*unavailable>\n)?| \[Op:\w+\]$")


class Code(IntEnum):
    """The canonical codes of gRPC and TensorFlow."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# model_servers/http_server.cc, ToHTTPStatusCode.
HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


class ServingError(Exception):
    """A request that is not answered, and why.

    Attributes:
        code: what kind of failure it is.
        message: what the client reads.
    """

    def __init__(self, code: Code, message: str):
        message = _as_text(message)
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def http_status(self) -> int:
        """The status of the REST answer."""
        return HTTP_STATUS.get(self.code, 500)


def _as_text(message: str) -> str:
    """A message that any client can be sent: not too long, and without halves of surrogates."""
    content = message.encode(errors="replace")
    text = content[:_MESSAGE_LIMIT].decode(errors="ignore")
    return f"{text}...TRUNCATED" if len(content) > _MESSAGE_LIMIT else text


class TooLargeError(ServingError):
    """A request of more bytes than are taken; HTTP has a status of its own for it, which evhttp gives, too."""

    def __init__(self, num_bytes: int, most: int):
        super().__init__(Code.RESOURCE_EXHAUSTED, f"Received message larger than max ({num_bytes} vs. {most})")

    @property
    def http_status(self) -> int:
        """Content too large."""
        return 413


def invalid(message: str) -> ServingError:
    """The client's mistake."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def as_serving_error(error: Exception) -> ServingError:
    """Any exception as what a client may read: TensorFlow's by its own code, an unforeseen one as INTERNAL."""
    import tensorflow as tf

    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        code, message = error.error_code, error.message  # pyright: ignore[reportAttributeAccessIssue]
        return ServingError(Code(code), _PYTHONS_WORDS.sub("", message))
    if isinstance(error, MemoryError):
        return ServingError(Code.RESOURCE_EXHAUSTED, f"there is not enough memory: {error}")
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
