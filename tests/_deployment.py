"""The files that put `kerasr.serve` into containers, as tests read them: for Docker, and for Kubernetes."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Probe:
    """What asks a server how it is: `grpc`, or `httpGet` with its path."""

    kind: str
    port: int | str
    path: str
    seconds: int


def resources() -> dict[str, dict[str, Any]]:
    """What `deploy/kubernetes.yaml` describes, by kind."""
    text = (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    return {item["kind"]: item for item in yaml.safe_load_all(text)}


def container() -> dict[str, Any]:
    """The deployment's container."""
    (found,) = resources()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return found


def stages() -> dict[str, list[tuple[str, str]]]:
    """The Dockerfile's stages by name: each instruction and what stands behind it, those of its base first."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in (line for line in text.splitlines() if line and not line.startswith("#")):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            base, _, name = rest.split()
            found[name] = list(found.get(base, []))
        found[name].append((instruction, rest.strip()))
    return found


def last(stage: str, instruction: str) -> str:
    """What stands behind a stage's last such instruction."""
    return [rest for name, rest in stages()[stage] if name == instruction][-1]


def probes() -> list[Probe]:
    """What Kubernetes and Docker ask."""
    found = []
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container()[name]
        (kind,) = {"grpc", "httpGet"} & probe.keys()
        found.append(Probe(kind, probe[kind]["port"], probe[kind].get("path", ""), probe["timeoutSeconds"]))
    script = json.loads(last("serve", "HEALTHCHECK").partition("CMD ")[2])[-1]
    port, path, seconds = re.search(r"127\.0\.0\.1:(\d+)(/\w+)', timeout=(\d+)", script).groups()  # type: ignore[union-attr]
    return [*found, Probe("httpGet", int(port), path, int(seconds))]


def words(text: str) -> list[str]:
    """An instruction's arguments, in either of its forms."""
    return json.loads(text) if text.startswith("[") else shlex.split(text)
