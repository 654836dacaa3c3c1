"""The receptive field that is read off a network's layers is the one that its outputs have."""

import math

import keras
import numpy as np
import pytest

from kerasr.models.receptive_field import ReceptiveField, receptive_field
from kerasr.models.registry import builder, list_models, model_facts


def encoder(name, **options):
    """A narrow one, untrained."""
    keras.utils.set_random_seed(0)
    return builder(name)((None, 8), 3, **model_facts(name).narrow, **options)


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("ResNet8Encoder", 28),
        *(pytest.param(*each, marks=pytest.mark.full) for each in (("ResNetEncoder", 23), ("QuartzNet", 115))),
    ],
)
def test_what_is_further_away_changes_nothing_and_what_is_inside_does(name, frames, rng):
    network, stride = encoder(name), model_facts(name).stride
    field = receptive_field(network)
    assert field == ReceptiveField(frames, frames)
    features = rng.standard_normal((1, 2 * frames + 101, 8)).astype("float32")
    changed, place = features.copy(), frames + 50
    changed[0, place] += 50
    one, other = (network.predict(each, verbose=0)[0] for each in (features, changed))
    moved = stride * np.flatnonzero((one != other).any(-1))
    # (At the very edge of many layers little is left that float32 could tell.)
    assert place - frames <= moved.min() < place - 0.9 * frames
    assert place + 0.9 * frames < moved.max() <= place + frames


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(facts.name, marks=() if facts.name == "BiLSTMEncoder" else pytest.mark.full)
        for facts in list_models(per_frame=True)
    ],
)
def test_what_reads_whole_clips_has_no_end(name):
    field = receptive_field(encoder(name))
    assert field.is_finite == (name in ("ResNet8Encoder", "ResNetEncoder", "QuartzNet"))
    assert field.before == field.after


def test_a_layer_of_ones_own_may_read_anything():
    features = keras.Input((None, 4))
    x = keras.layers.Conv1D(2, 3, dilation_rate=2)(keras.layers.ZeroPadding1D((3, 1))(features))
    assert receptive_field(keras.Model(features, keras.layers.Dense(3)(x))) == ReceptiveField(3, 1)
    assert receptive_field(keras.Model(features, keras.ops.cumsum(x, axis=1))).after == math.inf
    assert receptive_field(keras.Model(features, keras.layers.Conv1D(2, 3, padding="same")(features))).after == math.inf
