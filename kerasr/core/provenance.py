"""Where a result comes from: versions, machine, command."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from kerasr import __version__
from kerasr.core.cli import this_command

PACKAGES = ("tensorflow", "keras", "numpy", "librosa", "scikit-learn", "soundfile", "soxr")


def provenance() -> dict[str, Any]:
    """Versions of what a result hangs on, the machine, and the command."""
    versions = {"kerasr": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # JAX alone needs no TensorFlow.
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = {"system": platform.platform(), "processor": _processor(), "cores": cores}
    return {"versions": versions, "machine": machine, "command": this_command()}


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
