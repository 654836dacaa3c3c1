"""Locks: one holder at a time, who is named, and none once its process is gone, however it went."""

import os
import subprocess
import sys
import threading

import pytest
from _errors import raises

from kerasr.core import locks

HOLD = """
import sys, time
from pathlib import Path
from kerasr.core import locks
with locks.hold_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_holder_is_named(tmp_path, holder):
    assert locks.is_held(tmp_path)
    with raises("run-locked", f"trained by process {holder.pid} on "), locks.hold_run(tmp_path):
        pytest.fail("two hold it")


def test_a_killed_holder_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / locks.LOCK).exists()
    assert locks.is_held(tmp_path) is False
    with locks.hold_run(tmp_path):
        assert locks.is_held(tmp_path)
    assert not os.listdir(tmp_path)


def test_who_only_looks_keeps_no_one_out(tmp_path):
    looking = locks.take(tmp_path / locks.LOCK, create=True)
    assert looking is not None
    threading.Timer(0.1, os.close, [looking]).start()
    with locks.hold_run(tmp_path):
        assert locks.take(tmp_path / locks.LOCK) is None


def test_a_lock_of_a_file_that_is_gone_is_none(tmp_path, monkeypatch):
    """Between opening and locking, its holder may have ended and removed it: another may have made a new one."""
    path = tmp_path / "file"
    path.touch()
    lock = locks._lock

    def replaced(handle):
        path.unlink()
        path.touch()
        return lock(handle)

    monkeypatch.setattr(locks, "_lock", replaced)
    with pytest.raises(FileNotFoundError):
        locks.take(path)


def test_a_link_or_a_pipe_in_the_place_of_a_lock_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / locks.LOCK).symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match=locks.LOCK), locks.hold_run(tmp_path):
        pytest.fail("it is held")
    assert locks.is_held(tmp_path) is None
    assert (tmp_path / "mine").read_text() == "mine"
    (tmp_path / locks.LOCK).unlink()
    os.mkfifo(tmp_path / locks.LOCK)
    # Nobody waits for someone to write into it.
    locks.is_held(tmp_path)


def test_a_file_system_without_locks_lets_everyone_train(tmp_path, monkeypatch):
    def missing(_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks, "_lock", missing)
    with locks.hold_run(tmp_path), locks.hold_run(tmp_path):
        assert locks.is_held(tmp_path) is None


def test_a_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(FileNotFoundError), locks.hold_run(tmp_path / "none"):
        pass
