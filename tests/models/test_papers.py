"""Each architecture has the parameters of its paper, at the paper's sizes."""

import numpy as np
import pytest

from kerasr.models.registry import builder

# Trainable parameters of the authors' own code, for their features and words.
PUBLISHED = [
    ("BCResNet", {"tau": 1}, (101, 40), 12, 9_232),
    ("BCResNet", {"tau": 1.5}, (101, 40), 12, 17_154),
    ("BCResNet", {"tau": 2}, (101, 40), 12, 27_284),
    ("BCResNet", {"tau": 3}, (101, 40), 12, 54_168),
    ("BCResNet", {"tau": 6}, (101, 40), 12, 187_812),
    ("BCResNet", {"tau": 8}, (101, 40), 12, 321_068),
    ("TCResNet8", {}, (98, 40), 12, 65_168),
    ("TCResNet8", {"width": 1.5}, (98, 40), 12, 144_264),
    ("TCResNet14", {}, (98, 40), 12, 135_856),
    ("TCResNet14", {"width": 1.5}, (98, 40), 12, 303_000),
    ("DSCNN", {}, (49, 10), 12, 23_756),
    ("MatchboxNet", {}, (128, 64), 30, 77_214),
    ("MatchboxNet", {"num_repeats": 2}, (128, 64), 30, 92_766),
    ("AttRNN", {}, (None, 80), 36, 201_225),
    ("MHAttRNN", {}, (None, 20), 12, 743_025),
    ("KWT1", {}, (98, 40), 12, 607_308),
    ("KWT2", {}, (98, 40), 12, 2_394_252),
    ("KWT3", {}, (98, 40), 12, 5_360_844),
]
# What the paper prints, where there is no code of the authors; the builder's module tells the difference.
PRINTED = [("CRNN", {}, (151, 40), 2, 229_000)]


def count_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(("name", "options", "shape", "num_outputs", "parameters"), PUBLISHED)
def test_a_model_has_the_parameters_of_its_authors_code(name, options, shape, num_outputs, parameters):
    assert count_parameters(builder(name)(shape, num_outputs, **options)) == parameters


@pytest.mark.parametrize(("name", "options", "shape", "num_outputs", "parameters"), PRINTED)
def test_a_model_has_about_the_parameters_that_its_paper_prints(name, options, shape, num_outputs, parameters):
    assert count_parameters(builder(name)(shape, num_outputs, **options)) == pytest.approx(parameters, rel=0.02)
