"""Deep Speech 2: two convolutions over time and feature, then bidirectional GRUs whose two directions are summed.

The convolutions span 11 frames and 41, then 21 features, in steps of two both ways, with a clipped ReLU. Batch norm of
the clips' own frames ("sequence-wise") stands after each of them and before each GRU but the first. The second
convolution takes every second frame, too, where the paper's table 2 keeps them, as in its section 3.5: a frame in four
is read.

With `bidirectional=False` the GRUs read forwards alone, and a row convolution over the next `look_ahead` frames of each
channel stands after the last, as in the paper's networks that answer while somebody speaks: such a network carries its
state through a stream (`kerasr.streaming`).

The paper's English system has seven recurrent layers of 1,280; the default has three, and is of AN4's size.

`python benchmarks/transcription.py` measures it.

Source: Amodei et al., "Deep Speech 2: End-to-End Speech Recognition in English and Mandarin", ICML 2016,
https://arxiv.org/abs/1512.02595, sections 3.1 to 3.5.
"""

import keras

from kerasr.layers import MaskedRNN, NumFrames
from kerasr.layers.recurrent import choose_implementation
from kerasr.models.blocks import convolve_over_time, frame_logits, halved, masked_norm, read_both_ways
from kerasr.models.registry import register_model

# Frames and features that the kernels span.
KERNELS = ((11, 41), (11, 21))
# Where the ReLU is clipped.
CEILING = 20.0


@register_model(
    source="Amodei et al. 2016, https://arxiv.org/abs/1512.02595",
    parameters=1_735_658,
    macs=110_191_360,
    per_frame=True,
    stride=4,
    masks_padding=True,
    stream_options={"bidirectional": False},
    narrow={"units": 8, "filters": 4, "num_layers": 1},
    variants=({"bidirectional": False, "look_ahead": 3},),
)
def DeepSpeech2(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    filters: int = 32,
    units: int = 192,
    num_layers: int = 3,
    dropout: float = 0.2,
    bidirectional: bool = True,
    look_ahead: int = 10,
    implementation: str = "auto",
    name: str = "deep_speech2",
) -> keras.Model:
    """Build Deep Speech 2's network.

    Args:
        input_shape: `(time, feature)`; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        filters: filters of each convolution.
        units: units of each GRU in each direction.
        num_layers: recurrent layers.
        dropout: share of the inputs of each GRU after the first, and of the dense layer, dropped in training.
        bidirectional: read the clip from its end as well.
        look_ahead: outputs to come that the row convolution reads, where the GRUs are not bidirectional; 0 for none.
        implementation: what computes the GRUs, as in `kerasr.layers.choose_implementation`; the weights stay the same.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, ceil(time / 4), num_outputs), float32.

    Raises:
        UserError: there is no such implementation.
    """
    features = keras.Input(input_shape, name="features")
    num_frames = NumFrames(name="num_frames")(features)
    x = keras.layers.Reshape((-1, input_shape[1], 1), name="picture")(features)
    for index, size in enumerate(KERNELS, 1):
        x = keras.layers.ZeroPadding2D((size[0] // 2, size[1] // 2), name=f"conv{index}_pad")(x)
        x = keras.layers.Conv2D(filters, size, strides=2, use_bias=False, name=f"conv{index}")(x)
        num_frames = halved(num_frames)
        x = masked_norm(x, num_frames, f"conv{index}_norm")
        x = keras.layers.ReLU(max_value=CEILING, name=f"conv{index}_relu")(x)
    x = keras.layers.Reshape((-1, x.shape[2] * filters), name="frames")(x)
    implementation = choose_implementation(implementation)
    for index in range(1, num_layers + 1):
        if index > 1:
            x = keras.layers.Dropout(dropout, name=f"dropout{index}")(masked_norm(x, num_frames, f"norm{index}"))
        gru = {"cell": "gru", "implementation": implementation, "name": f"gru{index}"}
        if bidirectional:
            x = keras.layers.Add(name=f"gru{index}_both")(read_both_ways(x, num_frames, units, **gru))
        else:
            x = MaskedRNN(units, return_sequences=True, reverse=False, **gru)(x, num_frames)
    if not bidirectional and look_ahead:
        x = convolve_over_time(x, look_ahead + 1, padding=(0, look_ahead), name="row")
    x = keras.layers.Dropout(dropout, name="dropout")(masked_norm(x, num_frames, "norm"))
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)
