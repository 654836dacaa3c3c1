"""Each architecture has the parameters of its paper, at the paper's sizes."""

import pytest

from kerasr.registry import builder

# Exact where the authors' code is public (their layers, counted at their features and outputs), else what the paper
# prints; the share by which ours may differ, which the model's docstring explains.
TABLE = [
    pytest.param("MatchboxNet", {}, (128, 64), 30, 77_214, 0, id="MatchboxNet-3x1x64"),
    pytest.param("MatchboxNet", {"num_repeats": 2}, (128, 64), 30, 92_766, 0, id="MatchboxNet-3x2x64"),
    pytest.param("CRNN", {}, (151, 40), 2, 229_000, 0.02, id="CRNN"),
    pytest.param("AttRNN", {}, (None, 80), 36, 201_225, 0, id="AttRNN"),
    pytest.param("MHAttRNN", {}, (None, 20), 12, 743_025, 0, id="MHAttRNN"),
    pytest.param("KWT1", {}, (98, 40), 12, 607_308, 0, id="KWT1"),
    pytest.param("KWT2", {}, (98, 40), 12, 2_394_252, 0, id="KWT2"),
    pytest.param("KWT3", {}, (98, 40), 12, 5_360_844, 0, id="KWT3"),
]


@pytest.mark.parametrize(("name", "options", "shape", "num_outputs", "parameters", "tolerance"), TABLE)
def test_parameters_are_those_of_the_paper(name, options, shape, num_outputs, parameters, tolerance):
    model = builder(name)(shape, num_outputs, **options)
    trainable = sum(weight.shape.num_elements() for weight in model.trainable_weights)
    assert trainable == pytest.approx(parameters, rel=tolerance, abs=0)
