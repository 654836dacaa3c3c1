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
import select
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import tyro
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from kerasr.core.console import make_console, visible
from kerasr.core.imports import FLAG, HELP, asked_imports, import_asked
from kerasr.core.interruption import Interruption, Stopped
from kerasr.core.quiet import stderr_aside
from kerasr.errors import UserError

T = TypeVar("T")

DEBUG_FLAG = "--debug"
# The code of what the operating system refuses.
SYSTEM = "system-error"
# What a shell gives for a process that SIGPIPE has ended: 128 + 13.
CLOSED_PIPE = 141

# How examples in descriptions call a command: as its module.
_AS_MODULE = "python -m kerasr."

# The words before a command's name where `kerasr` has called it; none where it was called as its module.
_program: tuple[str, ...] = ()


def called_by(*program: str) -> None:
    """Say by which words the user calls commands, as `kerasr`: what is to be typed next is told in the same way."""
    global _program
    _program = program


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
        above = (description or kind.__doc__ or "").rstrip()
        # (A sentence after an example would stand in the example's line.)
        gap = "\n\n" if above.rpartition("\n")[2].startswith(" ") else "\n"
        description = f"{above}{gap}{HELP}"
    return tyro.cli(
        kind,
        args=argv,
        default=tyro.MISSING_NONPROP if default is None else default,
        prog=" ".join(_called(command)),
        description=description and description.replace(_AS_MODULE, " ".join(_called(""))),
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
    """A command as this process's user calls it, quoted so that this system's shell takes each argument for one word.

    `kerasr COMMAND ARGUMENTS`, or `python -m kerasr.COMMAND ARGUMENTS` where no program was called.
    What this process was told to import, that command will need, too; and what the run needs that it is about.
    """
    names = dict.fromkeys([*asked_imports(), *imports])
    flags = [FLAG, ",".join(names)] if names else []
    return shell_line([*_called(command), *map(str, arguments), *flags])


def _called(command: str) -> list[str]:
    """How a command is called."""
    return [*_program, command] if _program else ["python", "-m", f"kerasr.{command}"]


def this_command() -> str:
    """What the user has typed to start this process, without the folders of the programs."""
    by_script = _program == ("kerasr",)
    return shell_line(["kerasr", *sys.orig_argv[2:]] if by_script else ["python", *sys.orig_argv[1:]])


def shell_line(words: Sequence[str]) -> str:
    """Words as this system's shell takes them for those very words."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def run_command(main: Callable[[list[str]], None]) -> None:
    """Run a command's `main` on the process's arguments.

    What the user can mend ends it with one line and code 2; Ctrl-C with what to type next, and code 130; a reader of
    its output that has seen enough, as `head`, with code 141 and without a word.
    """
    # A name that this terminal or file cannot write is printed with its characters' numbers.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    argv = [argument for argument in sys.argv[1:] if argument != DEBUG_FLAG]
    debug = len(argv) < len(sys.argv) - 1
    as_json = "--json" in argv
    try:
        try:
            main(argv)
        finally:
            # What is still to be written is written here, where an error of it can be caught.
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        _print_stopped(stop, main, argv)
        sys.exit(130)
    except (UserError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            _close_output()
            sys.exit(CLOSED_PIPE)
        if debug:
            traceback.print_exc()
        print_error(error, as_json=as_json)
        sys.exit(2)


def _reader_is_gone() -> bool:
    """Whether nobody reads the standard output any more, as after `| head`, and no other pipe is broken."""
    if not hasattr(select, "poll"):
        return True
    watch = select.poll()
    watch.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def _close_output() -> None:
    """Let nothing be written to the standard output any more, which Python would do, and complain, as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _print_stopped(stop: KeyboardInterrupt, main: Callable[[list[str]], None], argv: list[str]) -> None:
    """Say what has become of the work and what to type next: where nothing else is known, the same again."""
    said, command = (stop.said, stop.command) if isinstance(stop, Stopped) else (str(stop), "")
    module = main.__module__
    if module == "__main__":
        module = getattr(sys.modules[module].__spec__, "name", "").removesuffix(".__main__")
    if not command and module.startswith("kerasr."):
        command = shell_line([*_called(module.removeprefix("kerasr.")), *argv])
    print(visible(f"stopped: {said}" if said else "stopped"), file=sys.stderr)
    if command:
        print(visible(f"next    {command}"), file=sys.stderr)


def print_error(error: Exception, *, as_json: bool) -> None:
    """Write an error's code and message on the standard error: a line, for programs a JSON object."""
    code, message = error.code if isinstance(error, UserError) else SYSTEM, describe(error)
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False), file=sys.stderr)
    else:
        print(visible(f"error[{code}]: {message}"), file=sys.stderr)


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
    with stderr_aside() as screen, _spinner(screen), Interruption(), _without("sklearn"):
        for framework in frameworks:
            importlib.import_module(framework)
    if "tensorflow" in frameworks:
        # In a notebook or a shell TensorFlow turns its notes on as it is imported: each export would write some.
        importlib.import_module("tensorflow").get_logger().setLevel(logging.ERROR)


@contextlib.contextmanager
def _spinner(screen: int) -> Iterator[None]:
    """Show on a terminal that something goes on, and leave no line behind; elsewhere nothing.

    Args:
        screen: descriptor of what the standard error was before it was set aside.
    """
    # Not what `FORCE_COLOR` takes for a terminal: in a log a spinner is litter.
    if not os.isatty(screen):
        yield
        return
    with open(screen, "w", encoding="utf-8", errors="replace", closefd=False) as file:
        spinner = Spinner("dots", Text("loading Keras and TensorFlow", "dim"))
        console = make_console(file=file)
        # What Python writes meanwhile stays aside.
        with Live(spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
            yield


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
