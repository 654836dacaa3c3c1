"""Say what is installed here, as a report of a fault needs it: `python -m kerasr.env`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.filesize import decimal
from rich.text import Text

from kerasr.core.cli import command_line, import_quietly, parse, run_command
from kerasr.core.console import make_console
from kerasr.core.extras import EXTRAS, install_line, missing_modules
from kerasr.core.provenance import provenance
from kerasr.data.corpora import cache_folder
from kerasr.data.corpora.cache_listing import folder_bytes

DESCRIPTION = """
What is installed here: versions, devices, extras, and where recordings and the cache are.

  python -m kerasr.env
"""


@dataclass(frozen=True)
class EnvConfig:
    """There is nothing to set."""


def main(argv: list[str]) -> None:
    """Parse the arguments, and print a line for each thing."""
    parse(EnvConfig, argv, command="env", description=DESCRIPTION, extensible=False)
    console = make_console()
    for name, value in describe_installation():
        console.print(Text(f"{name:12}{value}"), soft_wrap=True)


def describe_installation() -> Iterator[tuple[str, str]]:
    """What there is, thing by thing; the name is empty where a line belongs to the one before."""
    where = provenance()
    versions, machine = where["versions"], where["machine"]
    yield "kerasr", f"{versions.pop('kerasr')}, in {Path(__file__).parent}"
    yield "python", f"{versions.pop('python')} on {machine['system']}"
    yield "processor", f"{machine['processor']}, {machine['cores']} cores"
    yield "packages", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "devices", describe_devices()
    for number, (name, extra) in enumerate(EXTRAS.items()):
        found = f"missing: {install_line(name)}" if missing_modules(name) else "installed"
        yield "" if number else "extras", f"{name:12}{extra.purpose:26}{found}"
    yield "recordings", os.environ.get("KERASR_DATA") or "KERASR_DATA is not set"
    place = cache_folder()
    yield "cache", f"{place}, {decimal(folder_bytes(place))} (`{command_line('cache')}` lists it)"


def describe_devices() -> str:
    """The accelerators that the backend finds, or why nobody can tell."""
    try:
        import_quietly()
        import keras

        from kerasr.training.runtime import list_accelerators

        found = ", ".join(list_accelerators()) or "CPU alone"
    except Exception as error:  # A broken installation is what somebody wants to know of.
        return f"cannot be told: {type(error).__name__}: {error}"
    return f"{found} (backend {keras.backend.backend()})"


if __name__ == "__main__":
    run_command(main)
