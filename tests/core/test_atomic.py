"""Files and folders are whole or absent, and what kills leave half made does not stay."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasr.core import atomic

STAGE = """
import sys, time
from kerasr.core import atomic
with atomic.new_file(sys.argv[1] + "/a.keras"), atomic.staging_folder(sys.argv[1]) as folder:
    open(folder + "/part", "w").close()
    print("made", flush=True)
    time.sleep(600)
"""
WRITE = """
import itertools, sys
from kerasr.core import atomic
for number in itertools.count():
    atomic.write_bytes(sys.argv[1], bytes([number % 256]) * 300_000)
"""


def test_what_a_living_process_makes_stays_until_it_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", STAGE, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        made = sorted(os.listdir(tmp_path))
        assert len(made) == 2
        assert atomic.sweep(tmp_path) == []
        process.kill()
    assert sorted(os.listdir(tmp_path)) == made
    # The next to write there, whoever it is.
    atomic.write_bytes(tmp_path / "b", b"")
    assert os.listdir(tmp_path) == ["b"]


def test_own_names_alone_are_swept(tmp_path):
    for name in ("a.part", ".kerasr-settings", ".export-mine"):
        (tmp_path / name).mkdir()
    (tmp_path / ".kerasr-link.part").symlink_to(tmp_path / "a.part")
    (tmp_path / ".kerasr-1.part.keras").touch()
    (tmp_path / ".kerasr-2.part").mkdir()
    assert sorted(atomic.sweep(tmp_path)) == [str(tmp_path / ".kerasr-1.part.keras"), str(tmp_path / ".kerasr-2.part")]
    assert len(os.listdir(tmp_path)) == 4
    assert atomic.sweep(tmp_path / "none") == []


def test_who_is_swept_before_holding_what_it_makes_makes_it_anew(tmp_path, monkeypatch):
    take, swept = atomic.locks.take, []

    def late(path):
        if not swept:
            monkeypatch.setattr(atomic.locks, "take", take)
            swept.extend(atomic.sweep(tmp_path))
        return take(path)

    atomic.write_bytes(tmp_path / "a", b"")
    monkeypatch.setattr(atomic.locks, "take", late)
    atomic.write_bytes(tmp_path / "a", b"whole")
    assert len(swept) == 1
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a"]


def test_no_kill_lets_anyone_see_a_part(tmp_path):
    path, rng = tmp_path / "a", random.Random(0)
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", WRITE, path]) as process:
            end = time.monotonic() + 10
            while not path.exists() and time.monotonic() < end:
                time.sleep(0.01)
            for _ in range(rng.randrange(50, 300)):
                content = path.read_bytes()
                assert content == content[:1] * 300_000
            process.kill()
    atomic.sweep(tmp_path)
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "model.keras").symlink_to(tmp_path / "mine")
    names = set()
    for _ in range(2):
        with atomic.new_file(tmp_path / "model.keras") as beside:
            names.add(beside)
            Path(beside).write_text("new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "model.keras").read_text() == "new"
    # Two that write at once, and who knew the name before, have nothing in common.
    assert len(names) == 2


def test_files_may_be_read_by_whom_the_umask_lets(tmp_path):
    old = os.umask(0o027)
    try:
        atomic.write_bytes(tmp_path / "a", b"")
        with atomic.new_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o750


def test_a_folder_that_is_missing_is_told_by_the_files_own_name(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        atomic.write_bytes(tmp_path / "none" / "a", b"")
    assert error.value.filename == str(tmp_path / "none" / "a")
