"""DSCNN: depthwise separable convolutions over time and feature, the keyword network of the MLPerf Tiny benchmark.

One convolution over 10 frames and 4 features with stride 2, four separable convolutions (depthwise 3x3, then 1x1), the
mean over what is left of the clip, one dense layer. Batch norm and ReLU follow each convolution. The benchmark reads 49
frames of 10 MFCC and has 23,756 trainable parameters for 12 words. Its pooling leaves out the last of 25 frames; here
the mean takes them all.

`python benchmarks/zoo.py` measures it on unseen speakers.

Source: Zhang, Suda, Lai and Chandra, "Hello Edge: Keyword Spotting on Microcontrollers", 2017,
https://arxiv.org/abs/1711.07128, in the size of MLPerf Tiny: Banbury et al. 2021, https://arxiv.org/abs/2106.07597,
https://github.com/mlcommons/tiny/tree/master/benchmark/training/keyword_spotting.
"""

import keras

from kerasr.models.keyword.resnet import image_input, norm_relu
from kerasr.models.registry import register_model

BLOCKS = 4


@register_model(
    source="Zhang et al. 2017, https://arxiv.org/abs/1711.07128",
    parameters=23_626,
    macs=20_823_680,
    narrow={"filters": 8},
    published=(({}, (49, 10), 12, 23_756),),
)
def DSCNN(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    filters: int = 64,
    dropout: float = 0.4,
    name: str = "ds_cnn",
) -> keras.Model:
    """Build a depthwise separable CNN.

    Args:
        input_shape: `(time, feature)`; time must be a number.
        num_outputs: number of logits; one for a detector.
        filters: filters of each convolution.
        dropout: share dropped in training before the pooling; half as much is dropped after the first convolution.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: the time in `input_shape` is None.
    """
    features, x = image_input(input_shape, name)
    # With an even kernel, `same` does not shift with the parity of the length.
    x = keras.layers.Conv2D(filters, (10, 4), strides=2, padding="same", name="stem_conv")(x)
    x = norm_relu(x, "stem")
    x = keras.layers.Dropout(dropout / 2, name="stem_dropout")(x)
    for block in range(1, BLOCKS + 1):
        x = keras.layers.DepthwiseConv2D(3, padding="same", name=f"block{block}_depthwise_conv")(x)
        x = norm_relu(x, f"block{block}_depthwise")
        x = keras.layers.Conv2D(filters, 1, name=f"block{block}_pointwise_conv")(x)
        x = norm_relu(x, f"block{block}_pointwise")
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)
