"""Things that are known by name: those that kerasr brings, and those that somebody registers from outside.

From outside they come in three ways: by a decorator in a notebook, by a package that `--import` names
(`kerasr.core.imports`), and by an installed package with an entry point of the group `kerasr.plugins`, which is
imported when something is first looked up.
"""

import functools
from collections.abc import Iterator, MutableMapping
from importlib import metadata
from typing import TypeVar

from kerasr.core.progress import console
from kerasr.errors import UserError

T = TypeVar("T")

# Entry points of installed packages that register something on being imported.
GROUP = "kerasr.plugins"


class Registry(MutableMapping[str, T]):
    """Things by their names, in order of registration.

    Args:
        kind: what they are, for messages: `model`.
    """

    def __init__(self, kind: str):
        self._kind = kind
        self._things: dict[str, T] = {}
        self._modules: dict[str, str] = {}

    def register(self, name: str, thing: T, module: str) -> None:
        """Make a thing known; the same module may do so again, as a notebook's cell does that is run twice.

        Raises:
            UserError: another module has registered that name.
        """
        if name in self._things and self._modules[name] != module:
            raise UserError(
                "name-taken",
                f"{module}: a {self._kind} named {name!r} is registered already, by {self._modules[name]}: take "
                "another name",
            )
        self._things[name] = thing
        self._modules[name] = module

    def module_of(self, name: str) -> str:
        """The module that registered `name`."""
        return self._modules[name]

    def __getitem__(self, name: str) -> T:
        return self._all()[name]

    def __setitem__(self, name: str, thing: T) -> None:
        self.register(name, thing, self._modules.get(name, __name__))

    def __delitem__(self, name: str) -> None:
        del self._things[name]
        del self._modules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, T]:
        load_plugins()
        return self._things


@functools.cache
def _plugins() -> list[metadata.EntryPoint]:
    """The installed packages' entry points that are still to be imported."""
    return list(metadata.entry_points(group=GROUP))


def load_plugins() -> None:
    """Import the installed plugins, once in a process; one that fails is named in a warning and left out."""
    waiting = _plugins()
    while waiting:
        # Taken off first: what is imported looks things up, too.
        plugin = waiting.pop(0)
        try:
            plugin.load()
        except Exception as error:  # Whatever somebody else's package raises.
            console().print(
                f"warning: the plugin {plugin.name} ({plugin.value}) cannot be imported "
                f"({type(error).__name__}: {error}): what it registers is not known; mend or uninstall it",
                style="yellow",
            )
