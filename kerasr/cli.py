"""What all commands share: typed arguments in, one clear line out when something is wrong.

Parsing touches no framework, so `--help` and a mistyped flag answer at once.
"""

import errno
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import TypeVar

import tyro

from kerasr.errors import UserError

T = TypeVar("T")

DEBUG_FLAG = "--debug"


def parse(kind: type[T], argv: list[str], *, command: str, description: str | None, default: T | None = None) -> T:
    """Arguments of a command as an instance of the dataclass `kind`; `--help` and mistakes end the process."""
    return tyro.cli(
        kind,
        args=argv,
        default=default,
        prog=f"python -m kerasr.{command}",
        description=description,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def run_command(main: Callable[[list[str]], None]) -> None:
    """Run a command's `main` on the process's arguments; what the user can mend ends it with one line and code 2."""
    argv = [argument for argument in sys.argv[1:] if argument != DEBUG_FLAG]
    debug = len(argv) < len(sys.argv) - 1
    quiet_startup()
    try:
        main(argv)
    except KeyboardInterrupt:
        sys.exit(130)
    except (UserError, OSError) as error:
        if debug:
            traceback.print_exc()
        print(f"error: {describe(error)}", file=sys.stderr)
        sys.exit(2)


def describe(error: Exception) -> str:
    """One line that says what happened to which file, and the way out."""
    if not isinstance(error, OSError):
        return " ".join(str(error).split())
    where = f"{error.filename}: " if error.filename else ""
    advice = {
        errno.ENOSPC: "; free some space, or write elsewhere with --out",
        errno.EDQUOT: "; free some space, or write elsewhere with --out",
        errno.EACCES: "; check the permissions",
        errno.EROFS: "; write elsewhere with --out",
    }.get(error.errno or 0, "")
    return f"{where}{error.strerror or error}{advice}"


def quiet_startup() -> None:
    """Keep the frameworks' start-up messages off the screen; set the variables yourself to see them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
