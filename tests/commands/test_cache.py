"""`kerasr cache`: what is kept, and that cleaning takes nothing from a process that reads it, or that is a person's."""

import io
import os
import subprocess
import sys

import pytest
from _errors import raises

from kerasr import cache
from kerasr.data.corpora.user_cache import made_folder
from kerasr.data.manifest import Utterance, write_manifest
from kerasr.runs.facts import FACTS, MANIFEST

KINDS = {"free-spoken-digit-dataset": "corpus", "mine": "other", "mine-0123456789ab": "other"}
MADE = {
    "negatives": "negatives",
    "speech_commands-silence": "silence",
    "synthetic": "voices",
    "flite": "voices",
    "voice": "voices",
}
READ = "import sys; from kerasr.data.corpora.user_cache import mark_used; mark_used(sys.argv[1:]); print(); input()"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cache with a folder of each kind, used long ago, and no runs; the folders' kinds by name."""
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    kinds = KINDS | {os.path.basename(made_folder("", name, [1])): kind for name, kind in MADE.items()}
    for name in kinds:
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "clip.wav").write_bytes(bytes(2000))
        os.utime(tmp_path / name, (0, 0))
    return kinds


@pytest.fixture
def reader(tmp_path):
    """Start a process that reads these files and folders of the cache, until it is killed."""
    processes = []

    def start(*paths):
        process = subprocess.Popen(
            [sys.executable, "-c", READ, *map(str, paths)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        processes.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def left(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_every_folder_is_listed_with_its_kind_and_size(kept, tmp_path, capsys):
    cache.main([])
    *rows, total = capsys.readouterr().out.splitlines()[1:]
    assert {row.split()[0]: row.split()[1] for row in rows} == kept
    assert all("2.0 kB" in row for row in rows)
    assert f"{tmp_path} " in total
    assert "8 folders, 16.0 kB" in total


def test_cleaning_leaves_what_cannot_be_had_again(kept, tmp_path, capsys):
    half = tmp_path / ".kerasr-x.part"
    half.mkdir()
    cache.main(["voices", "--clean", "--yes"])
    assert left(tmp_path) == {name for name, kind in kept.items() if kind != "voices"}
    cache.main(["--clean", "--yes"])
    assert left(tmp_path) == {name for name, kind in kept.items() if kind == "other"}
    assert not half.exists()
    assert "downloaded again" in capsys.readouterr().out


def test_cleaning_leaves_what_a_process_reads_until_it_dies(kept, tmp_path, reader, capsys):
    used = next(name for name, kind in kept.items() if kind == "negatives")
    process = reader(tmp_path / used / "deep" / "clip.wav", "/elsewhere/clip.wav")
    cache.main(["negatives", "--clean", "--yes"])
    assert used in left(tmp_path)
    assert os.stat(tmp_path / used).st_mtime > 0
    assert f"{used}: a running process reads it" in capsys.readouterr().out
    process.kill()
    process.communicate()
    cache.main(["negatives", "--clean", "--yes"])
    assert used not in left(tmp_path)


def test_cleaning_leaves_what_runs_need(kept, tmp_path, tmp_path_factory, capsys):
    spoken = next(name for name, kind in kept.items() if kind == "voices")
    runs = tmp_path_factory.mktemp("runs")
    for name in ("1", "2"):
        run = runs / "deep" / name
        run.mkdir(parents=True)
        (run / FACTS).write_text("{}")
        write_manifest(run / MANIFEST, [Utterance(str(tmp_path / spoken / "deep" / "clip.wav"), "yes")])
    (run / MANIFEST).write_text("nonsense")
    cache.main(["--clean", "--yes", "--runs", str(runs)])
    out = capsys.readouterr().out
    assert {row.split()[0]: row.split()[-1] for row in out.splitlines()[1 : 1 + len(kept)]} == {
        name: str(int(name == spoken)) for name in kept
    }
    assert str(runs / "deep" / "1") in out
    assert left(tmp_path) == {spoken} | {name for name, kind in kept.items() if kind == "other"}
    cache.main(["--clean", "--yes", "--needed", "--runs", str(runs)])
    assert spoken not in left(tmp_path)


def test_without_a_terminal_it_asks_for_yes(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with raises("setting-missing", "--yes"):
        cache.main(["--clean"])
    assert left(tmp_path) == set(kept)
