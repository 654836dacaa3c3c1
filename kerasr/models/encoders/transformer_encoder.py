"""Transformer encoder: two strided convolutions, then blocks of self-attention and dense layers at each frame.

A frame in four is read, after two convolutions over time and feature. Each block adds self-attention over the clip's
own frames, then two dense layers with a GELU, each of a layer norm of its input (pre-norm, Xiong et al. 2020,
https://arxiv.org/abs/2002.04745); a last layer norm stands before the logits. Positions are rotary, so that a clip may
be of any length (Su et al. 2021, https://arxiv.org/abs/2104.09864), where the paper adds sines.

`python benchmarks/transcription.py` measures it.

With `chunked=True` a frame sees its own chunk and some before it alone, so that the network carries its state through a
stream (`kerasr.streaming`) and answers a chunk at a time (Chen et al., "Developing Real-time Streaming Transformer
Transducer for Speech Recognition on Large-scale Dataset", ICASSP 2021, https://arxiv.org/abs/2010.11395).

Source: Karita et al., "A Comparative Study on Transformer vs RNN in Speech Applications", ASRU 2019,
https://arxiv.org/abs/1909.06317, section 3, with the encoder and CTC alone.
"""

import keras

from kerasr.models.blocks import attend, feed_forward, frame_logits, subsample
from kerasr.models.registry import register_model


@register_model(
    source="Karita et al. 2019, https://arxiv.org/abs/1909.06317",
    parameters=2_742_698,
    macs=71_965_440,
    per_frame=True,
    stride=4,
    masks_padding=True,
    stream_options={"chunked": True},
    narrow={"width": 8, "num_heads": 2, "num_layers": 1, "filters": 4},
    variants=({"chunked": True, "chunk": 3, "past_chunks": 1, "num_layers": 2},),
)
def TransformerEncoder(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    filters: int = 32,
    width: int = 192,
    num_heads: int = 4,
    num_layers: int = 6,
    dropout: float = 0.1,
    chunked: bool = False,
    chunk: int = 12,
    past_chunks: int = 4,
    name: str = "transformer_encoder",
) -> keras.Model:
    """Build a transformer encoder.

    Args:
        input_shape: `(time, feature)`; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        filters: filters of each convolution.
        width: of the vector of a frame; `num_heads` shares it equally.
        num_heads: heads of the attention.
        num_layers: transformer blocks.
        dropout: share of what each half of a block adds, and of its inner dense layer, dropped in training.
        chunked: a frame does not see all of the clip, but its own chunk and those just before it.
        chunk: outputs of a chunk, where it is chunked; the first of them waits for the last.
        past_chunks: chunks before its own that a frame sees in each block, where it is chunked.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, ceil(time / 4), num_outputs), float32.
    """
    features = keras.Input(input_shape, name="features")
    x, num_frames = subsample(features, filters)
    x = keras.layers.Dense(width, name="frames")(x)
    mask = {"chunk": chunk, "past_chunks": past_chunks} if chunked else {}
    for index in range(1, num_layers + 1):
        x = keras.layers.Add(name=f"block{index}_attended")(
            [x, attend(x, num_frames, num_heads, dropout, f"block{index}_attention", **mask)]
        )
        x = keras.layers.Add(name=f"block{index}_added")([x, feed_forward(x, "gelu", dropout, f"block{index}_dense")])
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)
