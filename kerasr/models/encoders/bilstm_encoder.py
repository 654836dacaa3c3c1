"""BiLSTM encoder: two strided convolutions, then bidirectional LSTMs, a dense layer at each frame.

Stacked bidirectional LSTMs trained with CTC are Graves et al.'s; a frame in four is read, after two convolutions over
time and feature, as most later systems do. A layer norm before each LSTM stands where deep ones need their batch norm:
it is of each frame alone, so that a clip does not see its batch.

`python benchmarks/transcription.py` measures it.

Source: Graves, Mohamed and Hinton, "Speech Recognition with Deep Recurrent Neural Networks", ICASSP 2013,
https://arxiv.org/abs/1303.5778, section 2; the front is that of Watanabe et al., "ESPnet", Interspeech 2018,
https://arxiv.org/abs/1804.00015, with two convolutions in place of a VGG block.
"""

import keras

from kerasr.layers.recurrent import choose_implementation
from kerasr.models.blocks import both_ways, frame_logits, subsample
from kerasr.models.registry import register_model


@register_model(
    source="Graves et al. 2013, https://arxiv.org/abs/1303.5778",
    parameters=1_689_066,
    macs=44_461_440,
    per_frame=True,
    stride=4,
    masks_padding=True,
    narrow={"units": 8, "filters": 4},
)
def BiLSTMEncoder(
    input_shape: tuple[int | None, int],
    num_outputs: int,
    *,
    filters: int = 32,
    units: int = 192,
    num_layers: int = 2,
    dropout: float = 0.2,
    implementation: str = "auto",
    name: str = "bilstm_encoder",
) -> keras.Model:
    """Build a BiLSTM encoder.

    Args:
        input_shape: `(time, feature)`; time may be None, for clips of any length.
        num_outputs: number of logits at a frame: the tokens and the blank.
        filters: filters of each convolution.
        units: units of each LSTM in each direction.
        num_layers: bidirectional LSTMs.
        dropout: share of the inputs of each LSTM after the first, and of the dense layer, dropped in training.
        implementation: what computes the LSTMs, as in `kerasr.layers.choose_implementation`; the weights stay the same.
        name: the model's name.

    Returns:
        Model from features (batch, time, feature) to logits (batch, ceil(time / 4), num_outputs), float32.

    Raises:
        UserError: there is no such implementation.
    """
    features = keras.Input(input_shape, name="features")
    x, num_frames = subsample(features, filters)
    implementation = choose_implementation(implementation)
    for index in range(1, num_layers + 1):
        if index > 1:
            x = keras.layers.Dropout(dropout, name=f"dropout{index}")(x)
        x = keras.layers.LayerNormalization(name=f"norm{index}")(x)
        x = both_ways(x, num_frames, units, cell="lstm", implementation=implementation, name=f"lstm{index}")
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(features, frame_logits(x, num_frames, num_outputs), name=name)
