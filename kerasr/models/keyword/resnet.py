"""ResNet18, ResNet34 and ResNet50 over a clip's features as a picture of one channel.

Stem 7x7/2 with 64 filters and max-pool 3x3/2, four stages at 64, 128, 256 and 512 filters, global average pooling. The
shortcut is added (y = H(x) + x): the identity where the shape is kept, a strided 1x1 projection where it changes.
ResNet50 has bottlenecks that end in four times the filters, with the stride in the 3x3 convolution, where it loses
less than in the 1x1 before it. Each block begins as its shortcut alone: the scale of its last norm starts at zero
(Goyal et al. 2017, https://arxiv.org/abs/1706.02677), which lets the deep ones learn from few recordings.

`python benchmarks/accuracy.py` measures them on FSDD's official split.

Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
https://arxiv.org/abs/1512.03385.
"""

import keras

from kerasr.errors import UserError
from kerasr.layers import BatchNormalization
from kerasr.models.registry import register_model

SOURCE = "He et al. 2016, https://arxiv.org/abs/1512.03385"

FILTERS = (64, 128, 256, 512)
BLOCKS = {"ResNet18": (2, 2, 2, 2), "ResNet34": (3, 4, 6, 3), "ResNet50": (3, 4, 6, 3)}


@register_model(
    source=SOURCE,
    parameters=11_175_370,
    macs=185_170_176,
    narrow={"width": 0.125},
)
def ResNet18(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    name: str = "resnet18",
) -> keras.Model:
    """Build a ResNet of 18 layers.

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
    return _resnet(input_shape, num_outputs, BLOCKS["ResNet18"], _basic_block, width, dropout, name)


@register_model(
    source=SOURCE,
    parameters=21_283_530,
    macs=378_779_904,
    narrow={"width": 0.125},
)
def ResNet34(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    name: str = "resnet34",
) -> keras.Model:
    """Build a ResNet of 34 layers; arguments, result and errors as in `ResNet18`."""
    return _resnet(input_shape, num_outputs, BLOCKS["ResNet34"], _basic_block, width, dropout, name)


@register_model(
    source=SOURCE,
    parameters=23_522_250,
    macs=421_967_104,
    narrow={"width": 0.125},
)
def ResNet50(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    name: str = "resnet50",
) -> keras.Model:
    """Build a ResNet of 50 layers, with bottlenecks; arguments, result and errors as in `ResNet18`."""
    return _resnet(input_shape, num_outputs, BLOCKS["ResNet50"], _bottleneck_block, width, dropout, name)


def _resnet(input_shape, num_outputs, blocks, block, width, dropout, name):
    features, image = image_input(input_shape, name)
    x = conv_norm(image, scaled(FILTERS[0], width), 7, strides=2, name="stem")
    # After the ReLU a padding of zeros is no value of its own: it never wins the maximum.
    x = keras.layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, (filters, count) in enumerate(zip(FILTERS, blocks, strict=True), start=1):
        for index in range(1, count + 1):
            strides = 2 if stage > 1 and index == 1 else 1
            x = block(x, scaled(filters, width), strides, f"stage{stage}_block{index}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)


def _basic_block(x, filters, strides, name):
    y = conv_norm(x, filters, 3, strides=strides, name=f"{name}_conv1")
    y = conv_norm(y, filters, 3, relu=False, gamma="zeros", name=f"{name}_conv2")
    return _add_shortcut(x, y, strides, name)


def _bottleneck_block(x, filters, strides, name):
    y = conv_norm(x, filters, 1, name=f"{name}_conv1")
    y = conv_norm(y, filters, 3, strides=strides, name=f"{name}_conv2")
    y = conv_norm(y, 4 * filters, 1, relu=False, gamma="zeros", name=f"{name}_conv3")
    return _add_shortcut(x, y, strides, name)


def _add_shortcut(x, y, strides, name):
    if x.shape != y.shape:
        x = conv_norm(x, y.shape[-1], 1, strides=strides, relu=False, name=f"{name}_shortcut")
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=f"{name}_add")([x, y]))


def clip_input(input_shape, name):
    """The input of a model for clips of a fixed length, since it sees their padding."""
    if input_shape[0] is None:
        raise UserError(
            "clip-length-missing", f"{name} needs clips of a fixed length: set clip_seconds in the features"
        )
    return keras.Input(input_shape, name="features")


def image_input(input_shape, name):
    """The same, and what goes in as a picture of one channel."""
    features = clip_input(input_shape, name)
    return features, keras.layers.Reshape((*input_shape, 1), name="image")(features)


def conv_norm(x, filters, size, *, strides=1, relu=True, gamma="ones", name):
    """Convolution, batch norm and ReLU. Padded evenly on all sides: `same` shifts with the length's parity."""
    if size > 1:
        x = keras.layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    x = keras.layers.Conv2D(
        filters, size, strides=strides, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def norm_relu(x, name):
    """Batch norm and ReLU."""
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def scaled(filters, width):
    """Filters at this width, in eights: vector units and tensor cores work in eights."""
    return max(8, round(filters * width / 8) * 8)
