"""The tones' model, exported once, and a server of it that most tests share."""

import threading

import numpy as np
import pytest
import tensorflow as tf
from _client import assert_same, clips, serving

from kerasr.exporters.saved_model import write_saved_model
from kerasr.exporters.serving import EXTRA, WARM_UP, recogniser_requests, write_warm_up
from kerasr.runs.run import load_run
from kerasr.serving import batching


@pytest.fixture(scope="session")
def folder(tone_run, tmp_path_factory):
    """A folder of one model with one version; a test that changes it takes a copy."""
    folder = tmp_path_factory.mktemp("serving")
    version, run = folder / "tones" / "1", load_run(tone_run)
    write_saved_model(run, str(version))
    (version / EXTRA).mkdir()
    write_warm_up(recogniser_requests(run, None), "tones", version / EXTRA / WARM_UP)
    return folder


@pytest.fixture(scope="session")
def model(folder):
    """What the version answers in this process: signature and inputs to outputs."""
    signatures = tf.saved_model.load(str(folder / "tones" / "1")).signatures
    return lambda name, **inputs: {
        key: value.numpy()
        for key, value in signatures[name](**{key: tf.constant(value) for key, value in inputs.items()}).items()
    }


@pytest.fixture(scope="session")
def client(folder):
    """Of a server that most tests share: each leaves it able to answer the next."""
    # No version comes, and it runs beside whatever else this process tests: it seldom looks.
    with serving(folder, poll_seconds=60) as client:
        yield client


@pytest.fixture(scope="session")
def wavs(tones):
    return [path.read_bytes() for path in sorted(tones.rglob("*.wav"))[:3]]


@pytest.fixture
def gate(monkeypatch):
    """Holds batches back before they run, until it is set."""
    gate = threading.Event()
    run = batching.run_together

    def wait_and_run(*arguments):
        assert gate.wait(30)
        return run(*arguments)

    monkeypatch.setattr(batching, "run_together", wait_and_run)
    yield gate
    gate.set()


@pytest.fixture
def harmless(client, model):
    """After whatever a test sent, the next request is answered, and exactly."""
    yield
    waveform = clips(2, 3000, seed=9)
    assert_same(client.predict(waveform=waveform), model("serving_default", waveform=waveform))
    rows = client.post({"instances": waveform.tolist()}).json()["predictions"]
    np.testing.assert_allclose(
        [row["logits"] for row in rows], model("serving_default", waveform=waveform)["logits"], atol=1e-6
    )
