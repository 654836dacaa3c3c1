"""What docs/listings.md promises of the residual networks: real shortcuts, which add like to like."""

import keras
import pytest

import kerasr

SHAPE = (97, 40)
BLOCKS = {"ResNet18": 8, "ResNet34": 16, "ResNet50": 16, "ResidualCNN": 1}


@pytest.fixture(scope="module", params=BLOCKS)
def network(request):
    return kerasr.builder(request.param)(SHAPE, 10, width=0.25, name=request.param)


def test_every_block_adds_its_shortcut_without_broadcasting(network):
    additions = [layer for layer in network.layers if isinstance(layer, keras.layers.Add)]
    assert len(additions) == BLOCKS[network.name]
    for layer in additions:
        residual, shortcut = layer.input
        assert residual.shape == shortcut.shape


def test_speech_has_one_channel(network):
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    assert first.input.shape[-1] == 1


def test_only_resnet50_has_bottlenecks():
    convolutions = {
        name: [
            layer
            for layer in kerasr.builder(name)(SHAPE, 10, width=0.25).layers
            if isinstance(layer, keras.layers.Conv2D)
        ]
        for name in ("ResNet34", "ResNet50")
    }
    # Two 3x3 a block, or one between two 1x1; the projections of three or four stages are 1x1 as well.
    narrow = {name: sum(layer.kernel_size == (1, 1) for layer in layers) for name, layers in convolutions.items()}
    assert narrow == {"ResNet34": 3, "ResNet50": 2 * 16 + 4}
