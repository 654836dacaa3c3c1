"""TCResNet8 and TCResNet14: residual networks that convolve over time only, with the features as channels.

One convolution of 3 frames sees all features at once; then come residual blocks of two convolutions of 9 frames each.
A block that widens halves the frames, and its shortcut is a 1x1 convolution with batch norm and ReLU. No convolution
has a bias, nor has the last layer. Parameters for 40 features and 12 words (the paper's count includes the moving
averages of the norms):

              width    paper   with moving averages   trainable
    TCResNet8   1.0     66 k          65,824            65,168
    TCResNet8   1.5    145 k         145,248           144,264
    TCResNet14  1.0    137 k         136,928           135,856
    TCResNet14  1.5    305 k         304,608           303,000

`python benchmarks/zoo.py` measures both on unseen speakers.

Source: Choi et al., "Temporal Convolution for Real-time Keyword Spotting on Mobile Devices", Interspeech 2019,
https://arxiv.org/abs/1904.03814, figure 2 and section 3.2; code: https://github.com/hyperconnect/TC-ResNet.
"""

import itertools

import keras

from kerasr.layers import BatchNormalization
from kerasr.models.keyword.resnet import clip_input
from kerasr.models.registry import register_model

SOURCE = "Choi et al. 2019, https://arxiv.org/abs/1904.03814"

# Filters of the first convolution, then of each block.
FILTERS = {"TCResNet8": (16, 24, 32, 48), "TCResNet14": (16, 24, 24, 32, 32, 48, 48)}


@register_model(
    source=SOURCE,
    parameters=65_072,
    macs=1_520_544,
    stream_options={"causal": True},
    narrow={"width": 0.125},
    published=(({}, (98, 40), 12, 65_168), ({"width": 1.5}, (98, 40), 12, 144_264)),
)
def TCResNet8(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.5,
    causal: bool = False,
    name: str = "tc_resnet8",
) -> keras.Model:
    """Build a temporal ResNet of 8 layers.

    Args:
        input_shape: `(time, feature)`; time must be a number.
        num_outputs: number of logits; one for a detector.
        width: factor on the number of filters, the paper's k.
        dropout: share of the pooled features dropped in training.
        causal: convolutions see the frames before and never those to come, so that it carries its state through a
            stream (`kerasr.streaming`). The paper's see as many on both sides.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: the time in `input_shape` is None.
    """
    return _tc_resnet(input_shape, num_outputs, FILTERS["TCResNet8"], width, dropout, causal, name)


@register_model(
    source=SOURCE,
    parameters=135_760,
    macs=3_028_512,
    stream_options={"causal": True},
    narrow={"width": 0.125},
    published=(({}, (98, 40), 12, 135_856), ({"width": 1.5}, (98, 40), 12, 303_000)),
)
def TCResNet14(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.5,
    causal: bool = False,
    name: str = "tc_resnet14",
) -> keras.Model:
    """Build a temporal ResNet of 14 layers; arguments, result and errors as in `TCResNet8`."""
    return _tc_resnet(input_shape, num_outputs, FILTERS["TCResNet14"], width, dropout, causal, name)


def _tc_resnet(input_shape, num_outputs, filters, width, dropout, causal, name):
    features = clip_input(input_shape, name)
    # As in the authors' code: rounded down, and not to eights.
    stem, *blocks = (max(1, int(count * width)) for count in filters)
    x = _conv_norm(features, stem, 3, causal=causal, name="stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    widens = [after > before for before, after in itertools.pairwise(filters)]
    for index, (count, wider) in enumerate(zip(blocks, widens, strict=True), start=1):
        x = _block(x, count, wider, causal, f"block{index}")
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(num_outputs, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)


def _block(x, filters, wider, causal, name):
    strides = 2 if wider else 1
    y = _conv_norm(x, filters, 9, strides=strides, causal=causal, name=f"{name}_conv1")
    y = keras.layers.ReLU(name=f"{name}_conv1_relu")(y)
    y = _conv_norm(y, filters, 9, causal=causal, name=f"{name}_conv2")
    if wider:
        x = _conv_norm(x, filters, 1, strides=strides, name=f"{name}_shortcut")
        x = keras.layers.ReLU(name=f"{name}_shortcut_relu")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=f"{name}_add")([x, y]))


def _conv_norm(x, filters, size, *, strides=1, causal=False, name):
    """Convolution and batch norm. Not padded as `same`, which shifts with the parity of the length."""
    if size > 1:
        padding = (size - 1, 0) if causal else size // 2
        x = keras.layers.ZeroPadding1D(padding, name=f"{name}_pad")(x)
    x = keras.layers.Conv1D(filters, size, strides=strides, use_bias=False, name=f"{name}_conv")(x)
    return BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
