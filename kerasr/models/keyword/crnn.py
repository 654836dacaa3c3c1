"""CRNN: one strided convolution over time and feature, two bidirectional GRUs, a dense layer over all their states.

The configuration is the one that the paper chose: 32 filters of 20 frames by 5 features with strides 8 and 2, two
bidirectional GRUs of 32 units, a dense layer of 64. The states of all frames are read side by side, so clips have a
fixed length; the GRUs read a clip's own frames only.

The paper gives 229k parameters for 151 frames of 40 features and 2 outputs, which is 229,090 with one bias a gate.
Keras's GRU, like cuDNN's, has a second one for the recurrent product: 229,474.

`python benchmarks/zoo.py` measures it on unseen speakers.

Source: Arik et al., "Convolutional Recurrent Neural Networks for Small-Footprint Keyword Spotting", Interspeech 2017,
https://arxiv.org/abs/1703.05390, sections 2 and 3.
"""

import keras

from kerasr.layers import MaskPadding, NumFrames
from kerasr.layers.recurrent import MaskedRNN, choose_implementation
from kerasr.models.blocks import both_ways
from kerasr.models.keyword.resnet import image_input
from kerasr.models.registry import register_model

# Frames, features.
SIZE = (20, 5)
STRIDES = (8, 2)
NUM_LAYERS = 2
DENSE_UNITS = 64


@register_model(
    source="Arik et al. 2017, https://arxiv.org/abs/1703.05390",
    parameters=205_418,
    macs=2_802_816,
    stream_options={"bidirectional": False},
    narrow={"units": 8, "filters": 8},
    published=(({}, (151, 40), 2, 229_000, 0.02),),
)
def CRNN(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    filters: int = 32,
    units: int = 32,
    dropout: float = 0.0,
    bidirectional: bool = True,
    implementation: str = "auto",
    name: str = "crnn",
) -> keras.Model:
    """Build a CRNN.

    Args:
        input_shape: `(time, feature)`; time must be a number.
        num_outputs: number of logits; one for a detector.
        filters: filters of the convolution.
        units: units of each GRU in each direction.
        dropout: share of the dense layer's outputs dropped in training.
        bidirectional: read the clip from its end as well. Without it, it carries its state through a stream
            (`kerasr.streaming`).
        implementation: what computes the GRUs, as in `kerasr.layers.choose_implementation`; the weights stay the same.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: the time in `input_shape` is None, or there is no such implementation.
    """
    features, image = image_input(input_shape, name)
    # The window of an output frame lies evenly around its own stride of input, whatever the length.
    padding = [(before := (size - stride) // 2, size - 1 - before) for size, stride in zip(SIZE, STRIDES, strict=True)]
    x = keras.layers.ZeroPadding2D(padding, name="conv_pad")(image)
    x = keras.layers.Conv2D(filters, SIZE, strides=STRIDES, activation="relu", name="conv")(x)
    x = keras.layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]), name="frames")(x)
    num_frames = (NumFrames(name="num_frames")(features) + STRIDES[0] - 1) // STRIDES[0]
    x = MaskPadding(name="conv_mask")(x, num_frames)
    implementation = choose_implementation(implementation)
    for index in range(1, NUM_LAYERS + 1):
        layer = f"gru{index}"
        if bidirectional:
            x = both_ways(x, num_frames, units, cell="gru", implementation=implementation, name=layer)
        else:
            x = MaskedRNN(units, return_sequences=True, cell="gru", implementation=implementation, name=layer)(
                x, num_frames
            )
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(DENSE_UNITS, activation="relu", name="dense")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)
