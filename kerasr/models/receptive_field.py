"""The receptive field of a network that gives an output for each few frames: which frames an output depends on."""

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from kerasr.layers import BatchNormalization, BlankPadding, MaskedBatchNormalization, MaskPadding

# Layers whose output at a frame is of that frame alone, outside of training.
_FRAME_BY_FRAME = (
    layers.Dense,
    layers.ReLU,
    layers.Activation,
    layers.Dropout,
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.Add,
    layers.Multiply,
    layers.Concatenate,
    layers.Reshape,
    BatchNormalization,
    MaskedBatchNormalization,
    MaskPadding,
    BlankPadding,
)
_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)


@dataclass(frozen=True)
class ReceptiveField:
    """The frames of features that an output depends on.

    Attributes:
        before: frames before the one that it is centred on; infinite where a layer reads the whole clip.
        after: frames after it, as far as the network looks ahead.
    """

    before: float
    after: float

    @property
    def is_finite(self) -> bool:
        """Whether what is further away never counts."""
        return math.isfinite(self.before + self.after)


@dataclass(frozen=True)
class _Signal:
    """What is known of a layer's output: its field, frames of features to one of its own, and zeros padded before."""

    field: ReceptiveField
    stride: int = 1
    padding: int = 0


_WHOLE_CLIP = _Signal(ReceptiveField(math.inf, math.inf))


def receptive_field(network: keras.Model) -> ReceptiveField:
    """That of a network's outputs, off its layers; infinite where one of them reads all frames or is not known.

    Args:
        network: from features `(batch, time, feature)` to outputs `(batch, time, ...)`.
    """
    known: dict[int, _Signal] = {id(network.inputs[0]): _Signal(ReceptiveField(0, 0))}
    for operation in network.operations:
        given = [known[id(tensor)] for tensor in keras.tree.flatten(operation.input) if id(tensor) in known]
        # Counts of frames are no signal: they tell where a clip ends, and windows end there, too.
        if given and len(operation.output.shape) > 1 and not isinstance(operation, layers.InputLayer):
            known[id(operation.output)] = _after(operation, given)
    return known[id(network.outputs[0])].field


def _after(operation: Any, given: list[_Signal]) -> _Signal:
    """What is known after a layer, or an operation, of these inputs."""
    first = given[0]
    if any(signal.stride != first.stride for signal in given) or _WHOLE_CLIP in given:
        return _WHOLE_CLIP
    if isinstance(operation, layers.ZeroPadding1D | layers.ZeroPadding2D):
        before = operation.padding[0]
        return _Signal(first.field, first.stride, before if isinstance(before, int) else before[0])
    if isinstance(operation, (*_CONVOLUTIONS, *_POOLINGS)) and operation.padding == "valid":
        reach = _reach(operation)
        field = ReceptiveField(
            first.field.before + first.padding * first.stride,
            first.field.after + (reach - first.padding) * first.stride,
        )
        return _Signal(field, first.stride * operation.strides[0])
    if isinstance(operation, _FRAME_BY_FRAME) and not any(signal.padding for signal in given):
        fields = [signal.field for signal in given]
        field = ReceptiveField(max(each.before for each in fields), max(each.after for each in fields))
        return _Signal(field, first.stride)
    return _WHOLE_CLIP


def _reach(operation: Any) -> int:
    """How many frames a window spans beyond its first."""
    if isinstance(operation, _POOLINGS):
        return operation.pool_size[0] - 1
    return (operation.kernel_size[0] - 1) * operation.dilation_rate[0]
