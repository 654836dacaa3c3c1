"""Which models and versions are served, as they come, go and break, and as a `models.config` asks.

Statuses and messages are TensorFlow Serving's. Where a test holds one, it names the file and function that gives it, of
https://github.com/tensorflow/serving if it does not say TensorFlow's.
"""

import asyncio
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from _client import clips, make_request, serving, to_arrays, wait_until

from kerasr.core import cli
from kerasr.exporters.serving import EXTRA, WARM_UP, export_serving
from kerasr.runs.run import load_run
from kerasr.serving.folders import Source, find_sources, versions_of
from kerasr.serving.metrics import Metrics
from kerasr.serving.models import Models

# To play the recorded requests takes most of a load; for tests that are of something else.
WITHOUT_WARM_UP = shutil.ignore_patterns(WARM_UP)


@pytest.fixture(scope="module")
def versions(folder, tmp_path_factory):
    """The model's version and another, which answers differently; a test serves copies of them."""
    versions = shutil.copytree(folder / "tones", tmp_path_factory.mktemp("versions") / "tones")
    shutil.copytree(versions / "1", versions / "2")
    # The first one's graph with another bias: a second export would take seconds.
    changed = tf.saved_model.load(str(versions / "2"))
    default = changed.signatures["serving_default"]
    (bias,) = (variable for variable in default.variables if variable.name == "logits/bias:0")
    bias.assign_add([3.0, 0.0, -1.0])
    tf.train.Checkpoint(changed).write(str(versions / "2" / "variables" / "variables"))
    return versions


def test_versions_come_and_go_without_a_failed_request(versions, model, tmp_path):
    tones = tmp_path / "serving" / "tones"
    shutil.copytree(versions / "1", tones / "1")
    waveform = clips(1, 1200)
    old = model("serving_default", waveform=waveform)["logits"]
    new = tf.saved_model.load(str(versions / "2")).signatures["serving_default"](waveform=waveform)["logits"].numpy()
    assert abs(new - old).max() > 0.5
    with serving(tones) as client:
        stop, answers = threading.Event(), []

        def ask():
            while not stop.is_set():
                answers.append(client.predict(waveform=waveform)["logits"])
                answers.append(
                    np.array(client.post({"inputs": waveform.tolist()}).json()["outputs"]["logits"], np.float32)
                )

        def state(version):
            found = client.get(f"/v1/models/tones/versions/{version}").json()
            return found["model_version_status"][0]["state"] if "error" not in found else ""

        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(ask) for _ in range(2)]
            # One that cannot be loaded leaves the old one in its place, and is told.
            (tones / "2").mkdir()
            (tones / "2" / "saved_model.pb").write_bytes(b"half of it")
            wait_until(lambda: state(2) == "END")
            assert state(1) == "AVAILABLE"
            found = client.get("/v1/models/tones/versions/2").json()["model_version_status"][0]["status"]
            assert found["error_code"] != "OK"
            assert found["error_message"]
            # Mended, it takes over.
            shutil.rmtree(tones / "2")
            shutil.copytree(versions / "2", tmp_path / "beside")
            (tmp_path / "beside").rename(tones / "2")
            wait_until(lambda: state(2) == "AVAILABLE" and state(1) == "END")
            count = len(answers)
            wait_until(lambda: len(answers) > count + 20)
            # Back to the old one, as after a bad export.
            shutil.rmtree(tones / "2")
            wait_until(lambda: state(1) == "AVAILABLE" and state(2) == "END")
            count = len(answers)
            wait_until(lambda: len(answers) > count + 20)
            stop.set()
            for one in asking:
                one.result()
        seen = ["old" if np.abs(answer - old).max() < 1e-5 else "new" for answer in answers]
        for name, answer in zip(seen, answers, strict=True):
            np.testing.assert_allclose(answer, old if name == "old" else new, atol=1e-5)
        assert seen[0] == seen[-1] == "old"
        assert "new" in seen
        assert client.metric("kerasr_serve_requests_total", method="Predict") == client.metric(
            "kerasr_serve_requests_total", method="Predict", status="OK"
        )
        assert any("tones 2 cannot be loaded" in line for line in client.lines)
        assert any("tones 1 is unloaded" in line for line in client.lines)


def test_a_version_whose_warm_up_fails_is_not_served(versions, tmp_path):
    """servables/tensorflow/saved_model_warmup_util.cc, RunSavedModelWarmup: the version fails to load."""
    shutil.copytree(versions / "1", tmp_path / "tones" / "1")
    (tmp_path / "tones" / "1" / EXTRA / WARM_UP).write_bytes(b"no record" * 100)
    with pytest.raises(cli.UserError, match="no model in it can be loaded"), serving(tmp_path):
        pass


def test_an_older_version_is_served_while_the_newest_is_broken(versions, tmp_path):
    for name in ("1", "2"):
        shutil.copytree(versions / name, tmp_path / "tones" / name, ignore=WITHOUT_WARM_UP)
    (tmp_path / "tones" / "2" / "saved_model.pb").write_bytes(b"damaged")
    with serving(tmp_path) as client:
        assert sorted(client.models_served()) == [1]
        assert any("tones 2 cannot be loaded" in line for line in client.lines)
        shutil.copy(versions / "2" / "saved_model.pb", tmp_path / "tones" / "2" / "saved_model.pb")
        wait_until(lambda: client.models_served() == [2])


def test_a_models_config_gives_labels_and_policies(versions, model, tmp_path):
    shutil.copytree(versions, tmp_path / "tones", ignore=WITHOUT_WARM_UP)
    (tmp_path / "models.config").write_text(
        'model_config_list { config { name: "words" base_path: "/models/tones" model_platform: "tensorflow"\n'
        "  model_version_policy { specific { versions: 1 versions: 2 } }\n"
        '  version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 } } }\n'
    )
    waveform = clips(1, 900)
    old = model("serving_default", waveform=waveform)["logits"]
    with serving(tmp_path / "models.config") as client:
        body, answers = {"inputs": waveform.tolist()}, {}
        for part in ("", "/versions/1", "/versions/2", "/labels/stable", "/labels/canary"):
            answers[part] = client.post(body, path=f"/v1/models/words{part}:predict").json()["outputs"]["logits"]
        np.testing.assert_allclose(answers["/labels/stable"], old, atol=1e-6)
        assert answers["/versions/1"] == answers["/labels/stable"]
        assert answers[""] == answers["/versions/2"] == answers["/labels/canary"] != answers["/versions/1"]
        request = make_request(label="stable", name="words", waveform=waveform)
        np.testing.assert_allclose(to_arrays(client.predictions.Predict(request))["logits"], old, atol=1e-6)
        assert [one["version"] for one in client.get("/v1/models/words").json()["model_version_status"]] == ["2", "1"]
        # A file that is being written changes nothing.
        (tmp_path / "models.config").write_text("model_config_list { config {")
        wait_until(lambda: any("cannot look for models" in line for line in client.lines))
        assert client.post(body, path="/v1/models/words:predict").status_code == 200


def test_what_a_models_config_lists_and_is_not_there_is_told_once(tmp_path):
    (tmp_path / "tones" / "1").mkdir(parents=True)
    listed, lines = tmp_path / "models.config", []
    config = 'config { name: "typo" base_path: "/models/tonez" }\n'
    pinned = 'config { name: "pinned" base_path: "/models/tones" model_version_policy { specific { versions: 9 } } }\n'
    listed.write_text(f"model_config_list {{ {config} {pinned} }}")
    models = Models(listed, Metrics(), lines.append)
    for _ in range(2):
        asyncio.run(models.refresh())
    assert len(lines) == 2
    assert lines[0].startswith(f"typo: {tmp_path / 'tonez'} holds no version; ")
    assert lines[1].startswith(f"pinned: its policy asks for the versions 9, and {tmp_path / 'tones'} has 1; ")
    assert "asks for the versions 1, 9" in Source("tones", tmp_path / "tones", "specific", specific=(1, 9)).complaint()
    assert Source("tones", tmp_path / "tones", "specific", specific=(1,)).complaint() == ""
    # model_servers/server_core.cc, ValidateModelConfigList.
    listed.write_text(f"model_config_list {{ {config} {config} }}")
    with pytest.raises(cli.UserError, match="Illegal to list model typo multiple times in config list"):
        asyncio.run(models.refresh())


def test_a_model_whose_name_is_a_number_hides_no_other(tone_run, tmp_path):
    for version in ("tones/1", "tones/2", "7/1"):
        (tmp_path / version).mkdir(parents=True)
        (tmp_path / version / "saved_model.pb").touch()
    assert [source.name for source in find_sources(tmp_path)] == ["7", "tones"]
    assert find_sources(tmp_path / "tones") == [Source("tones", tmp_path / "tones")]
    with pytest.raises(cli.UserError, match="'8' becomes the model's name"):
        export_serving(load_run(tone_run), tmp_path / "8")
    assert not (tmp_path / "8").exists()
    with pytest.raises(cli.UserError, match="holds the model 7, and a server would take it for one model"):
        export_serving(load_run(tone_run), tmp_path)


def test_numbers_that_the_protocol_has_no_room_for_are_no_versions(tmp_path):
    for name in ("001", "20", str(2**63 - 1), str(2**63), "20261121093000123456", "٣", "²"):
        (tmp_path / name).mkdir()
    assert versions_of(tmp_path) == [1, 20, 2**63 - 1]
