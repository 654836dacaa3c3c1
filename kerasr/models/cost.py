"""What a model costs to run: multiply-accumulates of its convolutions, dense and recurrent layers, and attention."""

import math

import keras

from kerasr.layers import FrameAttention, SelfAttention
from kerasr.layers.recurrent import MaskedRNN

# Each value of a dense layer's or convolution's output costs what its kernel holds, shared among the channels. A
# depthwise kernel, or one of groups, holds no more than the inputs that its channels see.
KERNEL_LAYERS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dense,
)


def count_macs(model: keras.Model) -> int:
    """Multiply-accumulates for one clip of the model's input shape; biases, norms and activations are not counted.

    A batch of one, at the full padded length.

    Raises:
        ValueError: the time in the model's input shape is None.
    """
    if model.input_shape[1] is None:
        raise ValueError(f"{model.name}: reads clips of any length; give a number for the time in its input_shape")
    return sum(_macs(layer) for layer in model.layers)


def _macs(layer: keras.layers.Layer) -> int:
    if isinstance(layer, MaskedRNN):
        cell = layer.rnn.cell
        return layer.input[0].shape[1] * (math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape))
    if isinstance(layer, KERNEL_LAYERS):
        return math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    # Attention is two products: of queries with keys, and of their weights with values.
    if isinstance(layer, SelfAttention):
        _, time, width = layer.output.shape
        return 2 * time * time * width
    if isinstance(layer, FrameAttention):
        return 2 * layer.input[1].shape[1] * math.prod(layer.output.shape[1:])
    return 0
