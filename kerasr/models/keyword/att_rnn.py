"""AttRNN and MHAttRNN: two small convolutions over time, two bidirectional recurrent layers, attention over the frames.

The states at the middle of the clip are projected to queries, the frames are averaged by how well their states match,
one average a query, and dense layers read the averages. AttRNN has LSTMs of 64 units and one query, MHAttRNN GRUs of
128 and four. All of it sees a clip's own frames only: the convolutions' padding is set to zero again, and the attention
leaves it out.

Parameters are those of the authors' code: 201,225 for AttRNN (80 log-mels, 36 outputs; the paper's 202K had LSTMs of
cuDNN with a second bias, 1,024 more) and 743,025 for MHAttRNN (20 MFCC, 12 outputs; the paper counts 743K with the
norms' averages). The middle is the paper's (section 3.1) and that of google-research/kws_streaming; the code of
douglas125/SpeechCmdRecognition came to take the last frame.

`python benchmarks/zoo.py` measures both on unseen speakers.

Source: de Andrade et al., "A neural attention model for speech command recognition", 2018,
https://arxiv.org/abs/1808.08929; Rybakov et al., "Streaming keyword spotting on mobile devices", Interspeech 2020,
https://arxiv.org/abs/2005.06720.
"""

from typing import Any

import keras
from keras import ops

from kerasr.layers import BatchNormalization, FrameAttention, MaskPadding, NumFrames
from kerasr.layers.recurrent import choose_implementation
from kerasr.models.blocks import both_ways
from kerasr.models.registry import register_model

VARIANTS: dict[str, dict[str, Any]] = {
    "AttRNN": {"cell": "lstm", "num_heads": 1},
    "MHAttRNN": {"cell": "gru", "num_heads": 4},
}
# What both share.
FILTERS = (10, 1)
SIZE = 5
NUM_LAYERS = 2
DENSE_UNITS = {64: "relu", 32: "linear"}


@register_model(
    source="de Andrade et al. 2018, https://arxiv.org/abs/1808.08929",
    parameters=179_887,
    macs=15_140_320,
    masks_padding=True,
    narrow={"units": 8},
    published=(({}, (None, 80), 36, 201_225),),
)
def AttRNN(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    units: int = 64,
    dropout: float = 0.0,
    implementation: str = "auto",
    name: str = "att_rnn",
) -> keras.Model:
    """Build an AttRNN.

    Args:
        input_shape: `(time, feature)`; time may be None.
        num_outputs: number of logits; one for a detector.
        units: units of each recurrent layer in each direction.
        dropout: share of the averaged states dropped in training.
        implementation: what computes the recurrent layers, as in `kerasr.layers.choose_implementation`; the weights
            stay the same.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: there is no such implementation.
    """
    return _att_rnn(input_shape, num_outputs, units, dropout, implementation, name, **VARIANTS["AttRNN"])


@register_model(
    source="Rybakov et al. 2020, https://arxiv.org/abs/2005.06720",
    parameters=758_319,
    macs=42_038_496,
    masks_padding=True,
    narrow={"units": 8},
    published=(({}, (None, 20), 12, 743_025),),
)
def MHAttRNN(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    units: int = 128,
    dropout: float = 0.2,
    implementation: str = "auto",
    name: str = "mh_att_rnn",
) -> keras.Model:
    """Build an MHAttRNN; arguments, result and errors as in `AttRNN`."""
    return _att_rnn(input_shape, num_outputs, units, dropout, implementation, name, **VARIANTS["MHAttRNN"])


def _att_rnn(input_shape, num_outputs, units, dropout, implementation, name, *, cell, num_heads):
    features = keras.Input(input_shape, name="features")
    num_frames = NumFrames(name="num_frames")(features)
    x = keras.layers.Reshape((-1, input_shape[1], 1), name="image")(features)
    for index, filters in enumerate(FILTERS, start=1):
        x = keras.layers.Conv2D(filters, (SIZE, 1), padding="same", activation="relu", name=f"conv{index}")(x)
        x = BatchNormalization(momentum=0.9, name=f"conv{index}_norm")(x)
        x = MaskPadding(name=f"conv{index}_mask")(x, num_frames)
    x = keras.layers.Reshape((-1, input_shape[1]), name="frames")(x)
    for index in range(1, NUM_LAYERS + 1):
        x = both_ways(
            x, num_frames, units, cell=cell, implementation=choose_implementation(implementation), name=f"{cell}{index}"
        )
    middle = ops.take_along_axis(x, ops.reshape(num_frames // 2, (-1, 1, 1)), axis=1)
    queries = keras.layers.Dense(num_heads * x.shape[-1], name="queries")(middle)
    queries = keras.layers.Reshape((num_heads, x.shape[-1]), name="heads")(queries)
    x = FrameAttention(name="attention")(queries, x, num_frames)
    x = keras.layers.Flatten(name="averages")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    for index, (width, activation) in enumerate(DENSE_UNITS.items(), start=1):
        x = keras.layers.Dense(width, activation=activation, name=f"dense{index}")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)
