"""What all commands share: typed arguments in, one clear line out when something is wrong.

Parsing touches no framework, so `--help` and a mistyped flag answer at once.
"""

import contextlib
import errno
import importlib
import io
import json
import logging
import os
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import tyro

from kerasr.core.imports import FLAG, HELP, asked_imports, import_asked
from kerasr.core.interruption import Interruption
from kerasr.core.quiet import stderr_aside
from kerasr.errors import UserError

T = TypeVar("T")

DEBUG_FLAG = "--debug"
# The code of what the operating system refuses.
SYSTEM = "system-error"


def parse(
    kind: type[T],
    argv: list[str],
    *,
    command: str,
    description: str | None,
    default: T | None = None,
    extensible: bool = True,
) -> T:
    """Arguments of a command as an instance of the dataclass `kind`; `--help` and mistakes end the process.

    Args:
        kind: the dataclass.
        argv: the arguments.
        command: its name.
        description: what stands above the help.
        default: an instance with the values that hold where nothing else is said.
        extensible: the command takes `--import`; what it names is imported before the rest is looked at.

    Raises:
        UserError: what `--import` names cannot be imported.
    """
    if extensible:
        argv, _ = import_asked(argv)
        description = f"{(description or kind.__doc__ or '').rstrip()}\n{HELP}"
    return tyro.cli(
        kind,
        args=argv,
        default=tyro.MISSING_NONPROP if default is None else default,
        prog=f"python -m kerasr.{command}",
        description=description,
    )


def read_flags(argv: Sequence[str]) -> dict[str, str]:
    """The flags of a command line, as `leave_out`, and what follows each; nothing follows a switch.

    For what has to be known before the arguments can be parsed, and for which of them were given at all.
    """
    flags = {}
    for number, argument in enumerate(argv):
        if argument.startswith("--"):
            name, equals, value = argument.removeprefix("--").partition("=")
            following = argv[number + 1] if number + 1 < len(argv) else ""
            flags[name.replace("-", "_")] = value if equals else "" if following.startswith("--") else following
    return flags


def command_line(command: str, *arguments: object, imports: Sequence[str] = ()) -> str:
    """`python -m kerasr.COMMAND ARGUMENTS`, quoted so that this system's shell takes each argument for one word.

    What this process was told to import, that command will need, too; and what the run needs that it is about.
    """
    names = dict.fromkeys([*asked_imports(), *imports])
    flags = [FLAG, ",".join(names)] if names else []
    return shell_line(["python", "-m", f"kerasr.{command}", *map(str, arguments), *flags])


def shell_line(words: Sequence[str]) -> str:
    """Words as this system's shell takes them for those very words."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def run_command(main: Callable[[list[str]], None]) -> None:
    """Run a command's `main` on the process's arguments.

    What the user can mend ends it with one line and code 2, Ctrl-C with one line and code 130.
    """
    # A name that this terminal or file cannot write is printed with its characters' numbers.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    argv = [argument for argument in sys.argv[1:] if argument != DEBUG_FLAG]
    debug = len(argv) < len(sys.argv) - 1
    as_json = "--json" in argv
    try:
        main(argv)
    except KeyboardInterrupt as stop:
        # A training says how to go on.
        print(f"stopped: {stop}" if str(stop) else "stopped", file=sys.stderr)
        sys.exit(130)
    except (UserError, OSError) as error:
        if debug:
            traceback.print_exc()
        print_error(error, as_json=as_json)
        sys.exit(2)


def print_error(error: Exception, *, as_json: bool) -> None:
    """Write an error's code and message on the standard error: a line, for programs a JSON object."""
    code, message = error.code if isinstance(error, UserError) else SYSTEM, describe(error)
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False), file=sys.stderr)
    else:
        print(f"error[{code}]: {message}", file=sys.stderr)


def describe(error: Exception) -> str:
    """One line that says what happened to which file, and the way out."""
    if not isinstance(error, OSError):
        return " ".join(str(error).split())
    where = f"{error.filename}: " if error.filename else ""
    advice = {
        errno.ENOSPC: "; free some space, or write elsewhere",
        errno.EDQUOT: "; free some space, or write elsewhere",
        errno.EACCES: "; check the permissions",
        errno.EROFS: "; write elsewhere",
    }.get(error.errno or 0, "")
    return f"{where}{error.strerror or error}{advice}"


def import_quietly(frameworks: tuple[str, ...] = ("keras", "tensorflow")) -> None:
    """Import frameworks with their start-up messages off the screen; they return if the import fails."""
    with stderr_aside(), Interruption(), _without("sklearn"):
        for framework in frameworks:
            importlib.import_module(framework)
    if "tensorflow" in frameworks:
        # In a notebook or a shell TensorFlow turns its notes on as it is imported: each export would write some.
        importlib.import_module("tensorflow").get_logger().setLevel(logging.ERROR)


@contextlib.contextmanager
def _without(package: str) -> Iterator[None]:
    """Let imports in between find no such package, unless it has been imported before.

    Keras imports all of scikit-learn for wrappers that no command uses, a fifth of the time in which a command answers.
    """
    if package in sys.modules:
        yield
        return
    # What is None there is not found; Keras does without it.
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]
