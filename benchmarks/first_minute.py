"""What a new user sees: the output of the README's first commands, and the seconds until it is there.

    python benchmarks/first_minute.py            both commands, three minutes on two cores
    python benchmarks/first_minute.py --table    print what has been seen

The commands run in an empty folder, as if piped into a file. Writes benchmarks/results/first_minute.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _parts import RESULTS, print_tables, write_result

from kerasr.core.provenance import provenance

PATH = RESULTS / "first_minute.json"
COMMANDS = {"predict": ("predict", "digits", "--sample"), "train": ("train",)}
# Lines of a training's output that the documentation leaves out; of the epochs it has the first and the last.
LESSER = ("split", "features", "training", "runs on", "run ", "longer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="run nothing, print what has been seen")
    if not parser.parse_args().table:
        seen = {name: run(*command) for name, command in COMMANDS.items()}
        write_result(PATH, {"commands": seen, **provenance()})
    print_tables(tables())


def run(*command: str) -> dict[str, Any]:
    """What a command prints, and how long it takes from its start to its end."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", "from kerasr.__main__ import main; main()", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - started
    # Where the recordings lie is the machine's business.
    output = done.stdout.replace(os.environ.get("KERASR_DATA", "KERASR_DATA"), "$KERASR_DATA")
    return {"command": f"kerasr {' '.join(command)}", "output": output.splitlines(), "seconds": round(seconds, 1)}


def tables() -> dict[str, str]:
    """Each command with its output, as an indented block."""
    seen = json.loads(PATH.read_text())["commands"]
    return {name: block(result["command"], result["output"]) for name, result in seen.items()}


def figures() -> dict[str, str]:
    """The seconds of each command."""
    return {name: f"{result['seconds']:.0f}" for name, result in json.loads(PATH.read_text())["commands"].items()}


def block(command: str, output: list[str]) -> str:
    """The command and what it prints, but for lines of lesser weight."""
    epochs = [line for line in output if "epoch " in line and "loss" in line]
    hidden = {line for line in output if line.startswith(LESSER)} | {*epochs[1:-1]}
    shown = ["..." if line in epochs[1:2] else line for line in output if line not in hidden or line in epochs[1:2]]
    return "\n".join(f"    {line}".rstrip() for line in (f"$ {command}", *shown))


if __name__ == "__main__":
    main()
