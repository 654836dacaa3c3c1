"""ResidualCNN: three 3x3 convolutions around one projected shortcut. Small and quick on a CPU; the default model.

The convolutions (32, 64, 128 filters, batch norm, ReLU) go over time and feature with stride 2 each. The shortcut
averages the input over the same 8x8 cells and projects them to 128 channels by a 1x1 convolution, so that what is added
has the same shape and every channel has weights of its own. The pooling takes the maximum over time and keeps the
feature axis: which band a sound is in says which sound it is, and a network this shallow sees too little of the
picture to know that from inside it.

`python benchmarks/accuracy.py --models ResidualCNN` measures it on FSDD's official split, `python benchmarks/zoo.py` on
unseen speakers.

Source: the residual CNN listing of the textbooks (docs/listings.md), put right; He et al., "Deep Residual Learning for
Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385.
"""

import keras

from kerasr.models.keyword.resnet import conv_norm, image_input, scaled
from kerasr.models.registry import register_model

FILTERS = (32, 64, 128)


@register_model(
    source="He et al. 2016, https://arxiv.org/abs/1512.03385",
    parameters=99_690,
    macs=9_697_280,
    narrow={"width": 0.125},
)
def ResidualCNN(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.2,
    name: str = "residual_cnn",
) -> keras.Model:
    """Build a residual CNN.

    Args:
        input_shape: `(time, feature)`; time must be a number.
        num_outputs: number of logits; one for a detector.
        width: factor on the number of filters.
        dropout: share of the pooled features dropped in training.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: the time in `input_shape` is None.
    """
    features, image = image_input(input_shape, name)
    x = image
    for index, filters in enumerate(FILTERS, start=1):
        x = conv_norm(x, scaled(filters, width), 3, strides=2, relu=index < len(FILTERS), name=f"conv{index}")
    cell = 2 ** len(FILTERS)
    shortcut = keras.layers.ZeroPadding2D([(0, -size % cell) for size in input_shape], name="shortcut_pad")(image)
    shortcut = keras.layers.AveragePooling2D(cell, name="shortcut_pool")(shortcut)
    shortcut = conv_norm(shortcut, scaled(FILTERS[-1], width), 1, relu=False, name="shortcut")
    x = keras.layers.Add(name="add")([x, shortcut])
    x = keras.layers.ReLU(name="add_relu")(x)
    x = keras.layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]), name="frames")(x)
    x = keras.layers.GlobalMaxPooling1D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)
