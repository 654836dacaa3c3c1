"""The tasks that there are, by name, and which of them some settings ask for."""

import functools
import importlib
import pkgutil
from pathlib import Path
from typing import TypeVar

from kerasr.config import TaskConfig
from kerasr.core.registry import Registry
from kerasr.errors import UserError
from kerasr.tasks.base import Task

T = TypeVar("T", bound=type[Task])

TASKS: Registry[type[Task]] = Registry("task")


def register_task(task: T) -> T:
    """Decorator that makes a task known by its `name`: `--task NAME` then trains it.

    Args:
        task: a subclass of `Task` with a `name`.

    Returns:
        The class, as it was.

    Raises:
        UserError: another module has registered a task of that name.
    """
    TASKS.register(task.name, task, task.__module__)
    return task


def list_tasks() -> list[str]:
    """The names of the tasks."""
    _import_own()
    return list(TASKS)


@functools.cache
def _import_own() -> None:
    """Import this folder's files, each of which registers its own task."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"kerasr.tasks.{module.name}")


def find_task(config: TaskConfig) -> type[Task]:
    """The task that is asked for: by its name, else the detector of the wanted word where there is one, else words.

    Raises:
        UserError: there is no task of that name.
    """
    name = config.name
    if name == "auto":
        name = "classify" if config.wanted is None else "detect"
    if name not in (names := list_tasks()):
        raise UserError("task-not-found", f"--task {name}: there is no such task; there are {', '.join(names)}")
    return TASKS[name]
