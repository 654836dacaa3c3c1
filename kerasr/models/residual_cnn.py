"""ResidualCNN: three 3x3 convolutions around one projected shortcut. Small and quick on a CPU; the default model.

The convolutions (32, 64, 128 filters, batch norm, ReLU) go over time and feature with stride 2 each. The shortcut is a
1x1 convolution to 128 channels of the input at the same stride, so that what is added has the same shape and every
channel has weights of its own.

Source: the residual CNN listing of the textbooks (docs/listings.md), put right; He et al., "Deep Residual Learning for
Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385.
"""

import keras

from kerasr.models.resnet import conv_norm, image_input, scaled

FILTERS = (32, 64, 128)


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
        last = index == len(FILTERS)
        x = conv_norm(x, scaled(filters, width), 3, strides=2, relu=not last, name=f"conv{index}")
    shortcut = conv_norm(image, scaled(FILTERS[-1], width), 1, strides=2 ** len(FILTERS), relu=False, name="shortcut")
    x = keras.layers.Add(name="add")([x, shortcut])
    x = keras.layers.ReLU(name="add_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)
