"""Downloads, from a server on this machine: verified, unpacked inside of their folder, whole or not at all."""

import hashlib
import http.server
import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from _errors import raises

from kerasr import audio
from kerasr.core import regular
from kerasr.data import load_corpus
from kerasr.data.corpora import fsdd, speech_commands
from kerasr.data.corpora.download import install_archive, unpack, verify_files

HOUSE = Path(__file__).parents[2]
SCRIPTS = HOUSE / "data_scripts"


class Server:
    """Files by path over HTTP on the loopback address; `cut` paths break off halfway."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.requests = Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests[self.path] += 1
                content = outer.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if self.path in outer.cut else content)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def put(self, path, content):
        self.files[path] = content
        return f"http://127.0.0.1:{self.http.server_address[1]}{path}"


@pytest.fixture
def server():
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def tar_of(files, mode="w:gz", members=()):
    """A tar archive in memory with these files, and these members besides."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return memory.getvalue()


def zip_of(files, method=zipfile.ZIP_STORED):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


def link(name, target, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("pack", [tar_of, lambda files: tar_of(files, "w"), zip_of])
def test_an_archive_becomes_a_folder(tmp_path, server, pack):
    content = pack({"top-1.0/a/b.txt": b"one", "top-1.0/c.txt": b"two"})
    url = server.put("/top.archive", content)
    target = tmp_path / "deep" / "copy"
    install_archive(url, str(target), sha256=sha256(content))
    assert (target / "a" / "b.txt").read_bytes() == b"one"
    assert (target / "c.txt").read_bytes() == b"two"
    assert os.listdir(target.parent) == ["copy"]


def test_many_folders_at_the_top_stay(tmp_path, server):
    install_archive(server.put("/a.tar.gz", tar_of({"./yes/1.wav": b"1", "./no/1.wav": b"2"})), str(tmp_path / "copy"))
    assert sorted(os.listdir(tmp_path / "copy")) == ["no", "yes"]


def test_a_second_run_does_nothing(tmp_path, server):
    url = server.put("/a.tar.gz", tar_of({"a/1": b"1", "b/1": b"2"}))
    install_archive(url, str(tmp_path / "copy"))
    (tmp_path / "copy" / "mine").touch()
    install_archive(url, str(tmp_path / "copy"))
    assert server.requests["/a.tar.gz"] == 1
    assert (tmp_path / "copy" / "mine").exists()


def test_corrupted_bytes_are_refused(tmp_path, server):
    content = tar_of({"a/1": os.urandom(1000)})
    url = server.put("/a.tar.gz", content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with raises("download-damaged") as error:
        install_archive(url, str(tmp_path / "copy"), sha256=sha256(content))
    assert url in str(error.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [b"<html>log in to the hotel's network</html>" * 20, b"", tar_of({"a/1": os.urandom(5000)})[:2000]],
)
def test_what_is_no_archive_is_refused(tmp_path, server, content):
    url = server.put("/a.tar.gz", content)
    with raises("download-damaged"):
        install_archive(url, str(tmp_path / "copy"))
    assert os.listdir(tmp_path) == []


def test_a_broken_connection(tmp_path, server):
    content = tar_of({"a/1": os.urandom(100_000)})
    url = server.put("/a.tar.gz", content)
    server.cut.add("/a.tar.gz")
    with raises("corpus-unavailable"):
        install_archive(url, str(tmp_path / "copy"))
    assert os.listdir(tmp_path) == []
    server.cut.clear()
    install_archive(url, str(tmp_path / "copy"))
    assert os.listdir(tmp_path) == ["copy"]


def test_a_missing_file_and_no_network(tmp_path, server):
    url = server.put("/a.tar.gz", b"").replace("a.tar.gz", "b.tar.gz")
    with raises("corpus-unavailable") as error:
        install_archive(url, str(tmp_path / "copy"))
    assert url in str(error.value)
    with raises("corpus-unavailable") as error:
        install_archive("http://127.0.0.1:9/a.tar.gz", str(tmp_path / "copy"))
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        tar_of({"ok/1": b"1", "../evil": b"2"}),
        tar_of({"ok/../../evil": b"2"}),
        tar_of({"/tmp/kerasr-evil": b"2"}),
        tar_of({"C:\\evil": b"2"}),
        tar_of({}, members=[link("ok", "/etc/passwd", tarfile.SYMTYPE)]),
        tar_of({}, members=[link("ok", "..", tarfile.SYMTYPE)]),
        tar_of({"ok/1": b"1"}, members=[link("ok/2", "../../evil", tarfile.LNKTYPE)]),
        tar_of({}, members=[link("ok", "", tarfile.FIFOTYPE)]),
        zip_of({"../evil": b"2"}),
        zip_of({"ok/1": b"1", "ok/../../evil": b"2"}),
        zip_of({"/tmp/kerasr-evil": b"2"}),
    ],
    # An archive holds the second in which it was made, which two processes that collect the tests need not share.
    ids=[
        "tar-above",
        "tar-out-and-above",
        "tar-absolute",
        "tar-drive",
        "tar-link-absolute",
        "tar-link-above",
        "tar-hard-link",
        "tar-pipe",
        "zip-above",
        "zip-out-and-above",
        "zip-absolute",
    ],
)
def test_members_that_would_leave_the_folder_are_refused(tmp_path, server, content):
    url = server.put("/a.archive", content)
    with raises("archive-unsafe"):
        install_archive(url, str(tmp_path / "data" / "copy"))
    assert os.listdir(tmp_path) == ["data"]
    assert os.listdir(tmp_path / "data") == []
    assert not os.path.exists("/tmp/kerasr-evil")


def test_what_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(regular, "ALWAYS_BYTES", 1 << 16)
    zeros = {f"{number}": bytes(1 << 16) for number in range(9)}
    many = {f"{number}": b"" for number in range(300)}
    for number, content in enumerate((tar_of(zeros), zip_of(zeros, zipfile.ZIP_DEFLATED), tar_of(many))):
        (tmp_path / "a").write_bytes(content)
        with raises("archive-unsafe"):
            unpack(str(tmp_path / "a"), str(tmp_path / f"out{number}"))
    (tmp_path / "a").write_bytes(tar_of(zeros, "w"))
    unpack(str(tmp_path / "a"), str(tmp_path / "whole"))


def odd(content, place, value):
    """A zip archive with another number in its list of members."""
    start = content.index(b"PK\x01\x02") + place
    return content[:start] + value.to_bytes(2, "little") + content[start + 2 :]


@pytest.mark.parametrize(
    "content",
    [
        odd(zip_of({"a": b"1"}), 8, 1),
        odd(zip_of({"a": b"1"}), 10, 99),
        odd(zip_of({"a": b"1"}), 6, 88),
        tar_of({"a": random.Random(0).randbytes(9999)}, "w:xz")[:5000],
        tar_of({"a": random.Random(0).randbytes(9999)}, "w:bz2")[:5000] + bytes(2000),
    ],
    ids=["encrypted", "unknown-method", "of-the-future", "half-of-xz", "zeros-in-bz2"],
)
def test_archives_that_cannot_be_unpacked_are_one_line(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with raises("download-damaged") as error:
        unpack(str(tmp_path / "a"), str(tmp_path / "out"))
    assert "\n" not in str(error.value)


def test_unpack_names_the_archive(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"../evil": b"2"}))
    with raises("archive-unsafe"):
        unpack(str(tmp_path / "a.tar.gz"), str(tmp_path / "out"))


def test_files_are_compared_with_a_list(tmp_path):
    (tmp_path / "copy").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "copy" / name).write_bytes(name.encode())
    listed = tmp_path / "list.sha256"
    listed.write_text("".join(f"{sha256(name.encode())}  {name}\n" for name in ("a.wav", "b.wav")))
    verify_files(str(tmp_path / "copy"), str(listed))
    (tmp_path / "copy" / "b.wav").write_bytes(b"c.wav")
    with raises("corpus-incomplete"):
        verify_files(str(tmp_path / "copy"), str(listed))
    (tmp_path / "copy" / "b.wav").unlink()
    with raises("corpus-incomplete"):
        verify_files(str(tmp_path / "copy"), str(listed))
    shutil.copy(tmp_path / "copy" / "a.wav", tmp_path / "copy" / "c.wav")
    (tmp_path / "copy" / "b.wav").write_bytes(b"b.wav")
    with raises("corpus-incomplete"):
        verify_files(str(tmp_path / "copy"), str(listed))


def wav(tmp_path) -> bytes:
    audio.write(tmp_path / "tone.wav", np.sin(np.arange(800) / 5), 8000)
    return (tmp_path / "tone.wav").read_bytes()


def test_speech_commands_from_its_archive(tmp_path, server):
    tone = wav(tmp_path)
    names = [f"./{word}/{number:08x}_nohash_0.wav" for word in ("bed", "yes") for number in range(4)]
    lists = {"./validation_list.txt": names[0][2:].encode(), "./testing_list.txt": names[1][2:].encode()}
    content = tar_of({**dict.fromkeys(names, tone), **lists, "./_background_noise_/rain.wav": tone})
    url = server.put("/speech_commands_v0.02.tar.gz", content)
    folder = tmp_path / "speech_commands"
    with raises("download-damaged"):
        speech_commands.download_speech_commands(str(folder), url)
    speech_commands.download_speech_commands(str(folder), url, sha256(content))
    corpus = load_corpus(str(folder))
    assert (corpus.name, corpus.labels, len(corpus.noise)) == ("speech_commands", ("bed", "yes"), 1)
    # Who is listed with one word is not heard in training with another.
    assert Counter(item.split for item in corpus.utterances) == {"validation": 2, "test": 2, "train": 4}


def test_fsdd_must_be_the_published_recordings(tmp_path, server):
    url = server.put(
        "/v1.0.10.tar.gz", tar_of({"free-spoken-digit-dataset-1.0.10/recordings/0_a_0.wav": wav(tmp_path)})
    )
    with raises("corpus-incomplete"):
        fsdd.download_fsdd(str(tmp_path / "copy"), url)
    assert not (tmp_path / "copy").exists()


def test_fsdd_from_its_archive(tmp_path, server, fsdd_folder):
    top = "free-spoken-digit-dataset-1.0.10"
    files = {f"{top}/recordings/{path.name}": path.read_bytes() for path in fsdd_folder.glob("*.wav")}
    url = server.put("/v1.0.10.tar.gz", tar_of({f"{top}/README.md": b"FSDD", **files}, "w"))
    fsdd.download_fsdd(str(tmp_path / "copy"), url)
    fsdd.download_fsdd(str(tmp_path / "copy"), url)
    assert server.requests["/v1.0.10.tar.gz"] == 1
    assert len(load_corpus(str(tmp_path / "copy")).utterances) == 3000


def run_script(script, *arguments, **environment):
    """A script as a user runs it, with these environment variables besides."""
    return subprocess.run(
        [sys.executable, SCRIPTS / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HOUSE), **environment},
    )


@pytest.mark.parametrize("script", ["fsdd.py", "speech_commands.py", "synthetic_digits.py"])
def test_scripts_explain_themselves(script):
    done = run_script(script, "--help")
    assert done.returncode == 0
    assert "python -m kerasr.train" in done.stdout


def test_a_script_writes_the_manifest_once(tmp_path):
    tone = wav(tmp_path)
    recordings = tmp_path / "copy" / "recordings"
    recordings.mkdir(parents=True)
    for digit in (0, 1):
        for index in range(12):
            (recordings / f"{digit}_theo_{index}.wav").write_bytes(tone)

    def run():
        return run_script("fsdd.py", "--folder", tmp_path / "copy").stdout

    assert "24 recordings, 2 labels, 1 speakers" in run()
    assert "nothing to do" in run()
    listed = load_corpus(str(tmp_path / "copy" / "manifest.csv"))
    assert Counter(item.split for item in listed.utterances) == {"test": 10, "validation": 10, "train": 4}


def test_a_script_without_network_ends_in_one_line(tmp_path):
    done = run_script("fsdd.py", "--folder", tmp_path / "copy", https_proxy="http://127.0.0.1:9")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error[corpus-unavailable]: https://github.com/Jakobovski/free-spoken-digit-dataset/")
    assert "Traceback" not in done.stderr
