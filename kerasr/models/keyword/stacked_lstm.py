"""StackedLSTM: two LSTMs of 256 units, the second one's last state classified. Also as GRU, also bidirectional.

Every layer reads the clip's own frames only: over zero-padded clips without a mask the same network hardly learns.

`python benchmarks/accuracy.py --models StackedLSTM` measures it on FSDD's official split, `python benchmarks/zoo.py` on
unseen speakers.

Source: Graves, Mohamed and Hinton, "Speech Recognition with Deep Recurrent Neural Networks", ICASSP 2013,
https://arxiv.org/abs/1303.5778; GRU: Cho et al., https://arxiv.org/abs/1406.1078.
"""

from typing import Literal

import keras

from kerasr.layers import NumFrames
from kerasr.layers.recurrent import MaskedRNN, choose_implementation
from kerasr.models.registry import register_model


@register_model(
    source="Graves et al. 2013, https://arxiv.org/abs/1303.5778",
    parameters=832_010,
    macs=80_259_584,
    masks_padding=True,
    stream_options={"bidirectional": False},
    narrow={"units": 8, "num_layers": 2},
    variants=({"implementation": "plain"}, {"cell": "gru", "bidirectional": True, "num_layers": 1}),
)
def StackedLSTM(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    units: int = 256,
    num_layers: int = 2,
    cell: Literal["lstm", "gru"] = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    implementation: str = "auto",
    name: str = "stacked_lstm",
) -> keras.Model:
    """Build a stack of recurrent layers.

    Args:
        input_shape: `(time, feature)`; time may be None.
        num_outputs: number of logits; one for a detector.
        units: units of each layer, and of each direction.
        num_layers: recurrent layers.
        cell: "lstm" or "gru".
        bidirectional: read the clip from its end as well.
        dropout: share of each layer's outputs dropped in training.
        implementation: what computes the recurrent layers, as in `kerasr.layers.choose_implementation`; the weights
            stay the same.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: there is no such cell or implementation.
    """
    features = keras.Input(input_shape, name="features")
    num_frames = NumFrames(name="num_frames")(features)
    x = features
    for index in range(1, num_layers + 1):
        directions = (False, True) if bidirectional else (False,)
        outputs = [
            MaskedRNN(
                units,
                cell=cell,
                return_sequences=index < num_layers,
                reverse=reverse,
                implementation=choose_implementation(implementation),
                name=f"{cell}{index}_reverse" if reverse else f"{cell}{index}",
            )(x, num_frames)
            for reverse in directions
        ]
        x = keras.layers.Concatenate(name=f"{cell}{index}_both")(outputs) if bidirectional else outputs[0]
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"{cell}{index}_dropout")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)
