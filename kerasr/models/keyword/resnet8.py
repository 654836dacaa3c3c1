"""ResNet8: a stem and three residual blocks. The model for unseen speakers.

The ResNet that He et al. made for small pictures (section 4.2, n = 1), at 32, 64 and 96 filters. The stem halves time
and feature, the second and third block do so again; where a block halves, its shortcut averages the cells that it
leaves out instead of dropping three of four (ResNet-D). The pooling puts the average over the whole picture beside the
maximum. So the network knows sounds of about a quarter of a second, and not where in the word or on the frequency axis
they were.

`python benchmarks/unseen_speakers.py --candidate digits-best` measures it on FSDD's speakers, each left out in turn.

Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
https://arxiv.org/abs/1512.03385; the shortcut: He et al., "Bag of Tricks for Image Classification with Convolutional
Neural Networks", CVPR 2019, https://arxiv.org/abs/1812.01187, section 4.2.
"""

import keras

from kerasr.models.keyword.resnet import conv_norm, image_input, scaled
from kerasr.models.registry import register_model

FILTERS = (32, 64, 96)


@register_model(
    source="He et al. 2016, https://arxiv.org/abs/1512.03385",
    parameters=224_042,
    macs=42_570_240,
    narrow={"width": 0.125},
)
def ResNet8(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.3,
    name: str = "resnet8",
) -> keras.Model:
    """Build a ResNet of 8 layers.

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
    x = conv_norm(image, scaled(FILTERS[0], width), 5, strides=2, name="stem")
    for stage, filters in enumerate(FILTERS, start=1):
        x = _block(x, scaled(filters, width), 1 if stage == 1 else 2, f"block{stage}")
    average = keras.layers.GlobalAveragePooling2D(name="average")(x)
    maximum = keras.layers.GlobalMaxPooling2D(name="maximum")(x)
    x = keras.layers.Concatenate(name="pool")([average, maximum])
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)


def _block(x, filters, strides, name):
    y = conv_norm(x, filters, 3, strides=strides, name=f"{name}_conv1")
    y = conv_norm(y, filters, 3, relu=False, name=f"{name}_conv2")
    if strides > 1:
        # An odd last row or column is averaged over what there is of its cell.
        x = keras.layers.AveragePooling2D(strides, padding="same", name=f"{name}_shortcut_pool")(x)
        x = conv_norm(x, filters, 1, relu=False, name=f"{name}_shortcut")
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=f"{name}_add")([x, y]))
