"""Recurrence over each clip's own frames: one layer for LSTM and GRU, and the loops that compute it.

`fused` is quicker than Keras's own loop on a CPU, `blocks` is for LiteRT; the weights and the results are the same.
"""

import keras
from keras import ops

from kerasr.errors import UserError
from kerasr.layers.masking import register, within_clip

CELLS = ("lstm", "gru")
# "fused" is this file's loop, which runs on every backend, device and compiler; "cudnn" is Keras's choice of cuDNN
# where there is a GPU for it; "plain" is the loop of Keras; "blocks" is a loop over blocks of frames in which LiteRT,
# whose loops copy at each step all that they have gathered, stays quick over many frames.
IMPLEMENTATIONS = ("fused", "cudnn", "plain", "blocks")
# Frames of a block.
BLOCK = 64


@register
class MaskedRNN(keras.layers.Layer):
    """An LSTM or GRU over each clip's own frames, whatever the padding after them.

    It has the weights of `keras.layers.LSTM` or `keras.layers.GRU`, and their results under the same mask. It needs no
    mask in its loop: what follows a clip's last frame cannot change the state at that frame, which is the one read.

    Shapes: (batch, time, feature) and num_frames (batch,), to (batch, units) after each clip's last frame, or
    (batch, time, units) with zeros past it.

    Args:
        units: width of the state.
        cell: "lstm" or "gru".
        return_sequences: return the state after each frame, not after the last one only.
        reverse: read each clip from its last frame to its first. Sequences come back in the clip's own order.
        implementation: what computes it, of `IMPLEMENTATIONS`; the weights and results are the same.
    """

    def __init__(self, units, *, cell="lstm", return_sequences=False, reverse=False, implementation="fused", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = _known(cell, CELLS, "cell")
        self.return_sequences = return_sequences
        self.reverse = reverse
        self.implementation = _known(implementation, IMPLEMENTATIONS, "implementation")
        layer = keras.layers.LSTM if cell == "lstm" else keras.layers.GRU
        cudnn = "auto" if implementation == "cudnn" else False
        self.rnn = layer(units, return_sequences=True, use_cudnn=cudnn, dtype=self.dtype_policy, name=cell)

    def build(self, sequences_shape, num_frames_shape):
        self.rnn.build(sequences_shape)

    def call(self, sequences, num_frames):
        if self.reverse:
            sequences = _reversed(sequences, num_frames)
        states = self._own(sequences) if self.implementation in ("fused", "blocks") else self.rnn(sequences)
        if not self.return_sequences:
            return ops.take_along_axis(states, (num_frames - 1)[:, None, None], axis=1)[:, 0]
        if self.reverse:
            states = _reversed(states, num_frames)
        return ops.where(ops.expand_dims(within_clip(states, num_frames), 2), states, 0)

    def _own(self, sequences):
        # Copies, since TensorFlow's custom gradients take tensors and no variables.
        cell = self.rnn.cell
        kernel, recurrent, bias = ops.copy(cell.kernel), ops.copy(cell.recurrent_kernel), ops.copy(cell.bias)
        inputs = ops.matmul(ops.transpose(sequences, (1, 0, 2)), kernel)
        weights = (inputs + bias, recurrent) if self.cell == "lstm" else (inputs + bias[0], recurrent, bias[1])
        if self.implementation == "blocks":
            states = _lstm_in_blocks(*weights) if self.cell == "lstm" else _gru_in_blocks(*weights)
        else:
            states = _lstm(*weights) if self.cell == "lstm" else _gru(*weights)
        return ops.transpose(states, (1, 0, 2))

    def compute_output_shape(self, sequences_shape, num_frames_shape):
        return (*sequences_shape[: 2 if self.return_sequences else 1], self.units)

    @classmethod
    def from_config(cls, config):
        # Files of earlier runs call the implementation a kernel.
        return super().from_config(
            {"implementation" if name == "kernel" else name: value for name, value in config.items()}
        )

    def get_config(self):
        own = ("units", "cell", "return_sequences", "reverse", "implementation")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@ops.custom_gradient
def _reversed(sequence, num_frames):
    """Each clip back to front within its own frames, so that the padding stays at the end."""
    batch, num_steps, width = ops.shape(sequence)
    time = ops.arange(num_steps, dtype="int32")[None]
    index = ops.where(time < num_frames[:, None], num_frames[:, None] - 1 - time, time)
    # Whole frames, as rows of one matrix: `take_along_axis` moves number by number.
    rows = ops.reshape(index + num_steps * ops.arange(batch, dtype="int32")[:, None], (-1,))

    def turn(frames):
        return ops.reshape(ops.take(ops.reshape(frames, (-1, width)), rows, axis=0), ops.shape(frames))

    def grad(*args, upstream=None):
        # What turns back is the same turn; TensorFlow would add up, number by number.
        return turn(args[0] if upstream is None else upstream), None

    return turn(sequence), grad


def choose_implementation(policy: str = "auto", *, xla: bool = False) -> str:
    """The implementation of recurrent layers to train with on this machine.

    "auto" takes cuDNN on TensorFlow with a GPU and no XLA (Keras turns XLA off for a whole model that uses cuDNN), and
    the fused loop everywhere else. The choice is for training: `with_implementation` gives a trained model another one.

    Args:
        policy: "auto", or one of `IMPLEMENTATIONS`.
        xla: the training step will be compiled.

    Raises:
        UserError: there is no such implementation, or cuDNN was asked for where it cannot run.
    """
    on_gpu = keras.distribution.list_devices()[0].startswith("gpu")
    tensorflow = keras.backend.backend() == "tensorflow"
    if policy == "auto":
        return "cudnn" if on_gpu and tensorflow and not xla else "fused"
    if policy == "cudnn" and not on_gpu:
        raise UserError(
            "implementation-unavailable", "implementation 'cudnn' needs a GPU, and there is none: choose 'fused'"
        )
    if policy == "cudnn" and tensorflow and xla:
        raise UserError(
            "implementation-unavailable",
            "implementation 'cudnn' cannot be compiled by XLA: choose 'fused', or turn XLA off",
        )
    return _known(policy, IMPLEMENTATIONS, "implementation")


def with_implementation(model: keras.Model, implementation: str) -> keras.Model:
    """A copy of a model, weights included, whose recurrent layers have this implementation: "fused" runs anywhere."""

    def copy(layer):
        config = layer.get_config()
        if isinstance(layer, MaskedRNN):
            config["implementation"] = implementation
        return type(layer).from_config(config)

    clone = keras.models.clone_model(model, clone_function=copy)
    clone.set_weights(model.get_weights())
    return clone


def _known(value, choices, what):
    if value not in choices:
        raise UserError("setting-out-of-range", f"{what} {value!r} is not known: choose one of {', '.join(choices)}")
    return value


# The fused loop. Keras's own is slow on a CPU since each step multiplies its few rows by the input weights, adds its
# own share to the gradient of all weights, and multiplies by a transposed matrix on the way back. Here a step keeps
# what depends on the step before, and everything else is done once for all steps.


@ops.custom_gradient
def _lstm(inputs, recurrent):
    """States (time, batch, units) of an LSTM from projected inputs (time, batch, 4 units), gates as in Keras."""
    units = recurrent.shape[0]
    empty = ops.zeros_like(inputs[0])
    zero = empty[:, :units]

    def gates(z):
        i, f, g, o = ops.split(z, 4, axis=-1)
        return ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)

    def step(carry, x):
        h, c, _ = carry
        z = x + ops.matmul(h, recurrent)
        i, f, g, o = gates(z)
        c = f * c + i * g
        carry = (o * ops.tanh(c), c, z)
        return carry, carry

    _, (h, c, z) = ops.scan(step, (zero, zero, empty), inputs)

    def grad(*args, upstream=None):
        upstream = args[0] if upstream is None else upstream
        i, f, g, o = gates(z)
        tanh_c = ops.tanh(c)
        # All that the way back needs of each step, computed for all steps at once.
        to_c, to_o = o * (1 - tanh_c * tanh_c), tanh_c * o * (1 - o)
        to_i, to_f, to_g = g * i * (1 - i), _delayed(c) * f * (1 - f), i * (1 - g * g)
        transposed = ops.transpose(recurrent)

        def back(carry, slopes):
            dh, dc, _ = carry
            above, to_c, to_i, to_f, to_g, to_o, f = slopes
            dh = dh + above
            dc = dc + dh * to_c
            dz = ops.concatenate([dc * to_i, dc * to_f, dc * to_g, dh * to_o], axis=-1)
            return (ops.matmul(dz, transposed), dc * f, dz), (dh, dc, dz)

        slopes = (upstream, to_c, to_i, to_f, to_g, to_o, f)
        _, (_, _, dz) = _scan_back(back, (zero, zero, empty), slopes)
        return dz, _outer(_delayed(h), dz)

    return h, grad


@ops.custom_gradient
def _gru(inputs, recurrent, bias):
    """States (time, batch, units) of a GRU whose reset gate comes after the product, as in Keras and cuDNN."""
    units = recurrent.shape[0]
    empty = ops.zeros_like(inputs[0])
    zero = empty[:, :units]

    def gates(x, inner):
        x_z, x_r, x_h = ops.split(x, 3, axis=-1)
        inner_z, inner_r, inner_h = ops.split(inner, 3, axis=-1)
        z, r = ops.sigmoid(x_z + inner_z), ops.sigmoid(x_r + inner_r)
        return z, r, ops.tanh(x_h + r * inner_h), inner_h

    def step(carry, x):
        h, _ = carry
        inner = ops.matmul(h, recurrent) + bias
        z, _, candidate, _ = gates(x, inner)
        carry = (z * h + (1 - z) * candidate, inner)
        return carry, carry

    _, (h, inner) = ops.scan(step, (zero, empty), inputs)

    def grad(*args, upstream=None):
        upstream = args[0] if upstream is None else upstream
        z, r, candidate, inner_h = gates(inputs, inner)
        to_z, to_h = (_delayed(h) - candidate) * z * (1 - z), (1 - z) * (1 - candidate * candidate)
        to_r = to_h * inner_h * r * (1 - r)
        transposed = ops.transpose(recurrent)

        def back(carry, slopes):
            dh, _ = carry
            above, to_z, to_r, to_inner, z = slopes
            dh = dh + above
            d_inner = ops.concatenate([dh * to_z, dh * to_r, dh * to_inner], axis=-1)
            return (ops.matmul(d_inner, transposed) + dh * z, d_inner), (dh, d_inner)

        slopes = (upstream, to_z, to_r, to_h * r, z)
        _, (dh, d_inner) = _scan_back(back, (zero, empty), slopes)
        dx = ops.concatenate([d_inner[:, :, : 2 * units], dh * to_h], axis=-1)
        return dx, _outer(_delayed(h), d_inner), ops.sum(d_inner, axis=(0, 1))

    return h, grad


def _lstm_in_blocks(inputs, recurrent):
    """`_lstm`, forwards, in blocks."""
    zero = ops.zeros_like(inputs[0, :, : recurrent.shape[0]])

    def step(carry, x):
        h, c = carry
        i, f, g, o = ops.split(x + ops.matmul(h, recurrent), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        carry = (ops.sigmoid(o) * ops.tanh(c), c)
        return carry, carry

    return _scan_in_blocks(step, (zero, zero), inputs)


def _gru_in_blocks(inputs, recurrent, bias):
    """`_gru`, forwards, in blocks."""
    zero = ops.zeros_like(inputs[0, :, : recurrent.shape[0]])

    def step(carry, x):
        x_z, x_r, x_h = ops.split(x, 3, axis=-1)
        inner_z, inner_r, inner_h = ops.split(ops.matmul(carry[0], recurrent) + bias, 3, axis=-1)
        z = ops.sigmoid(x_z + inner_z)
        carry = (z * carry[0] + (1 - z) * ops.tanh(x_h + ops.sigmoid(x_r + inner_r) * inner_h),)
        return carry, carry

    return _scan_in_blocks(step, (zero,), inputs)


def _scan_in_blocks(step, carry, sequence):
    """The first output of each step of a scan, (time, ...), by a loop over blocks and one over the frames of each."""
    time = ops.shape(sequence)[0]
    # What one block holds need not be made long.
    size = -(-time // -(-time // BLOCK)) if isinstance(time, int) else BLOCK
    count = (time + size - 1) // size
    padded = ops.pad(sequence, ((0, size), *((0, 0),) * (len(sequence.shape) - 1)))[: count * size]
    blocks = ops.reshape(padded, (-1, size, *ops.shape(sequence)[1:]))

    def block(states, inputs):
        _, states = ops.scan(step, tuple(part[-1] for part in states), inputs)
        return states, states

    # A scan hands on what has the shape of its outputs: all states of the block before, of which the last is read.
    before = tuple(ops.broadcast_to(part[None], (size, *ops.shape(part))) for part in carry)
    _, states = ops.scan(block, before, blocks)
    return ops.reshape(states[0], (-1, *ops.shape(carry[0])))[:time]


def _scan_back(step, carry, sequences):
    """Scan sequences of one width from their end to their beginning."""
    if isinstance(ops.shape(sequences[0])[0], int):
        return ops.scan(step, carry, sequences, reverse=True)
    # On TensorFlow, Keras (3.15) scans one sequence of an unknown length and no more: they go side by side.
    joined = ops.concatenate(sequences, axis=-1)
    return ops.scan(lambda carry, x: step(carry, ops.split(x, len(sequences), axis=-1)), carry, joined, reverse=True)


def _delayed(states):
    """What each step started from: the states one step earlier, zeros first."""
    return ops.concatenate([ops.zeros_like(states[:1]), states[:-1]], axis=0)


def _outer(states, gradients):
    """Gradient of the weights between the two, summed over time and batch in one product."""
    rows = ops.reshape(states, (-1, states.shape[-1]))
    return ops.matmul(ops.transpose(rows), ops.reshape(gradients, (-1, gradients.shape[-1])))
