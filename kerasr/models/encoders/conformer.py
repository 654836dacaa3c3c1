"""Conformer: self-attention for what is far, a convolution over time for what is near, between two half dense steps.

A frame in four is read, after two convolutions over time and feature. A block adds half of two dense layers (Swish),
self-attention over the clip's own frames, a convolution module, half of two other dense layers, and ends in a layer
norm. The convolution module is a gate (GLU), a convolution over time for each channel, batch norm, Swish, and a dense
layer.

Positions are rotary (Su et al. 2021, https://arxiv.org/abs/2104.09864) where the paper's are relative by a learned
table of sines: both tell distances alone, and this one has no weights.

The paper's Conformer(S) is `num_layers=16` with `width=144`; the default has fewer blocks.

`python benchmarks/transcription.py` measures it.

Source: Gulati et al., "Conformer: Convolution-augmented Transformer for Speech Recognition", Interspeech 2020,
https://arxiv.org/abs/2005.08100, section 2.
"""

import keras

from kerasr.layers import MaskPadding
from kerasr.models.blocks import attend, convolve_over_time, feed_forward, frame_logits, masked_norm, subsample
from kerasr.models.registry import register_model

# The share of its two dense modules that a block adds ("macaron").
HALF = 0.5


@register_model(
    source="Gulati et al. 2020, https://arxiv.org/abs/2005.08100",
    parameters=2_970_650,
    macs=77_063_040,
    per_frame=True,
    stride=4,
    masks_padding=True,
    narrow={"width": 8, "num_heads": 2, "num_layers": 1, "filters": 4, "kernel_size": 3},
)
def Conformer(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    filters: int = 32,
    width: int = 144,
    num_heads: int = 4,
    num_layers: int = 6,
    kernel_size: int = 31,
    dropout: float = 0.1,
    name: str = "conformer",
) -> keras.Model:
    """Build a Conformer.

    Args:
        input_shape: `(time, feature)`; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        filters: filters of each convolution of the front.
        width: of the vector of a frame; `num_heads` shares it equally.
        num_heads: heads of the attention.
        num_layers: Conformer blocks.
        kernel_size: frames that the convolution over time spans; odd.
        dropout: share of what each module of a block adds, and of its inner dense layer, dropped in training.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, ceil(time / 4), num_outputs), float32.
    """
    features = keras.Input(input_shape, name="features")
    x, num_frames = subsample(features, filters)
    x = keras.layers.Dense(width, name="frames")(x)
    x = keras.layers.Dropout(dropout, name="frames_dropout")(x)
    for index in range(1, num_layers + 1):
        block = f"block{index}"
        x = _add(x, _half(feed_forward(x, "silu", dropout, f"{block}_first"), f"{block}_first"), f"{block}_first")
        x = _add(x, attend(x, num_frames, num_heads, dropout, f"{block}_attention"), f"{block}_attention")
        x = _add(x, _convolve(x, num_frames, kernel_size, dropout, f"{block}_conv"), f"{block}_conv")
        x = _add(x, _half(feed_forward(x, "silu", dropout, f"{block}_second"), f"{block}_second"), f"{block}_second")
        x = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{block}_norm")(x)
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)


def _convolve(x, num_frames, kernel_size, dropout, name):
    """What the convolution module adds."""
    width = x.shape[-1]
    x = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_layer_norm")(x)
    gate = keras.layers.Dense(width, activation="sigmoid", name=f"{name}_gate")(x)
    x = keras.layers.Multiply(name=f"{name}_glu")([keras.layers.Dense(width, name=f"{name}_values")(x), gate])
    x = convolve_over_time(MaskPadding(name=f"{name}_mask")(x, num_frames), kernel_size, name=f"{name}_time")
    x = masked_norm(x, num_frames, f"{name}_norm")
    x = keras.layers.Activation("silu", name=f"{name}_silu")(x)
    x = keras.layers.Dense(width, name=f"{name}_mix")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)


def _half(x, name):
    return keras.layers.Rescaling(HALF, name=f"{name}_half")(x)


def _add(x, change, name):
    return keras.layers.Add(name=f"{name}_add")([x, change])
