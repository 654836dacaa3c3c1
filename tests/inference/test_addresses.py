"""Recordings named by their address, from a server on this machine: read as files are, and faults named with it."""

import functools
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
from _errors import raises

from kerasr.config import FeatureSpec
from kerasr.inference import download
from kerasr.inference.recordings import find_recordings, is_one, make_clip
from kerasr.presets import preset_folder

RECORDINGS = Path(preset_folder("digits"))
SPEC = FeatureSpec(sample_rate=8000)


class Handler(http.server.SimpleHTTPRequestHandler):
    """The folder's files, and two redirections."""

    def log_message(self, *_):
        """Write no log."""

    def do_GET(self):
        """Answer."""
        target = {"/moved.wav": "/sample.wav", "/away.wav": (RECORDINGS / "sample.wav").as_uri()}.get(self.path)
        if target is None:
            super().do_GET()
            return
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()


@pytest.fixture(scope="module")
def site():
    """The address of a preset's files, a recording among them."""
    handler = functools.partial(Handler, directory=str(RECORDINGS))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["sample.wav?version=1", "moved.wav"])
def test_an_address_is_a_recording(site, name):
    url = f"{site}/{name}"
    assert is_one(url)
    assert list(find_recordings([url])) == [url]
    clip, file = make_clip(url, SPEC), make_clip(RECORDINGS / "sample.wav", SPEC)
    np.testing.assert_array_equal(clip.waveform, file.waveform)
    assert (clip.path, clip.seconds, clip.end) == (url, file.seconds, file.end)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gone.wav", "recording-unavailable"),
        ("away.wav", "recording-unavailable"),
        ("card.md", "recording-unreadable"),
    ],
)
def test_what_cannot_be_had_or_is_no_sound_is_named(site, name, code):
    with raises(code, f"{site}/{name}"):
        make_clip(f"{site}/{name}", SPEC)


def test_what_is_too_large_is_not_fetched_to_its_end(site, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 100)
    with raises("recording-unavailable", f"{site}/sample.wav"):
        make_clip(f"{site}/sample.wav", SPEC)


def test_an_address_gives_a_files_name():
    names = {
        "https://example.org/a/clip%20one.wav?x=/y": "clip_one.wav",
        "https://example.org/": "recording",
        "https://example.org/%2e%2e": "recording",
        "https://example.org/a%2f..%2fb.wav": "b.wav",
    }
    assert {url: download.file_name(url) for url in names} == names
