"""Which models and versions there are to serve: a folder of models, one model's folder, or a `models.config`."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kerasr.core.cli import command_line
from kerasr.errors import UserError

# In a version's folder: what comes with the model, and in that the requests that it is warmed up with.
EXTRA, WARM_UP = "assets.extra", "tf_serving_warmup_requests"


@dataclass(frozen=True)
class Source:
    """A model on disk.

    Attributes:
        name: under which it is asked for.
        path: the folder of its versions.
        policy: `latest`, `specific` or `all`, as in TensorFlow Serving's settings.
        num_latest: how many versions `latest` serves.
        specific: the versions that `specific` serves.
        labels: names of versions.
    """

    name: str
    path: Path
    policy: str = "latest"
    num_latest: int = 1
    specific: tuple[int, ...] = ()
    labels: dict[str, int] = field(default_factory=dict)

    def wanted(self) -> list[int]:
        """The versions that should be served now, oldest first."""
        found = versions_of(self.path)
        if self.policy == "all":
            return found
        if self.policy == "specific":
            return [version for version in found if version in self.specific]
        return found[-self.num_latest :]

    def older(self) -> list[int]:
        """The versions that `latest` leaves out, newest first: to be served while none of those can be."""
        return versions_of(self.path)[: -self.num_latest][::-1] if self.policy == "latest" else []

    def complaint(self) -> str:
        """What should be served and is not there, in a line for whoever runs the server; empty if nothing is."""
        found = versions_of(self.path)
        if not found:
            return (
                f"{self.name}: {self.path} holds no version; set its base_path right, or "
                f"`{command_line('export', 'RUN', '--to', self.path)}` makes one"
            )
        if self.policy == "specific" and not (self.specific and set(self.specific) <= set(found)):
            asked, there = (", ".join(map(str, versions)) or "none" for versions in (self.specific, found))
            return (
                f"{self.name}: its policy asks for the versions {asked}, and {self.path} has {there}; ask for these, "
                "or put the others there"
            )
        return ""


def versions_of(model: Path) -> list[int]:
    """The versions in a model's folder, as the server counts them."""
    return sorted(_version_folders(model))


def version_path(model: Path, version: int) -> Path:
    """The folder of a version, whose name may begin with zeros.

    Raises:
        FileNotFoundError: it is gone.
    """
    path = _version_folders(model).get(version)
    if path is None:
        raise FileNotFoundError(f"{model}: version {version} is gone")
    return path


def _version_folders(model: Path) -> dict[int, Path]:
    """The sub-folders whose names are numbers, in ASCII and such as the protocol has room for."""
    if not model.is_dir():
        return {}
    names = {path.name: path for path in model.iterdir() if path.name.isascii() and path.name.isdecimal()}
    return {int(name): path for name, path in names.items() if int(name) < 2**63 and path.is_dir()}


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a file in the folder does: a version that could not be loaded is tried again then."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)


def find_sources(path: Path) -> list[Source]:
    """The models under a path, by name.

    Raises:
        UserError: there is nothing there, or the settings cannot be read.
    """
    if path.is_file():
        return _read_config(path)
    if not path.is_dir():
        command = command_line("export", "RUN", "--to", f"{path}/NAME")
        raise UserError("folder-not-found", f"{path}: no such folder; `{command}` makes one")
    if _is_one_model(path):
        return [Source(path.resolve().name, path)]
    return [Source(model.name, model) for model in sorted(path.iterdir()) if versions_of(model)]


def _is_one_model(path: Path) -> bool:
    """Whether a folder's numbers are versions, and not the names of models."""
    return any((version / "saved_model.pb").is_file() for version in _version_folders(path).values())


def _read_config(path: Path) -> list[Source]:
    """The models of a `models.config`, as TensorFlow Serving reads it."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    try:
        config = text_format.Parse(path.read_bytes(), model_server_config_pb2.ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise UserError(
            "models-config-invalid", f"{path}: not a models.config of TensorFlow Serving ({error})"
        ) from error
    models = config.model_config_list.config
    for name, times in Counter(model.name for model in models).items():
        if times > 1:
            # model_servers/server_core.cc, ValidateModelConfigList.
            raise UserError(
                "models-config-invalid",
                f"{path}: Illegal to list model {name} multiple times in config list; give each a name of its own",
            )
    return [_from_config(model, path.parent) for model in models]


def _from_config(config, folder: Path) -> Source:
    # The exporter writes the paths that the Docker container sees; here the models stand beside the file.
    base = Path(config.base_path)
    base = base if base.is_dir() else folder / base.name
    policy = config.model_version_policy
    return Source(
        config.name,
        base,
        policy.WhichOneof("policy_choice") or "latest",
        policy.latest.num_versions or 1,
        tuple(policy.specific.versions),
        dict(config.version_labels),
    )
