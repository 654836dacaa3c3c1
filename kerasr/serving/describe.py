"""What a server says of its models: their versions' states and their signatures, as TensorFlow Serving's messages."""

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from kerasr.serving.models import Models
from kerasr.serving.status import Code

SIGNATURE_DEF = "signature_def"
# The answer to what TensorFlow Serving can do and this server cannot.
NOT_HERE = "{} is not served by kerasr.serve, which answers Predict, GetModelStatus and GetModelMetadata"


def version_of(spec: model_pb2.ModelSpec) -> tuple[str, int | None, str]:
    """Name, version and label of the model that a request is for."""
    return spec.name, spec.version.value if spec.HasField("version") else None, spec.version_label


def model_status(
    models: Models, name: str, version: int | None = None, label: str = ""
) -> get_model_status_pb2.GetModelStatusResponse:
    """The state of a model's versions.

    Raises:
        ServingError: there are none.
    """
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, known in models.versions(name, version, label).items():
        status = response.model_version_status.add()
        status.version = number
        status.state = status.State.Value(known.state)
        status.status.error_code = known.error.code if known.error else Code.OK
        status.status.error_message = known.error.message if known.error else ""
    return response


def model_metadata(
    models: Models, name: str, version: int | None = None, label: str = ""
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version.

    Raises:
        ServingError: it is not available.
    """
    servable = models.find(name, version, label)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = servable.model
    response.model_spec.version.value = servable.version
    response.metadata[SIGNATURE_DEF].Pack(signature_map(servable.signature_defs))
    return response


def signature_map(signature_defs: dict) -> get_model_metadata_pb2.SignatureDefMap:
    """Signatures as one message."""
    return get_model_metadata_pb2.SignatureDefMap(signature_def=signature_defs)
