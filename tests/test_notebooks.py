"""The notebooks run from top to bottom, with a small budget, and keep outputs that can be shown to anybody."""

import json
import re
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
MAX_BYTES = 1_500_000
# A path from the root on: of the machine on which the notebooks were run.
MACHINE_PATH = re.compile(r"(?<![\w.<:/-])(?:/[\w.+-]+){2,}|[A-Z]:\\\\")
PLAYER, QUIET = "data:audio", "import_quietly()"


def outputs(path):
    """The outputs that a notebook keeps, each with its cell."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            yield cell, output


def texts(output):
    """What an output says to somebody who reads it, without pictures and sounds."""
    data = output.get("data", {})
    kept = [output.get("text", ""), *(value for kind, value in data.items() if kind.startswith("text/"))]
    return re.sub(r"data:[\w/]+;base64,[\w+/=]+", "", "\n".join(kept))


def _few_of_an4(whole, folder):
    """A copy of AN4 whose training part is a fifth: in both its lists and in its folder."""
    shutil.copytree(whole / "etc", folder / "etc")
    (folder / "wav").mkdir()
    for part in (whole / "wav").iterdir():
        if part.name != "an4_clstk":
            (folder / "wav" / part.name).symlink_to(part.resolve())
    for kind in ("fileids", "transcription"):
        listed = (whole / "etc" / f"an4_train.{kind}").read_text().splitlines(keepends=True)
        (folder / "etc" / f"an4_train.{kind}").write_text("".join(listed[::5]))
    for fileid in (folder / "etc" / "an4_train.fileids").read_text().split():
        (recording,) = (whole / "wav").glob(f"{fileid}.*")
        place = folder / "wav" / recording.relative_to(whole / "wav")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(recording.resolve())


@pytest.fixture
def few_recordings(fsdd_folder, an4_folder, tmp_path):
    """A third of FSDD's recordings and a fifth of AN4's: all speakers, all words."""
    digits = tmp_path / "data" / fsdd_folder.parent.name / fsdd_folder.name
    digits.mkdir(parents=True)
    for path in fsdd_folder.glob("*.wav"):
        if int(path.stem.rpartition("_")[2]) < 16:
            (digits / path.name).symlink_to(path.resolve())
    _few_of_an4(an4_folder, tmp_path / "data" / "an4")
    return tmp_path / "data"


@pytest.mark.full
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, few_recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASR_QUICK", "1")
    monkeypatch.setenv("KERASR_DATA", str(few_recordings))
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert list(tmp_path.glob("runs/*/report.html"))
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output["text"] for output in shown if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_quiet_before_anything_is_imported(path):
    first = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    assert first.source.splitlines()[0] == "import kerasr"
    assert first.source.splitlines()[-1].startswith(QUIET)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_what_it_showed_and_nothing_of_the_machine(path):
    assert path.stat().st_size < MAX_BYTES
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run data_scripts/notebooks.py"
    for cell, output in outputs(path):
        assert output.output_type != "error", f"{cell.id} ends with {output.get('ename')}"
        assert output.get("name") != "stderr", f"{cell.id} has a red block: {output['text'][:200]}"
        found = MACHINE_PATH.search(re.sub(r"</?\w[^>]*>", " ", texts(output)))
        assert not found, f"{cell.id} shows {found[0]}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_recording_of_a_person_is_kept(path):
    for cell, output in outputs(path):
        if PLAYER in json.dumps(output):
            assert "synthetic" in cell.metadata.get("tags", ()), f"{cell.id} keeps a sound: data_scripts/notebooks.py"
