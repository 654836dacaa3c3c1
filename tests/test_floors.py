"""The house stands floor on floor: a module imports only from below, and frameworks come in where they may."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "kerasr"

# One line a floor, lowest first. A room is a module or a package (with all that is in it); it may import from lower
# floors, and on its own floor from the rooms that stand before it. So no two rooms can import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "core", "config", "presets"),
    ("audio", "layers", "stream"),
    ("models", "data"),
    ("tasks",),
    (
        "checkpoint",
        "recipes",
        "inference",
        "runs",
        "intervals",
        "evaluation",
        "rejection",
        "callbacks",
        "explain",
        "false_alarms",
        "judgement",
        "report",
        "comparison",
        "runtime",
        "learner",
        "optimizers",
        "transfer",
        "preparation",
        "summary",
        "training",
        "tuning",
        "suspects",
        "unlabelled",
        "streaming",
        "serving",
        "exporters",
        "listening",
        "detection",
    ),
    (
        "train",
        "evaluate",
        "predict",
        "export",
        "serve",
        "listen",
        "compare",
        "search",
        "record",
        "runs",
        "models.__main__",
    ),
)
WALLED = {2, 5}  # floors whose rooms may not see each other: a builder sees features only, a command no other command
COMMANDS = FLOORS[5]
FRAMEWORKS = {"tensorflow", "keras", "jax", "torch", "librosa", "sklearn", "matplotlib"}
PRIVATE = ("keras.src", "tensorflow.python")

MODULES = {
    ".".join(path.relative_to(HOUSE).with_suffix("").parts): path
    for path in sorted(HOUSE.rglob("*.py"))
    if path.relative_to(HOUSE).parts != ("__init__.py",)
}


def room_of(module: str) -> tuple[int, int, str]:
    """Floor, place on it and name of the room that holds `module`, named without `kerasr.`."""
    module = module.removesuffix(".__init__")
    for floor, rooms in reversed(list(enumerate(FLOORS))):
        for place, room in enumerate(rooms):
            if module == room or module.startswith(f"{room}."):
                return floor, place, room
    pytest.fail(
        f"kerasr.{module} has no floor: add it to FLOORS in {Path(__file__).name} and to CONTRIBUTING.md's table"
    )


def imports(module: str) -> Iterator[tuple[str, bool, int]]:
    """Every import of `module`: the absolute name, whether it runs on importing the module, and the line."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    inside = {
        child
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.walk(function)
    }
    here = ["kerasr", *module.split(".")]
    for node in ast.walk(tree):
        at_once = node not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, at_once, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield f"{origin}.{alias.name}", at_once, node.lineno


def house_room(name: str) -> str | None:
    """The part of the absolute `name` that is a module of ours, without `kerasr.`; None for anyone else's."""
    parts = name.split(".")
    if parts[0] != "kerasr" or name == "kerasr.__version__":
        return None
    for end in range(len(parts), 1, -1):
        module = ".".join(parts[1:end])
        if module in MODULES or f"{module}.__init__" in MODULES:
            return module
    return ""


def starts_with(name: str, package: str) -> bool:
    """Whether `name` is `package` or something in it."""
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_below(module):
    floor, place, room = room_of(module)
    for name, _, line in imports(module):
        target = house_room(name)
        if target is None:
            continue
        where = f"{MODULES[module]}:{line}"
        assert target, f"{where} imports {name} from the top of kerasr: import it from the module that defines it"
        other_floor, other_place, other_room = room_of(target)
        if other_room == room:
            continue
        assert other_floor <= floor, f"{where} is on floor {floor} and imports {name} from floor {other_floor}"
        if other_floor == floor:
            assert floor not in WALLED, f"{where} imports {name}: {room} and {other_room} may not see each other"
            assert other_place < place, f"{where} imports {name}, which stands after {room} in FLOORS"


@pytest.mark.parametrize("module", MODULES)
def test_frameworks_come_in_where_they_may(module):
    floor, _, room = room_of(module)
    for name, at_once, line in imports(module):
        where = f"{MODULES[module]}:{line} imports {name}"
        assert not any(starts_with(name, private) for private in PRIVATE), f"{where}, which is private to its package"
        if starts_with(name, "tensorflow"):
            may = floor > 2 or room == "data" or (module == "layers.kernels" and not at_once)
            assert may, f"{where}: floors 0, 1 and the models know no TensorFlow"
        if starts_with(name, "keras"):
            assert floor > 0, f"{where}: floor 0 is plain data and knows no framework"
        if room in COMMANDS and name.split(".")[0] in FRAMEWORKS:
            assert not at_once, f"{where} on being imported: a command does so only after its arguments are parsed"


def test_every_room_stands():
    for room in (room for rooms in FLOORS for room in rooms):
        assert room in MODULES or f"{room}.__init__" in MODULES, f"FLOORS names {room}, and there is no such module"
