"""Each architecture has the parameters of its paper, at the paper's sizes."""

import numpy as np
import pytest

from kerasr.models.registry import builder, list_models

PUBLISHED = [
    pytest.param((facts.name, *row), id="-".join([facts.name, *map(str, row[0].values())]))
    for facts in list_models()
    for row in facts.published
]


def test_most_architectures_have_a_published_size():
    assert len({row.values[0][0] for row in PUBLISHED}) >= 11


@pytest.mark.parametrize("row", PUBLISHED)
def test_a_model_has_the_parameters_that_were_published(row):
    """Of the authors' own code, or as the paper prints them; the builder's module tells the difference."""
    name, options, shape, num_outputs, parameters, *off = row
    model = builder(name)(shape, num_outputs, **options)
    built = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert built == pytest.approx(parameters, rel=off[0] if off else 0)
