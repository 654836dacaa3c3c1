"""Every error has a code of its own kind, and docs/errors.md lists each of them."""

import ast
import pickle
import re
from pathlib import Path

from kerasr import cli
from kerasr.errors import UserError

ROOT = Path(__file__).parents[1]


def codes_in_source():
    for path in sorted([*(ROOT / "kerasr").rglob("*.py"), *(ROOT / "data_scripts").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "UserError":
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: the code is no constant"
                yield node.args[0].value


def test_the_documentation_lists_every_code_in_order():
    listed = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "errors.md").read_text("utf-8"), re.MULTILINE)
    assert listed == sorted({*codes_in_source()})
    assert cli.SYSTEM not in listed


def test_an_error_is_its_message_and_survives_another_process():
    error = pickle.loads(pickle.dumps(UserError("run-not-found", "runs/1: no run is here")))
    assert (error.code, str(error)) == ("run-not-found", "runs/1: no run is here")
