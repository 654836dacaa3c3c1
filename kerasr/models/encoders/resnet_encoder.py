"""ResNet encoder: residual blocks of convolutions over time and feature, a dense layer at each frame.

The first convolution and the first stage halve time and feature, the later stages the features alone: a frame in four
is kept, and at each stage the filters grow. Blocks are those of an 18-layer ResNet (He et al. 2016,
https://arxiv.org/abs/1512.03385), with batch norms of the clips' own frames. It reads no further than its kernels do,
half a second to either side.

`python benchmarks/transcription.py` measures it.

Source: Wang, Deng, Pu and Huang, "Residual Convolutional CTC Networks for Automatic Speech Recognition", 2017,
https://arxiv.org/abs/1702.07793, sections 3.1 and 3.2.
"""

import keras

from kerasr.layers import NumFrames
from kerasr.models.blocks import frame_logits, halved, masked_norm
from kerasr.models.keyword.resnet import scaled
from kerasr.models.registry import register_model

# Filters of the stages, and their first strides over time and feature.
STAGES = ((32, (2, 2)), (64, (1, 2)), (128, (1, 2)))
DENSE = 256


@register_model(
    source="Wang et al. 2017, https://arxiv.org/abs/1702.07793",
    parameters=796_970,
    macs=67_981_440,
    per_frame=True,
    stride=4,
    masks_padding=True,
    stream_options={},
    narrow={"width": 0.0625, "num_blocks": 1},
)
def ResNetEncoder(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    num_blocks: int = 2,
    width: float = 1.0,
    dropout: float = 0.2,
    name: str = "resnet_encoder",
) -> keras.Model:
    """Build a ResNet encoder.

    Args:
        input_shape: `(time, feature)`; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        num_blocks: residual blocks of each of the three stages.
        width: factor on the number of filters.
        dropout: share of the inputs of the two dense layers dropped in training.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, ceil(time / 4), num_outputs), float32.
    """
    features = keras.Input(input_shape, name="features")
    x = keras.layers.Reshape((-1, input_shape[1], 1), name="picture")(features)
    num_frames = halved(NumFrames(name="num_frames")(features))
    x = _conv_norm(x, num_frames, scaled(STAGES[0][0], width), 3, (2, 2), "stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    for stage, (filters, strides) in enumerate(STAGES, 1):
        num_frames = halved(num_frames) if strides[0] == 2 else num_frames
        for block in range(1, num_blocks + 1):
            first = strides if block == 1 else (1, 1)
            x = _block(x, num_frames, scaled(filters, width), first, f"stage{stage}_block{block}")
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name="frames")(x)
    x = keras.layers.Dropout(dropout, name="dense_dropout")(x)
    x = keras.layers.Dense(scaled(DENSE, width), activation="relu", name="dense")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)


def _block(x, num_frames, filters, strides, name):
    """Two convolutions of 3 by 3, added to the input, or to its projection where the shape changes."""
    y = _conv_norm(x, num_frames, filters, 3, strides, f"{name}_conv1")
    y = _conv_norm(keras.layers.ReLU(name=f"{name}_relu1")(y), num_frames, filters, 3, (1, 1), f"{name}_conv2")
    if strides != (1, 1):
        x = _conv_norm(x, num_frames, filters, 1, strides, f"{name}_shortcut")
    return keras.layers.ReLU(name=f"{name}_relu2")(keras.layers.Add(name=f"{name}_add")([x, y]))


def _conv_norm(x, num_frames, filters, size, strides, name):
    """A convolution, padded alike on all sides, and batch norm; `num_frames` are those that it leaves."""
    if size > 1:
        x = keras.layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    x = keras.layers.Conv2D(filters, size, strides=strides, use_bias=False, kernel_initializer="he_normal", name=name)(
        x
    )
    return masked_norm(x, num_frames, f"{name}_norm")
