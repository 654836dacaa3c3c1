"""Run the notebooks and keep their outputs in them, for whoever reads them without running them.

    python data_scripts/notebooks.py                 all of them, some minutes each
    python data_scripts/notebooks.py 01_quickstart   some of them

Needs the corpora of the tests (`KERASR_DATA`) and the extra `dev`. Only in cells that are tagged `synthetic` a player
keeps its sound: no recording of a person is part of the project. `tests/test_notebooks.py` holds what is kept.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PLAYER = re.compile(r"<audio.*?</audio>", re.DOTALL)


def run_notebook(path: Path) -> None:
    """Run a notebook in a folder that is thrown away, and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, timeout=1800, resources=resources, record_timing=False).execute()
    notebook.metadata.language_info = {"name": "python"}  # Not the version of who ran it.
    for cell in notebook.cells:
        shorten_paths(cell)
        if "synthetic" not in cell.metadata.get("tags", ()):
            remove_sound(cell)
    nbformat.write(notebook, path)
    print(f"{path}: {path.stat().st_size / 1e3:,.0f} kB")


def shorten_paths(cell: nbformat.NotebookNode) -> None:
    """Say `$KERASR_DATA` for the folder that it names on this machine."""
    if folder := os.environ.get("KERASR_DATA"):
        for output in cell.get("outputs", ()):
            for place in (output, output.get("data", {})):
                for kind in {"text", "text/plain", "text/html"} & place.keys():
                    place[kind] = place[kind].replace(os.path.abspath(folder), "$KERASR_DATA")


def remove_sound(cell: nbformat.NotebookNode) -> None:
    """Take the sound out of a cell's players."""
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "text/html" in data and PLAYER.search(data["text/html"]):
            data["text/html"] = PLAYER.sub("(a player, once the notebook runs)", data["text/html"])


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        run_notebook(NOTEBOOKS / f"{name}.ipynb")
