"""BCResNet: two-dimensional convolutions whose costly half works on one feature, broadcast back to all of them.

Each block convolves over the features of a frame (depthwise, 3 features), averages the features away, convolves what
is left over time (depthwise, 3 frames, dilated) and adds it to every feature again, which is
the paper's broadcasted residual. The norm after the convolution over features is its own in each of five sub-bands
(`kerasr.layers.SubSpectralNorm`), since what a band holds says which sound it is. `tau` scales the channels: trainable
parameters for 40 features and 12 words, as in the authors' code:

    tau 1      9,232
    tau 1.5   17,154
    tau 2     27,284
    tau 3     54,168
    tau 6    187,812
    tau 8    321,068

The network is made for 40 features, which it halves three times. Where fewer than five are left, there are as many
sub-bands as features, and the last kernel spans them all.

`python benchmarks/five_folds.py --model BCResNet --epochs 150` measures it on unseen speakers of Speech Commands,
`python benchmarks/zoo.py` on those of FSDD.

Source: Kim, Chang, Lee and Sung, "Broadcasted Residual Learning for Efficient Keyword Spotting", Interspeech 2021,
https://arxiv.org/abs/2106.04140, sections 2 and 3.1, tables 1 and 2; code:
https://github.com/Qualcomm-AI-research/bcresnet.
"""

import keras

from kerasr.errors import UserError
from kerasr.layers import BatchNormalization, SubSpectralNorm
from kerasr.models.keyword.resnet import image_input, norm_relu
from kerasr.models.registry import register_model

TAUS = (1, 1.5, 2, 3, 6, 8)
# Blocks, channels in units of 8 tau, stride over the features. The frames are 2 ** index apart in stage `index`.
STAGES = ((2, 1.0, 1), (2, 1.5, 2), (4, 2.0, 2), (4, 2.5, 1))
STEM, HEAD = 2.0, 4.0  # channels before and after the stages, in the same units


@register_model(
    source="Kim et al. 2021, https://arxiv.org/abs/2106.04140",
    parameters=9_166,
    macs=2_442_004,
    published=(
        ({"tau": 1}, (101, 40), 12, 9_232),
        ({"tau": 1.5}, (101, 40), 12, 17_154),
        ({"tau": 2}, (101, 40), 12, 27_284),
        ({"tau": 3}, (101, 40), 12, 54_168),
        ({"tau": 6}, (101, 40), 12, 187_812),
        ({"tau": 8}, (101, 40), 12, 321_068),
    ),
)
def BCResNet(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    tau: float = 1.0,
    dropout: float = 0.1,
    name: str = "bc_resnet",
) -> keras.Model:
    """Build a BC-ResNet.

    Args:
        input_shape: `(time, feature)`; time must be a number.
        num_outputs: number of logits; one for a detector.
        tau: size, of `TAUS`: the channels are multiples of 8 tau.
        dropout: share of the channels that are broadcast to the features dropped in training.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: the time in `input_shape` is None, or there is no such tau.
    """
    if tau not in TAUS:
        raise UserError("setting-out-of-range", f"tau {tau!r} is not known: choose one of {', '.join(map(str, TAUS))}")
    features, image = image_input(input_shape, name)
    unit = 8 * tau
    # Over the features all convolutions are padded evenly by hand: `same` with stride 2 shifts with the parity.
    x = keras.layers.ZeroPadding2D(2, name="stem_pad")(image)
    x = keras.layers.Conv2D(int(STEM * unit), 5, strides=(1, 2), use_bias=False, name="stem_conv")(x)
    x = norm_relu(x, "stem")
    for stage, (blocks, channels, strides) in enumerate(STAGES, start=1):
        for index in range(1, blocks + 1):
            first = strides if index == 1 else 1
            x = _block(x, int(channels * unit), first, 2 ** (stage - 1), dropout, f"stage{stage}_block{index}")
    x = keras.layers.ZeroPadding2D((2, 0), name="head_pad")(x)
    x = keras.layers.DepthwiseConv2D((5, min(5, x.shape[2])), use_bias=False, name="head_depthwise")(x)
    x = keras.layers.Conv2D(int(HEAD * unit), 1, use_bias=False, name="head_conv")(x)
    x = norm_relu(x, "head")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)


def _block(x, channels, strides, dilation, dropout, name):
    y, residual = x, [x]
    if x.shape[-1] != channels:
        y = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_conv")(y)
        y, residual = norm_relu(y, name), []
    y = _over_features(y, strides, name)
    z = _over_time(y, dilation, dropout, name)
    x = keras.layers.Add(name=f"{name}_add")([y, z, *residual])
    return keras.layers.ReLU(name=f"{name}_add_relu")(x)


def _over_features(x, strides, name):
    x = keras.layers.ZeroPadding2D((0, 1), name=f"{name}_feature_pad")(x)
    x = keras.layers.DepthwiseConv2D((1, 3), use_bias=False, name=f"{name}_feature_conv")(x)
    if strides > 1:
        # TensorFlow's depthwise convolution has one stride for both axes. Pooling over cells of one takes every other
        # feature, with a gradient that costs a third of a slice's.
        x = keras.layers.AveragePooling2D(1, strides=(1, strides), name=f"{name}_feature_stride")(x)
    return SubSpectralNorm(name=f"{name}_feature_norm")(x)


def _over_time(x, dilation, dropout, name):
    time, channels = x.shape[1], x.shape[3]
    x = keras.ops.mean(x, axis=2)
    x = keras.layers.DepthwiseConv1D(
        3, dilation_rate=dilation, padding="same", use_bias=False, name=f"{name}_time_depthwise"
    )(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_time_norm")(x)
    x = keras.layers.Activation("silu", name=f"{name}_time_swish")(x)
    x = keras.layers.Conv1D(channels, 1, use_bias=False, name=f"{name}_time_pointwise")(x)
    x = keras.layers.SpatialDropout1D(dropout, name=f"{name}_time_dropout")(x)
    return keras.layers.Reshape((time, 1, channels), name=f"{name}_broadcast")(x)
