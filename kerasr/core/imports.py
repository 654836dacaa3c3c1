"""Packages from outside that a command line names: `--import my_package` makes known what they register."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterable, Sequence

from kerasr.core.interruption import Interruption
from kerasr.core.quiet import stderr_aside
from kerasr.core.registry import load_plugins
from kerasr.errors import UserError

FLAG = "--import"
HELP = (
    f"With {FLAG} my_package, a package of yours is imported first: the models, recipes, corpora and augmentations "
    "that it registers can be named, and runs that need them be loaded."
)

# What this process's command line has named so far.
_asked: dict[str, None] = {}


def import_asked(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Import what a command line names with `--import`, which may stand there more than once.

    Returns:
        The other arguments, and the modules' names.

    Raises:
        UserError: none is named, or one cannot be imported.
    """
    rest: list[str] = []
    names: list[str] = []
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag != FLAG:
            rest.append(word)
            continue
        found = [name for name in (value if equals else next(words, "")).split(",") if name]
        if not found or found[0].startswith("-"):
            raise UserError("setting-missing", f"{FLAG}: name a package, as {FLAG} my_package")
        names += found
    for name in names:
        _import(name)
        _asked[name] = None
    return rest, tuple(dict.fromkeys(names))


def asked_imports() -> tuple[str, ...]:
    """What this process's command line has named, for the commands that it tells the user to type next."""
    return tuple(_asked)


def check_imported(names: Iterable[str], place: str | os.PathLike[str]) -> None:
    """Raise where something from outside is needed that nobody has imported.

    It is not imported here: a name in a file that somebody sent is no reason to execute a module.

    Args:
        names: modules.
        place: the run, or the file of settings, that names them.

    Raises:
        UserError: a module is not imported.
    """
    names = tuple(names)
    if names:
        load_plugins()
    if missing := [name for name in names if name not in sys.modules]:
        raise UserError(
            "run-needs-import",
            f"{os.fspath(place)}: needs {', '.join(missing)}, from outside of kerasr, which is imported only where you "
            f"ask for it: give {FLAG} {','.join(missing)} (in Python, import it first) if you trust it",
        )


def _import(name: str) -> None:
    """Import a module, with the frameworks' messages off the screen, and what it says itself on it.

    Raises:
        UserError: it cannot be imported.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise UserError(
            "import-failed", f"{FLAG} {name}: is no module's name; give one as Python imports it: my.package"
        )
    try:
        with (
            os.fdopen(os.dup(2), "w") as screen,
            stderr_aside(),
            contextlib.redirect_stderr(screen),
            Interruption(),
        ):
            importlib.import_module(name)
    except UserError:
        raise
    except Exception as error:  # Whatever somebody else's module raises.
        raise UserError(
            "import-failed",
            f"{FLAG} {name}: cannot be imported ({type(error).__name__}: {error}); {FLAG} finds what Python finds from "
            "here: install it, or run where it lies",
        ) from error
