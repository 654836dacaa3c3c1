"""Write what the site takes from elsewhere: the API reference, a page a package, the notebooks, and the change log.

`mkdocs` runs this (the plugin `gen-files`); nothing of it is written into `docs/`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kerasr"


def public_modules() -> list[str]:
    """Every module of kerasr but the commands, which `--help` documents."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        *package, module = path.relative_to(ROOT).with_suffix("").parts
        is_script = 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
        if module != "__main__" and not (is_script and package == ["kerasr"]):
            names.append(".".join([*package, module]).removesuffix(".__init__"))
    return names


def pages() -> dict[str, list[str]]:
    """The modules of each page: those of a package of kerasr, or of kerasr itself."""
    found: dict[str, list[str]] = {}
    for name in public_modules():
        module = ROOT.joinpath(*name.split("."))
        page = ".".join(name.split(".")[:2]) if module.is_dir() or name.count(".") > 1 else "kerasr"
        found.setdefault(page, []).append(name)
    return found


def face(package: str) -> dict[str, str]:
    """The names that a package hands out, and where each is defined."""
    stub = ROOT.joinpath(*package.split("."), "__init__.pyi")
    if not stub.exists():
        return {}
    found = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            origin = ".".join(filter(None, [package, node.module]))
            found |= {alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names}
    return found


def defined_at(path: str) -> str:
    """Where a name stands that one package hands on from another."""
    package, _, name = path.rpartition(".")
    on = face(package).get(name)
    return defined_at(on) if on and on != path else path


def link(name: str, path: str) -> str:
    """To where a function, a class or a module is documented; a constant has its name alone."""
    *package, last = path.split(".")
    if ROOT.joinpath(*package, last).is_dir():
        return f"[`{name}`]({path}.md)"
    folder = ROOT.joinpath(*package)
    module = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    body = ast.parse(module.read_text(encoding="utf-8")).body
    is_defined = any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == last for node in body)
    return f"[`{name}`][{path}]" if is_defined else f"`{name}`"


def page_text(page: str, modules: list[str]) -> Iterator[str]:
    """The names that the package hands out, then each of its modules."""
    yield f"# {page}\n\n"
    if names := face(page):
        yield f"The names of `{page}`:\n\n"
        yield "".join(f"- {link(f'{page}.{name}', defined_at(path))}\n" for name, path in names.items())
        yield "\n"
    for module in modules:
        yield f"::: {module}\n    options:\n      heading_level: 2\n\n"


def write_site() -> None:
    """What `mkdocs` calls for."""
    import mkdocs_gen_files

    for page, modules in pages().items():
        with mkdocs_gen_files.open(f"reference/{page}.md", "w") as file:
            file.write("".join(page_text(page, modules)))
    with mkdocs_gen_files.open("reference/SUMMARY.md", "w") as file:
        file.write("".join(f"- [{page}]({page}.md)\n" for page in pages()))
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        with mkdocs_gen_files.open(f"notebooks/{path.name}", "w") as file:
            file.write(path.read_text(encoding="utf-8"))
    with mkdocs_gen_files.open("notebooks/SUMMARY.md", "w") as file:
        file.write("".join(f"- [{title(path)}]({path.name})\n" for path in notebooks))
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        with mkdocs_gen_files.open(name.lower(), "w") as file:
            file.write((ROOT / name).read_text(encoding="utf-8"))


def title(path: Path) -> str:
    """`Compare models`, of `02_compare_models.ipynb`."""
    return path.stem.partition("_")[2].replace("_", " ").capitalize()


if __name__ == "<run_path>":  # the plugin's name for a script that it runs
    write_site()
