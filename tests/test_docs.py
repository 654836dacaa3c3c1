"""Every public name says what it is, and the reference made of that builds."""

import ast
import importlib
import inspect
import re
import runpy
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = runpy.run_path(str(ROOT / "docs" / "api.py"))["public_modules"]()


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is"
    for public, thing in vars(module).items():
        if public.startswith("_") or getattr(thing, "__module__", None) != name:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert thing.__doc__, f"{name}.{public} has no docstring"
        if inspect.isclass(thing):
            check_methods(thing)


def check_methods(thing: type):
    """A method that overrides one of Keras's means what Keras says; each other one says what it is."""
    for method, function in vars(thing).items():
        overrides = any(hasattr(base, method) for base in thing.__mro__[1:])
        if (
            not method.startswith("_")
            and not overrides
            and (inspect.isfunction(function) or isinstance(function, property))
        ):
            assert function.__doc__, f"{thing.__module__}.{thing.__name__}.{method} has no docstring"


def public_names():
    """The package and the name of all that a package's face hands out."""
    for face in sorted((ROOT / "kerasr").rglob("__init__.pyi")):
        package = ".".join(face.parent.relative_to(ROOT).parts)
        for node in ast.parse(face.read_text("utf-8")).body:
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                yield package, alias.asname or alias.name


def signatures(thing):
    """The signatures that the reference shows of a function or a class, by name."""
    methods = {name: each for name, each in vars(thing).items() if name[0] != "_"} if inspect.isclass(thing) else {}
    for name, each in {"": thing, **methods}.items():
        function = getattr(each, "__func__", each)
        # (matplotlib writes a method into each subclass of a figure.)
        if callable(function) and getattr(function, "__module__", "").startswith("kerasr"):
            yield name, str(inspect.signature(function))


def test_signatures_are_to_be_read():
    """Types and defaults: no address, no sentinel, nothing of tyro or of the bounds."""
    unreadable = {
        f"{package}.{public}.{name}: {signature}"
        for package, public in public_names()
        for name, signature in signatures(getattr(importlib.import_module(package), public))
        if re.search(r" at 0x|<(?!class)|Annotated|_ArgConfig", signature)
    }
    assert not unreadable


def test_functions_at_the_top_say_what_they_take():
    for package, public in public_names():
        function = getattr(importlib.import_module(package), public)
        if package == "kerasr" and inspect.isfunction(function) and inspect.signature(function).parameters:
            assert "Args:" in function.__doc__, f"{public} does not say what it takes"


@pytest.mark.full
def test_reference_builds_and_names_the_whole_api(tmp_path):
    subprocess.run([sys.executable, ROOT / "docs" / "api.py", tmp_path], cwd=ROOT, check=True)
    for package in ("kerasr", "kerasr.models", "kerasr.data"):
        page = (tmp_path / f"{package.replace('.', '/')}.html").read_text(encoding="utf-8")
        api = importlib.import_module(package)
        for public in api.__all__:
            assert isinstance(getattr(api, public), types.ModuleType) or f'id="{public}"' in page, (
                f"the page of {package} does not show {public}"
            )
