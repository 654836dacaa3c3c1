"""Losses that are taken in the model: the same as outside, and a voice that JAX has taught."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasr.config.serialization import to_json
from kerasr.runs.run import load_run
from kerasr.training.taught import Taught


def test_the_losses_in_the_model_are_those_outside(voice_run, rng):
    task, network, spec = voice_run.task, voice_run.network, voice_run.config.features
    features = rng.standard_normal((2, 12, spec.n_mels)).astype(np.float32)
    features[1, 8:] = 0.0
    # A voice and nothing; then each token and its frames.
    targets = keras.ops.convert_to_tensor(np.array([[0, 0, 1, 4, 2, 8], [1, 0, 3, 8, -1, -1]], np.int32))
    losses = task.loss(voice_run.config.fit)
    found = Taught(network, task, losses)(features, targets)
    given, right = task.arrange(features, targets)
    made = network(given)
    for name, loss in losses.items():
        outside = float(loss(right[name], made[name]))
        assert np.mean(found[name]) == pytest.approx(outside, rel=1e-5)
        assert np.shape(found[name]) == (2,)


@pytest.mark.full
def test_jax_teaches_a_voice_that_tensorflow_can_load(voice_config, tmp_path):
    code = (
        "import json, sys, numpy as np; from kerasr.config import TrainConfig, from_json; "
        "from kerasr.tasks import token_alignment; token_alignment.STEPS = 5; "
        "from kerasr.training.trainer import train_recipe; "
        "run = train_recipe(from_json(TrainConfig, json.loads(sys.argv[1]))); "
        "np.save(sys.argv[2], run.synthesize('low mid').log_mel)"
    )
    config = voice_config.replace(out=str(tmp_path))
    command = [sys.executable, "-c", code, json.dumps(to_json(config)), str(tmp_path / "said.npy")]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": "jax"}, capture_output=True)
    (path,) = tmp_path.glob("*/run.json")
    run = load_run(Path(path).parent)
    assert run.facts["backend"] == "jax"
    assert {"val_log_mel_loss", "val_log_durations_loss"} <= {*run.history[0]}
    np.testing.assert_allclose(run.synthesize("low mid").log_mel, np.load(tmp_path / "said.npy"), atol=1e-2)
