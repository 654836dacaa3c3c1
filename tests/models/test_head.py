"""A network comes apart into what knows sounds and what knows the words."""

import keras
import numpy as np
import pytest

from kerasr.models import encoder
from kerasr.models.registry import builder, list_models


@pytest.mark.parametrize("facts", [facts for facts in list_models() if facts.narrow], ids=lambda facts: facts.name)
def test_the_head_on_the_encoder_is_the_network(facts, rng):
    network = builder(facts.name)((40, 20), 3, **facts.narrow)
    features = rng.normal(size=(2, 40, 20)).astype("float32")
    whole, embedding = network(features), encoder(network)(features)
    logits = network.get_layer("logits")(embedding)
    if len(logits.shape) == 4:
        logits = keras.ops.mean(logits, axis=(1, 2))
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (whole, logits)), atol=1e-5)
