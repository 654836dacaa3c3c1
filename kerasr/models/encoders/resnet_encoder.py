"""ResNet encoders: residual blocks of convolutions over time and feature, an output at each frame in four.

Stages halve the features and let the filters grow; time is halved twice. Blocks are those of an 18-layer ResNet (He et
al. 2016, https://arxiv.org/abs/1512.03385), with batch norms of the clips' own frames. They read no further than their
kernels do: `ResNetEncoder` half a second to either side, `ResNet8Encoder` a quarter.

`ResNetEncoder` has a dense layer at each frame, which knows where on the frequency axis a sound was. `ResNet8Encoder`
has none: it pools as the network of words does that is best with unseen speakers (`kerasr.models.ResNet8`).

`python benchmarks/transcription.py` measures them, and `python benchmarks/connected_digits.py` the latter on digits.

Source: Wang, Deng, Pu and Huang, "Residual Convolutional CTC Networks for Automatic Speech Recognition", 2017,
https://arxiv.org/abs/1702.07793, sections 3.1 and 3.2.
"""

import keras

from kerasr.errors import UserError
from kerasr.layers import NumFrames
from kerasr.models.blocks import conv_norm, frame_logits, halved, residual_block
from kerasr.models.keyword.resnet import scaled
from kerasr.models.registry import register_model

# Filters of the stages, and their first strides over time and feature, after a stem that halves both.
STAGES = ((32, (2, 2)), (64, (1, 2)), (128, (1, 2)))
DENSE = 256
STAGES_8 = ((32, (1, 1)), (64, (2, 2)), (96, (1, 2)))


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
    features, x, num_frames = _stages(input_shape, STAGES, num_blocks, width, stem=3)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name="frames")(x)
    x = keras.layers.Dropout(dropout, name="dense_dropout")(x)
    x = keras.layers.Dense(scaled(DENSE, width), activation="relu", name="dense")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)


@register_model(
    source="He et al. 2016, https://arxiv.org/abs/1512.03385",
    parameters=224_042,
    macs=51_279_360,
    per_frame=True,
    stride=4,
    masks_padding=True,
    stream_options={},
    narrow={"width": 0.125},
)
def ResNet8Encoder(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    pool: int = 5,
    width: float = 1.0,
    dropout: float = 0.3,
    name: str = "resnet8_encoder",
) -> keras.Model:
    """Build an encoder of 8 layers, for few words and unseen speakers.

    At each frame the average over all features and a few frames around it stands beside the maximum: so it knows which
    sounds there are, and neither where on the frequency axis they were nor where among these frames.

    Args:
        input_shape: `(time, feature)`; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        pool: frames, of those that are kept, that are pooled; odd.
        width: factor on the number of filters.
        dropout: share of the pooled features dropped in training.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, ceil(time / 4), num_outputs), float32.

    Raises:
        UserError: `pool` is even: no frame would be in the middle.
    """
    if pool % 2 == 0:
        raise UserError("setting-out-of-range", f"--model.pool {pool}: give an odd number of frames")
    features, x, num_frames = _stages(input_shape, STAGES_8, 1, width, stem=5)
    # Past a clip's end all is zero, and no value is less.
    x = keras.layers.ZeroPadding2D((pool // 2, 0), name="pool_pad")(x)
    window = (pool, x.shape[2])
    average = keras.layers.AveragePooling2D(window, strides=1, name="average")(x)
    maximum = keras.layers.MaxPooling2D(window, strides=1, name="maximum")(x)
    x = keras.layers.Concatenate(name="pool")([average, maximum])
    x = keras.layers.Reshape((-1, x.shape[3]), name="frames")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)


def _stages(input_shape, stages, num_blocks, width, *, stem):
    """Features, the picture that the last stage makes of them, and each clip's frames in it."""
    features = keras.Input(input_shape, name="features")
    x = keras.layers.Reshape((-1, input_shape[1], 1), name="picture")(features)
    num_frames = halved(NumFrames(name="num_frames")(features))
    x = conv_norm(x, num_frames, scaled(stages[0][0], width), stem, (2, 2), "stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    for stage, (filters, strides) in enumerate(stages, 1):
        num_frames = halved(num_frames) if strides[0] == 2 else num_frames
        for block in range(1, num_blocks + 1):
            first = strides if block == 1 else (1, 1)
            x = residual_block(x, num_frames, scaled(filters, width), first, f"stage{stage}_block{block}")
    return features, x, num_frames
