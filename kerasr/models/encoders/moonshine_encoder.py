"""Moonshine's encoder: three convolutions over the waveform, then transformer blocks with rotary positions.

It reads samples, and so it is a front-end of its own. An output stands for 384 of them, 24 ms at 16 kHz. A `tanh` and a
group norm over the whole clip follow the first convolution, a GELU the other two; no convolution is padded. Each block
adds self-attention, then two dense layers with a GELU, each of a layer norm of its input without an offset; a last such
norm stands before the logits. Rotary positions turn a part of each head. CTC takes the place of the paper's decoder.

It is there for what it has learnt elsewhere: `--model hub:moonshine_tiny_en` begins with published weights. The norm is
over the clip's own samples, where keras-hub's is over padding, too: of a clip without padding both say the same.

Source: Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice Commands", 2024,
https://arxiv.org/abs/2410.15608, section 3.1.
"""

import keras
from keras import ops

from kerasr.layers import MaskedGroupNormalization, NumFrames, SelfAttention
from kerasr.models.blocks import frame_logits
from kerasr.models.registry import register_model

# Kernel and stride of each convolution; an output reads 895 samples and is 384 after the one before it.
CONVOLUTIONS = ((127, 64), (7, 3), (3, 2))
WINDOW = 895
STRIDE = 384


@register_model(
    source="Jeffries et al. 2024, https://arxiv.org/abs/2410.15608",
    parameters=9_110_602,
    macs=30_442_176,
    per_frame=True,
    stride=STRIDE,
    masks_padding=True,
    window=WINDOW,
    learning_rate=1e-3,
    narrow={"width": 8, "num_heads": 2, "head_width": 6, "rotary_width": 4, "num_layers": 1},
)
def MoonshineEncoder(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    width: int = 288,
    num_heads: int = 8,
    head_width: int = 36,
    rotary_width: int = 32,
    num_layers: int = 6,
    expansion: int = 4,
    dropout: float = 0.1,
    frozen_layers: int = 0,
    name: str = "moonshine_encoder",
) -> keras.Model:
    """Build Moonshine's encoder; the defaults are the sizes of Moonshine tiny.

    Args:
        input_shape: `(time, feature)`: samples, of one feature each; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        width: of the vector of a frame, and filters of the first and the last convolution; the other has twice as many.
        num_heads: heads of the attention.
        head_width: width of each head.
        rotary_width: numbers of each head that rotary positions turn; an even number.
        num_layers: transformer blocks.
        expansion: width of a block's inner dense layer, over `width`.
        dropout: share of what each half of a block adds that is dropped in training.
        frozen_layers: layers that keep the weights they begin with, counted from the waveform: 1 for the convolutions,
            and one more for each block after them.
        name: the model's name.

    Returns:
        Model from samples (batch, time, 1) to logits (batch, ceil(time / 384), num_outputs), float32. The last two may
        be the blank: an output reads 895 samples.
    """
    waveform = keras.Input(input_shape, name="features")
    # A shorter clip ends in silence.
    num_samples = ops.maximum(NumFrames(name="num_samples")(waveform), WINDOW)
    x = _convolve(waveform, num_samples, width)
    num_frames = (num_samples - WINDOW) // STRIDE + 1
    for index in range(1, num_layers + 1):
        attended = _attend(x, num_frames, (num_heads, head_width, rotary_width), dropout, f"block{index}_attention")
        x = keras.layers.Add(name=f"block{index}_attended")([x, attended])
        dense = _feed_forward(x, expansion * width, dropout, f"block{index}_dense")
        x = keras.layers.Add(name=f"block{index}_added")([x, dense])
    model = keras.Model(waveform, frame_logits(_norm(x, "norm"), num_frames, num_outputs), name=name)
    frozen = tuple(["convolution", *(f"block{index}_" for index in range(1, num_layers + 1))][:frozen_layers])
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(frozen)
    return model


def _convolve(waveform, num_samples, width):
    """`(batch, ceil(samples / 384), width)`: the clip's own outputs come first, and see none of its padding."""
    (size, stride), *others = CONVOLUTIONS
    x = keras.layers.ZeroPadding1D((0, WINDOW - 1), name="pad")(waveform)
    x = keras.layers.Conv1D(width, size, strides=stride, use_bias=False, activation="tanh", name="convolution1")(x)
    x = MaskedGroupNormalization(name="convolution1_norm")(x, (num_samples - size) // stride + 1)
    for index, (size, stride) in enumerate(others, start=2):
        filters = 2 * width if index == 2 else width
        x = keras.layers.Conv1D(filters, size, strides=stride, activation="gelu", name=f"convolution{index}")(x)
    return x


def _attend(x, num_frames, sizes, dropout, name):
    """What self-attention adds."""
    num_heads, head_width, rotary_width = sizes
    width = x.shape[-1]
    x = keras.layers.Dense(3 * num_heads * head_width, use_bias=False, name=f"{name}_projections")(
        _norm(x, f"{name}_norm")
    )
    x = SelfAttention(num_heads, rotary=True, rotary_width=rotary_width, name=name)(x, num_frames)
    x = keras.layers.Dense(width, use_bias=False, name=f"{name}_mix")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)


def _feed_forward(x, inner, dropout, name):
    """What two dense layers add."""
    width = x.shape[-1]
    x = keras.layers.Dense(inner, activation="gelu", name=f"{name}1")(_norm(x, f"{name}_norm"))
    x = keras.layers.Dense(width, name=f"{name}2")(x)
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)


def _norm(x, name):
    return keras.layers.LayerNormalization(epsilon=1e-5, center=False, name=name)(x)
