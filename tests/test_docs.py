"""Every public name says what it is, the site made of that builds, and its figures are those of the results."""

import ast
import importlib
import inspect
import re
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = runpy.run_path(str(ROOT / "docs" / "reference.py"), run_name="reference")["public_modules"]()


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


@pytest.fixture(scope="module")
def figures():
    """The script that writes them."""
    return runpy.run_path(str(ROOT / "docs" / "figures.py"))


def test_figures_are_those_of_the_results(figures):
    old = [path.name for path in figures["pages"]() if figures["up_to_date"](path) != path.read_text(encoding="utf-8")]
    assert not old, f"python docs/figures.py would change {', '.join(old)}"


def test_a_changed_figure_is_noticed(figures, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Right: **12.3%<!-- few_shot: init 5 -->**\n\n<!-- table: few_shot all -->\nold\n<!-- end -->\n")
    text = figures["up_to_date"](page)
    assert f"**{figures['made_by']('few_shot', 'figures')['init 5']}<!-- few_shot: init 5 -->**" in text
    assert "old" not in text
    assert "| 20 |" in text
    page.write_text("1<!-- few_shot: nobody 5 -->")
    with pytest.raises(SystemExit):
        figures["up_to_date"](page)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.stem
)
def test_no_figure_is_typed(figures, page):
    """A share with a decimal is measured: it stands in a table that is generated, or before the name of its source."""
    text = page.read_text(encoding="utf-8")
    generated = [*figures["TABLE"].finditer(text), *figures["FIGURE"].finditer(text)]
    spans = [found.span() for found in generated]
    typed = [
        found[0]
        for found in re.finditer(r"\d+\.\d+%", text)
        if not any(start <= found.start() < end for start, end in spans)
    ]
    assert not typed


@pytest.mark.parametrize("path", sorted((ROOT / "kerasr").rglob("*.py")), ids=lambda path: path.stem)
def test_no_measured_share_stands_in_the_code(path):
    assert not re.findall(r"\d+\.\d+ ?%", path.read_text(encoding="utf-8"))


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
def test_the_site_builds_without_a_broken_link_and_names_the_whole_api(tmp_path):
    subprocess.run(["mkdocs", "build", "--strict", "--site-dir", tmp_path], cwd=ROOT, check=True)
    names = set()
    for package in ("kerasr", "kerasr.models", "kerasr.data"):
        page = (tmp_path / "reference" / package / "index.html").read_text(encoding="utf-8")
        for public in importlib.import_module(package).__all__:
            assert f"{package}.{public}<" in page, f"the page of {package} does not name {public}"
            names.add(public)
    assert len(names) > 40
