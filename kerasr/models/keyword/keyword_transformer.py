"""KWT1, KWT2 and KWT3, the Keyword Transformer: self-attention over the frames of a clip, and nothing else.

Each frame is projected to a vector, a learned class token is put before the first and a learned position added to
each. Twelve blocks follow: multi-head self-attention, then two dense layers with a GELU at each position, both with a
layer norm after the sum with their input (post-norm). The class token's last vector gives the logits. A head is 64
wide; the three variants have one, two and three. Positions are learned, so clips have a fixed length.

Parameters are those of the authors' code (ARM-software/keyword-transformer) for 98 frames of 40 MFCC: 607,308,
2,394,252 and 5,360,844 with 12 outputs, which are 607k, 2,394k and 5,361k in the paper's table 1.

`python benchmarks/zoo.py` measures them on unseen speakers.

Source: Berg, O'Connor and Cruz, "Keyword Transformer: A Self-Attention Model for Keyword Spotting", Interspeech 2021,
https://arxiv.org/abs/2104.00769.
"""

import keras

from kerasr.layers import ClassToken, SelfAttention
from kerasr.models.keyword.resnet import clip_input, scaled
from kerasr.models.registry import register_model

SOURCE = "Berg et al. 2021, https://arxiv.org/abs/2104.00769"

HEADS = {"KWT1": 1, "KWT2": 2, "KWT3": 3}
HEAD_WIDTH = 64
# Width of the dense layer inside a block, as a multiple of the vectors' width.
EXPANSION = 4
# AdamW's: transformers learn nothing at the convolutions' rate. (Under Muon they do.)
LEARNING_RATE = 5e-4


@register_model(
    source=SOURCE,
    parameters=607_114,
    macs=72_803_456,
    learning_rate=LEARNING_RATE,
    narrow={"width": 0.125, "num_layers": 2},
    published=(({}, (98, 40), 12, 607_308),),
)
def KWT1(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    num_layers: int = 12,
    dropout: float = 0.0,
    name: str = "kwt1",
) -> keras.Model:
    """Build a Keyword Transformer with one head.

    Args:
        input_shape: `(time, feature)`; time must be a number.
        num_outputs: number of logits; one for a detector.
        width: factor on the width of a head, and with it of everything.
        num_layers: transformer blocks.
        dropout: share of what each half of a block adds that is dropped in training.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: the time in `input_shape` is None.
    """
    return _transformer(input_shape, num_outputs, HEADS["KWT1"], width, num_layers, dropout, name)


@register_model(
    source=SOURCE,
    parameters=2_393_866,
    macs=261_212_416,
    learning_rate=LEARNING_RATE,
    narrow={"width": 0.125, "num_layers": 2},
    published=(({}, (98, 40), 12, 2_394_252),),
)
def KWT2(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    num_layers: int = 12,
    dropout: float = 0.0,
    name: str = "kwt2",
) -> keras.Model:
    """Build a Keyword Transformer with two heads; arguments, result and errors as in `KWT1`."""
    return _transformer(input_shape, num_outputs, HEADS["KWT2"], width, num_layers, dropout, name)


@register_model(
    source=SOURCE,
    parameters=5_360_266,
    macs=565_226_880,
    learning_rate=LEARNING_RATE,
    narrow={"width": 0.125, "num_layers": 2},
    published=(({}, (98, 40), 12, 5_360_844),),
)
def KWT3(
    input_shape: tuple[int, int],
    num_outputs: int,
    *,
    width: float = 1.0,
    num_layers: int = 12,
    dropout: float = 0.0,
    name: str = "kwt3",
) -> keras.Model:
    """Build a Keyword Transformer with three heads; arguments, result and errors as in `KWT1`."""
    return _transformer(input_shape, num_outputs, HEADS["KWT3"], width, num_layers, dropout, name)


def _transformer(input_shape, num_outputs, heads, width, num_layers, dropout, name):
    features = clip_input(input_shape, name)
    x = _dense(heads * scaled(HEAD_WIDTH, width), name="frames")(features)
    x = ClassToken(name="tokens")(x)
    for index in range(1, num_layers + 1):
        x = _sum_norm(x, _attention(x, heads, f"block{index}_attention"), dropout, f"block{index}_attention")
        x = _sum_norm(x, _feed_forward(x, f"block{index}_dense"), dropout, f"block{index}_dense")
    logits = _dense(num_outputs, dtype="float32", name="logits")(x[:, 0])
    return keras.Model(features, logits, name=name)


def _attention(x, heads, name):
    projected = _dense(3 * x.shape[-1], use_bias=False, name=f"{name}_projections")(x)
    attended = SelfAttention(heads, name=name)(projected)
    return _dense(x.shape[-1], name=f"{name}_mix")(attended)


def _feed_forward(x, name):
    inner = _dense(EXPANSION * x.shape[-1], activation="gelu", name=f"{name}1")(x)
    return _dense(x.shape[-1], name=f"{name}2")(inner)


def _sum_norm(x, change, dropout, name):
    if dropout:
        change = keras.layers.Dropout(dropout, name=f"{name}_dropout")(change)
    x = keras.layers.Add(name=f"{name}_add")([x, change])
    return keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)


def _dense(units, **options):
    return keras.layers.Dense(units, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02), **options)
