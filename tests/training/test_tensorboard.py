"""What TensorBoard shows beside the curves."""

import shutil

import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasr.runs.run import load_run
from kerasr.training import tensorboard


def written(run):
    """What its pictures' log holds, by name."""
    logs = EventAccumulator(str(run.path / "tensorboard" / "pictures"), size_guidance={"tensors": 0}).Reload()
    return {name: logs.Tensors(name)[0] for name in logs.Tags()["tensors"]}


def test_a_voice_is_seen_and_heard_as_it_learns(voice_run, tmp_path, monkeypatch):
    run = load_run(shutil.copytree(voice_run.path, tmp_path / "run"))
    monkeypatch.setattr(tensorboard, "NUM_SENTENCES", 2)
    tensorboard.write_beginning(run)
    tensorboard.SaidSentences(run, run.network).on_epoch_end(3)
    tensorboard.write_end(run)
    found = written(run)
    names = {
        f"{kind}/{place} {what}" for kind in ("log-mel", "sound") for place in (1, 2) for what in ("recorded", "said")
    }
    assert {*found} == {"settings", *names}
    assert found["sound/1 said"].step == 3


def test_tensorboard_has_settings_clips_and_the_confusion_matrix(tone_run, tmp_path):
    run = load_run(shutil.copytree(tone_run, tmp_path / "run"))
    tensorboard.write_beginning(run)
    tensorboard.write_end(run)
    found = written(run)
    clips = {f"log-mel/{label}" for label in run.labels}
    assert {*found} == {"settings", "validation/confusion", "validation/calibration", *clips}
    assert f"batch_size: {run.config.fit.batch_size}" in tf.make_ndarray(found["settings"].tensor_proto)[()].decode()
    _, height, png = tf.make_ndarray(found["log-mel/low"].tensor_proto)
    assert int(height) == run.config.features.n_mels
    # A low tone sounds in the lower half.
    loud = tf.reduce_mean(tf.cast(tf.io.decode_png(png, channels=3), tf.float32), axis=(1, 2)).numpy().argmax()
    assert loud > int(height) / 2
    assert found["validation/confusion"].step == run.facts["best_epoch"] - 1
