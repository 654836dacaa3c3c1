"""Conv1DLSTM: one convolution over time, one LSTM, one dense layer. The smallest model of the zoo.

The convolution and the pooling run over frames (time), never over the coefficients of one frame, and the LSTM stops at
the clip's own last frame. With one output it is a detector: its logit says whether this is the wanted word.

`python benchmarks/accuracy.py --models Conv1DLSTM` measures it on FSDD's official split, `python benchmarks/zoo.py` on
unseen speakers.

Source: the Conv1D-LSTM listing of the textbooks (docs/listings.md), put right; Hochreiter and Schmidhuber, "Long
Short-Term Memory", Neural Computation 9(8), 1997.
"""

import keras

from kerasr.layers import MaskPadding, NumFrames
from kerasr.layers.recurrent import MaskedRNN, choose_implementation
from kerasr.models.registry import register_model


@register_model(
    source="Hochreiter and Schmidhuber 1997, behind a convolution",
    parameters=45_578,
    macs=2_355_328,
    masks_padding=True,
    stream_options={},
    narrow={"units": 8, "filters": 8},
    variants=({"implementation": "plain"},),
)
def Conv1DLSTM(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    filters: int = 64,
    units: int = 64,
    dropout: float = 0.5,
    implementation: str = "auto",
    name: str = "conv1d_lstm",
) -> keras.Model:
    """Build a Conv1D-LSTM.

    Args:
        input_shape: `(time, feature)`; time may be None.
        num_outputs: number of logits; one for a detector.
        filters: filters of the convolution.
        units: units of the LSTM and of the dense layer after it.
        dropout: share of the LSTM's outputs dropped in training.
        implementation: what computes the LSTM, as in `kerasr.layers.choose_implementation`; the weights stay the same.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, num_outputs), float32.

    Raises:
        UserError: there is no such implementation.
    """
    features = keras.Input(input_shape, name="features")
    num_frames = NumFrames(name="num_frames")(features)
    x = keras.layers.ZeroPadding1D(1, name="conv_pad")(features)
    x = keras.layers.Conv1D(filters, 3, activation="relu", name="conv")(x)
    x = MaskPadding(name="conv_mask")(x, num_frames)
    # Pairs of frames from the first one on, whatever the padded length; a lone last frame meets a zero, as in a longer
    # batch, and after the ReLU a zero never wins.
    x = keras.layers.ZeroPadding1D((0, 1), name="pool_pad")(x)
    x = keras.layers.MaxPooling1D(2, name="pool")(x)
    x = MaskedRNN(units, implementation=choose_implementation(implementation), name="lstm")(x, (num_frames + 1) // 2)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(units, activation="relu", name="dense")(x)
    logits = keras.layers.Dense(num_outputs, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name=name)
