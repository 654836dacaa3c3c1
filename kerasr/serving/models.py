"""The models in memory: versions come, are warmed up, take over, and go when their last request is answered."""

import asyncio
import gc
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kerasr.serving.folders import Source, find_sources, fingerprint, version_path
from kerasr.serving.metrics import Metrics
from kerasr.serving.servable import Servable
from kerasr.serving.status import Code, ServingError, as_serving_error, invalid


@dataclass
class Version:
    """What is known of a version of a model.

    Attributes:
        state: LOADING, AVAILABLE, UNLOADING or END, as in TensorFlow Serving.
        error: why it could not be loaded.
        servable: it itself, while it is available.
        tried: the files from which it could not be loaded.
    """

    state: str = "LOADING"
    error: ServingError | None = None
    servable: Servable | None = None
    tried: tuple = ()


class Models:
    """All models under a path, kept as the files there say.

    Args:
        path: a folder of models, one model's folder, or a `models.config`.
        metrics: counts what is loaded.
        say: takes a line for whoever runs the server.
    """

    def __init__(self, path: Path, metrics: Metrics, say: Callable[[str], None]):
        self._path, self._metrics, self._say = path, metrics, say
        self._sources: dict[str, Source] = {}
        self._versions: dict[str, dict[int, Version]] = {}
        # One at a time: two versions that load together would slow the requests down twice as much.
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._unloading: set[asyncio.Task] = set()
        self._complaints: Collection[str] = ()

    async def poll(self, seconds: float) -> None:
        """Look at the files again and again, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except Exception as error:
                # Whatever is wrong with the files now, the next look may find them mended.
                self._complain([f"cannot look for models: {error}; what is loaded is served on"])

    def _complain(self, complaints: Collection[str]) -> None:
        """Say what is wrong once, not at each poll."""
        for words in complaints:
            if words not in self._complaints:
                self._say(words)
        self._complaints = complaints

    async def refresh(self) -> None:
        """Load what is new, and unload what is not wanted any more.

        Raises:
            UserError: the path cannot be read.
            OSError: likewise.
        """
        loop = asyncio.get_running_loop()
        sources = {source.name: source for source in await loop.run_in_executor(None, find_sources, self._path)}
        complaints = [words for source in sources.values() if (words := source.complaint())]
        for name in {*self._versions, *sources}:
            source = sources.get(name)
            wanted = source.wanted() if source else []
            if source:
                self._sources[name] = source
            await self._load_missing(name, wanted)
            for number in source.older() if source else ():
                if self.available(name):
                    break
                await self._load_missing(name, [number])
            self._unload_unwanted(name, wanted)
        self._complain(complaints)

    async def _load_missing(self, name: str, wanted: list[int]) -> None:
        versions = self._versions.setdefault(name, {})
        for number in wanted:
            known = versions.get(number)
            if known and known.state in ("AVAILABLE", "UNLOADING"):
                continue
            path = version_path(self._sources[name].path, number)
            files = fingerprint(path)
            if known and known.tried == files:
                continue
            versions[number] = Version()
            versions[number] = await self._load(name, number, path, files)

    async def _load(self, name: str, number: int, path: Path, files: tuple) -> Version:
        started = time.perf_counter()
        try:
            loop = asyncio.get_running_loop()
            servable, num_played = await loop.run_in_executor(self._loader, _load, name, number, path)
        except ServingError as error:
            self._metrics.loads.labels(name, error.code.name).inc()
            self._say(f"{name} {number} cannot be loaded: {error.message}")
            return Version("END", error, tried=files)
        self._metrics.loads.labels(name, "OK").inc()
        self._metrics.warm_ups.labels(name).inc(num_played)
        self._metrics.version.labels(name).set(number)
        self._say(
            f"{name} {number} is loaded and warm after {time.perf_counter() - started:.1f} s "
            f"({num_played} recorded requests played)"
        )
        return Version("AVAILABLE", servable=servable)

    def _unload_unwanted(self, name: str, wanted: list[int]) -> None:
        """Take what is not wanted out of service, but never the last version while its successor is not there."""
        versions = self._versions[name]
        has_successor = not wanted or any(versions[number].servable for number in wanted)
        for number, version in versions.items():
            if number not in wanted and version.servable and has_successor:
                servable, version.servable, version.state = version.servable, None, "UNLOADING"
                unloading = asyncio.create_task(self._unload(version, servable))
                del servable
                self._unloading.add(unloading)
                unloading.add_done_callback(self._unloading.discard)

    async def _unload(self, version: Version, servable: Servable) -> None:
        loop, model, name = asyncio.get_running_loop(), servable.model, f"{servable.model} {servable.version}"
        await loop.run_in_executor(None, servable.wait_until_unused)
        del servable
        # Functions and their graphs refer to each other.
        await loop.run_in_executor(None, gc.collect)
        version.state = "END"
        self._metrics.version.labels(model).set(max(self.available(model), default=0))
        self._say(f"{name} is unloaded")

    def find(self, name: str, version: int | None = None, label: str = "") -> Servable:
        """The version that a request asks for; the newest one where it does not say.

        Raises:
            ServingError: as TensorFlow Serving puts it (server_core.cc, ServableRequestFromModelSpec; basic_manager.cc,
                GetUntypedServableHandle).
        """
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:
            version = self._sources[name].labels.get(label) if name in self._sources else None
            if version is None:
                raise invalid(f"Unrecognized servable version label: {label}")
        available = self.available(name)
        if version is None and available:
            return available[max(available)]
        if version in available:
            return available[version]
        asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")

    def available(self, name: str) -> dict[int, Servable]:
        """The versions of a model that answer now."""
        return {number: one.servable for number, one in self._versions.get(name, {}).items() if one.servable}

    def versions(self, name: str, version: int | None = None, label: str = "") -> dict[int, Version]:
        """What is known of a model's versions, or of one, newest first.

        Raises:
            ServingError: nothing is (get_model_status_impl.cc, GetModelStatusWithModelSpec).
        """
        known = self._versions.get(name, {})
        if label:
            version = self.find(name, None, label).version
        if version is None:
            if not known:
                raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
            return dict(sorted(known.items(), reverse=True))
        if version not in known:
            raise ServingError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
        return {version: known[version]}

    def names(self) -> list[str]:
        """The models that are known, whether they answer or not."""
        return sorted(name for name, versions in self._versions.items() if versions)

    def close(self) -> None:
        """Wait for what is being loaded."""
        self._loader.shutdown()


def _load(name: str, number: int, path: Path) -> tuple[Servable, int]:
    """A version, warm, and how many recorded requests warmed it."""
    try:
        servable = Servable(name, number, path)
        return servable, servable.warm_up(path)
    except Exception as error:
        # A file can be broken in any way; what serves now must go on.
        raise as_serving_error(error) from error
