"""Transformer decoder: each token of a transcript from those before it and from a clip's frames.

It learns beside CTC, from the same encoder (joint CTC-attention: Kim, Hori and Watanabe 2017,
https://arxiv.org/abs/1609.06773). Each block adds causal self-attention with rotary positions, attention to the clip's
own frames, and two dense layers, each of a layer norm of its input (pre-norm, Xiong et al. 2020,
https://arxiv.org/abs/2002.04745). The frames are given sines of their places: an encoder need not tell them.

Source: Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762, section 3.
"""

import keras
from keras import ops

from kerasr.layers import SinusoidalPositions
from kerasr.layers.cross_entropy import END
from kerasr.models.blocks import attend, attend_to, feed_forward
from kerasr.models.head import HEAD


def TransformerDecoder(
    channels: int,
    num_outputs: int,
    *,
    width: int = 128,
    num_heads: int = 4,
    num_layers: int = 2,
    dropout: float = 0.1,
    name: str = "transformer_decoder",
) -> keras.Model:
    """Build a transformer decoder.

    Args:
        channels: of the encoder's embedding of a frame.
        num_outputs: the tokens, numbered from 1; 0 begins a transcript, and is said at its end.
        width: of the vector of a token; `num_heads` shares it equally.
        num_heads: heads of the attention.
        num_layers: transformer blocks.
        dropout: share of the tokens, of what each part of a block adds, and of its inner dense layer, dropped in
            training.
        name: the model's name.

    Returns:
        Model from `embedding` (batch, time, channels), its `num_frames` (batch,) and `token_ids` (batch, tokens), -1
        past a transcript's end, to logits (batch, tokens + 1, num_outputs), float32: of each token after those before
        it (teacher forcing), and of the end.
    """
    embedding = keras.Input((None, channels), name="embedding")
    num_frames = keras.Input((), dtype="int32", name="num_frames")
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    frames = SinusoidalPositions(name="positions")(keras.layers.Dense(width, name="frames")(embedding))
    before = ops.pad(ops.maximum(token_ids, END), [(0, 0), (1, 0)], constant_values=END)
    x = keras.layers.Embedding(num_outputs, width, name="tokens")(before)
    x = keras.layers.Dropout(dropout, name="tokens_dropout")(x)
    for index in range(1, num_layers + 1):
        block = f"block{index}"
        # What is past a transcript's end stands behind all of it.
        x = _add(x, attend(x, None, num_heads, dropout, f"{block}_attention", causal=True), f"{block}_attention")
        x = _add(x, attend_to(frames, num_frames, x, num_heads, dropout, f"{block}_cross"), f"{block}_cross")
        x = _add(x, feed_forward(x, "gelu", dropout, f"{block}_dense"), f"{block}_dense")
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name=HEAD)(x)
    return keras.Model([embedding, num_frames, token_ids], logits, name=name)


def _add(x, change, name):
    return keras.layers.Add(name=f"{name}_add")([x, change])
