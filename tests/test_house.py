"""What holds for the project as a whole: it installs from a wheel, starts fast and says what it needs."""

import ast
import configparser
import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

import kerasr
from kerasr import audio

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__main__")
    for path in [*(ROOT / "kerasr").glob("*.py"), *(ROOT / "kerasr").rglob("__main__.py")]
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)
# Rooms that are of no use without an extra, and may import what it brings at once.
ROOMS_OF_EXTRAS = {"serving": "serve"}
# Is there wherever that calls which imports it.
NOTEBOOK = {"ipython"}
SLOW_TO_IMPORT = {"tensorflow", "keras", "jax", "torch", "librosa", "numba", "scipy", "sklearn", "matplotlib"}


def settings() -> configparser.ConfigParser:
    """setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def requirements(section: str, option: str) -> list[Requirement]:
    """The requirements that one option of setup.cfg lists."""
    return [Requirement(line) for line in settings()[section][option].strip().splitlines()]


def names_of(some: Iterable[Requirement]) -> set[str]:
    """The distributions' names, spelt in one way."""
    return {requirement.name.lower().replace("_", "-") for requirement in some}


def run(*arguments: object, cwd: Path, **variables: str) -> str:
    """Standard output of a Python process, which must end well."""
    process = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, f"{arguments}\n{process.stdout}\n{process.stderr}"
    return process.stdout


def test_there_are_commands():
    assert {"kerasr.train", "kerasr.evaluate", "kerasr.predict", "kerasr.runs", "kerasr.models"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_framework(command, tmp_path):
    probe = (
        "import runpy, sys\n"
        f"sys.argv = ['{command}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('{command}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('loaded:', *{name.split('.')[0] for name in sys.modules})\n"
    )
    help_text, loaded = run("-c", probe, cwd=tmp_path).rsplit("loaded:", 1)
    assert f"python -m {command}" in help_text
    assert not SLOW_TO_IMPORT & set(loaded.split())


def test_a_mistyped_name_is_answered_before_a_framework_loads(tmp_path):
    (tmp_path / "text.wav").write_text("this is no recording")
    mistyped = {
        "predict nobody x.wav": "run-not-found",
        "predict nobody --sample": "run-not-found",
        "predict digits gone.wav text.wav": "recording-not-found recording-unreadable",
        "evaluate nobody": "run-not-found",
        "evaluate stream nobody": "run-not-found",
        "export nobody --to x": "run-not-found",
        "compare digits nobody": "run-not-found",
        "listen nobody": "run-not-found",
        "listen digits --file gone.wav": "recording-not-found",
        "serve nowhere/": "folder-not-found",
        "train --resume nobody": "run-not-found",
        "train --data nowhere/": "corpus-not-found",
        "train --init-from nobody": "run-not-found",
        "evaluate digits --data nowhere": "corpus-not-found",
    }
    probe = (
        "import contextlib, importlib, io, re, sys\n"
        "from kerasr.core.cli import run_command\n"
        f"for line in {list(mistyped)}:\n"
        "    sys.argv = line.split()\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.suppress(SystemExit):\n"
        "        run_command(importlib.import_module(f'kerasr.{sys.argv[0]}').main)\n"
        "    print(line, '->', *re.findall(r'^error.([a-z-]+)', said.getvalue(), re.M))\n"
        "print('loaded:', *{name.split('.')[0] for name in sys.modules})\n"
    )
    answers, loaded = run("-c", probe, cwd=tmp_path).rsplit("loaded:", 1)
    assert answers.splitlines() == [f"{line} -> {codes}" for line, codes in mistyped.items()]
    assert not SLOW_TO_IMPORT & set(loaded.split())


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "kerasr.train", "--print-config"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_importing_kerasr_loads_no_framework(tmp_path):
    probe = "import kerasr, sys; dir(kerasr); print(*{name.split('.')[0] for name in sys.modules})"
    assert not SLOW_TO_IMPORT & set(run("-c", probe, cwd=tmp_path).split())


def test_a_command_leaves_scikit_learn_out_until_it_is_needed(tmp_path):
    probe = (
        "import sys; from kerasr.core.cli import import_quietly; import_quietly(); print('sklearn' in sys.modules); "
        "import keras, sklearn.metrics; print(bool(keras.layers.Dense and sklearn.metrics.roc_auc_score))"
    )
    assert run("-c", probe, cwd=tmp_path).split() == ["False", "True"]


@pytest.mark.parametrize("package", ["kerasr", "kerasr.models", "kerasr.data"])
def test_no_name_of_the_api_is_a_modules(package):
    """A module, once imported, would replace a function of the same name in its package."""
    api = importlib.import_module(package)
    modules = {module.name for module in pkgutil.iter_modules(api.__path__)}
    commands = {command.rpartition(".")[2] for command in COMMANDS}
    for name in api.__all__:
        if not isinstance(getattr(api, name), types.ModuleType):
            assert name not in modules | commands, f"{package}.{name} has the name of a module"


def test_every_import_is_a_requirement():
    required = names_of(requirements("options", "install_requires"))
    extras = names_of(
        requirement
        for extra in settings()["options.extras_require"]
        for requirement in requirements("options.extras_require", extra)
    )
    distributions = packages_distributions()
    for path in (ROOT / "kerasr").rglob("*.py"):
        extra = ROOMS_OF_EXTRAS.get(path.relative_to(ROOT / "kerasr").parts[0])
        at_once = required | names_of(requirements("options.extras_require", extra) if extra else [])
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for top in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"kerasr"}:
                known = {name.lower().replace("_", "-") for name in distributions.get(top, [top])}
                allowed = at_once if node in tree.body else required | extras | NOTEBOOK
                assert known & allowed, f"{path} imports {top}, which setup.cfg does not require"


def test_dev_brings_every_extra_that_the_tests_use():
    dev = requirements("options.extras_require", "dev")
    (own,) = [requirement for requirement in dev if requirement.name == "kerasr"]
    extras = set(settings()["options.extras_require"])
    assert own.extras <= extras
    # (What reads texts aloud is nearly a GB, for a test of the full table: .ci/run installs it for that.)
    assert extras - own.extras == {"dev", "microphone", "torch", "verbalize", "wandb"}


def test_version_is_the_changelogs():
    (version,) = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[:1]
    assert version == kerasr.__version__


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources so that the checkout stays as it is."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "kerasr", source / "kerasr", ignore=shutil.ignore_patterns("__pycache__"))
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", source, cwd=source)
    (built,) = (source / "dist").iterdir()
    return built


def test_wheel_holds_every_file(wheel):
    files = {path for path in (ROOT / "kerasr").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {path.relative_to(ROOT).as_posix() for path in files} <= inside
    assert not {name for name in inside if name.startswith(("tests", "benchmarks", "data_scripts"))}


@pytest.mark.full
def test_wheel_works_outside_the_checkout(wheel, tmp_path):
    site, words = tmp_path / "site", tmp_path / "words"
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel, cwd=tmp_path)
    rng = np.random.default_rng(0)
    for word, pitch in (("low", 300), ("high", 1500)):
        (words / word).mkdir(parents=True)
        for index in range(20):
            tone = np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * np.arange(8000) / 16000)
            audio.write(words / word / f"{index}.wav", (0.3 * tone).astype("float32"), 16000)

    def command(name, *arguments):
        return run("-m", f"kerasr.{name}", *arguments, cwd=tmp_path, PYTHONPATH=str(site))

    where = run("-c", "import kerasr; print(kerasr.__file__)", cwd=tmp_path, PYTHONPATH=str(site))
    assert Path(where.strip()).is_relative_to(site)
    assert "ResNet18" in command("models")
    command("train", "--data", words, "--epochs", "1", "--model", "Conv1DLSTM")
    (trained,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir() and not path.name.startswith("."))
    heard = json.loads(command("predict", trained, words / "low" / "0.wav", "--json"))
    assert heard["word"] in ("low", "high")
