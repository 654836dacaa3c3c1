"""A run as a stream: a piece of sound and the state before it go in, logits and the state after it come out.

The state is what the next piece needs of those before it: the samples that its first frames reach back to, the frames
that convolutions reach back to, the states of recurrent layers, and the frames of the last clip's length where a
network averages or reads them all. So nothing is computed twice, and the logits after the last piece are those of the
whole clip; of a network that answers each few frames, those of all steps together are. A network may look ahead: then
its logits are that many frames late, and the end is flushed with silence.

`streaming_step` makes one step out of a run's network, layer by layer (the tables at the end), as in Rybakov et al.,
"Streaming Keyword Spotting on Mobile Devices", Interspeech 2020, https://arxiv.org/abs/2005.06720, section 3. A step
takes a fixed number of samples, which every exporter can compile; `client` cuts pieces of any size into steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import layers, ops

from kerasr.audio.features import log_mel
from kerasr.errors import UserError
from kerasr.layers import (
    BatchNormalization,
    BlankPadding,
    MaskedBatchNormalization,
    MaskPadding,
    NumFrames,
    SelfAttention,
)
from kerasr.layers.recurrent import MaskedRNN
from kerasr.models.registry import model_facts
from kerasr.runs.run import Run
from kerasr.streaming.client import POSITION, SOUND, STATE, StreamFacts

# A step's length, as near as the network's strides allow.
STEP_SECONDS = 0.1


def why_not_streaming(run: Run) -> str | None:
    """Why a run cannot carry its state from piece to piece, in a clause; None where it can."""
    spec, name = run.config.features, run.config.model.name
    if spec.is_given:
        return "its features were computed elsewhere"
    if not run.has_builder:
        return f"{name} is a network of your own, of which kerasr does not know how it looks ahead"
    needed = model_facts(name).stream_options
    if needed is None:
        return f"{name} reads a whole clip at once"
    lacking = [key for key, value in needed.items() if run.config.model.options.get(key) != value]
    if lacking:
        flags = " ".join(f"--model.{'' if needed[key] else 'no-'}{key}" for key in lacking)
        return f"{name} carries its state only when trained with {flags}"
    if run.config.model.tta_speeds != (1.0,):
        return "it runs each clip at several speeds (train with --tta-speeds 1)"
    if spec.center or spec.num_deltas:
        return "its features look ahead (train without --features.center and --features.num-deltas)"
    if spec.hop_length > spec.n_fft:
        return "its frames leave gaps between them (train with --features.hop-length of at most n_fft)"
    return None


def streaming_step(run: Run) -> tuple[keras.Model, StreamFacts]:
    """One step of a run, for any number of streams side by side, and what its clients must know.

    `kerasr.streaming.client.Stream(model.predict_on_batch, facts)` runs one stream through it.

    Args:
        run: a finished run.

    Returns:
        A model from `waveform` (batch, `step_samples`), `num_frames` (batch,) int32 and the states to `logits`, `probs`
        and the states, as dictionaries. `num_frames` counts the frames from the step's first on that are the clip's
        own: all of the step's while it lasts, fewer, then zero and less, after its end.

    Raises:
        UserError: the run cannot carry its state; the message says why.
    """
    step = StreamingStep(run, run.network)
    facts = step.facts
    inputs = {
        "waveform": keras.Input((facts.step_samples,), name="waveform"),
        "num_frames": keras.Input((), dtype="int32", name="num_frames"),
    }
    for name, shape in facts.states.items():
        inputs[name] = keras.Input(shape, dtype="int32" if name == POSITION else "float32", name=name)
    return keras.Model(inputs, step(inputs), name=f"{run.network.name}_step"), facts


class StreamingStep(keras.layers.Layer):
    """A run's network with each of its layers replaced by what it does of a step; see `streaming_step`.

    Args:
        run: a finished run that can carry its state.
        network: its network, or a copy of it.

    Raises:
        UserError: the run cannot carry its state; the message says why.
    """

    def __init__(self, run: Run, network: keras.Model):
        super().__init__(name="step")
        why = why_not_streaming(run)
        if why:
            raise UserError("streaming-unsupported", f"{run.path}: {why}; it takes windows that move on by a hop")
        self.network = network
        self._front_end, self._probs = run.features, run.recognition.probs
        spec = run.config.features
        stride = _total_stride(self.network) * _chunk(self.network)
        # What reads a clip's frames all at once must be able to end with the clip's last one.
        whole = any(isinstance(layer, layers.GlobalAveragePooling1D | layers.Flatten) for layer in self.network.layers)
        steps = 1 if whole else max(1, round(STEP_SECONDS * spec.sample_rate / (spec.hop_length * stride)))
        self._frames = stride * steps
        # A first step says what there is to carry.
        begun = _Carry({}, ops.zeros((1, self._frames * spec.hop_length)), ops.full((1,), self._frames, "int32"))
        signal = self._forward(begun)
        self.facts = StreamFacts(
            sample_rate=spec.sample_rate,
            n_fft=spec.n_fft,
            hop_length=spec.hop_length,
            frames=self._frames,
            look_ahead=signal.delay * signal.stride,
            clip_frames=spec.shape[0] if whole else None,
            states={name: tuple(state.shape[1:]) for name, state in begun.after.items()},
            output_stride=signal.stride if run.task.per_frame else None,
        )
        self.built = True

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """One step; inputs and outputs as of `streaming_step`."""
        carry = _Carry(inputs, inputs["waveform"], inputs["num_frames"])
        logits = self._forward(carry).values
        return {"logits": logits, "probs": self._probs(logits), **carry.after}

    def _forward(self, carry: "_Carry") -> "Signal":
        """What the network's last layer says of a step."""
        spec = self._front_end.spec
        sound = carry.joined(SOUND, carry.waveform, spec.n_fft - spec.hop_length)
        features = self._front_end.from_log_mel(log_mel(sound, spec), carry.num_frames)
        # By this name a quantiser tells the network from the front-end.
        with keras.name_scope(self.network.name):
            signal = _walk(self.network, Signal(features, 1, 0, silent=True), carry)
        carry.after[POSITION] = carry.position + self._frames
        return signal


@dataclass(frozen=True)
class Signal:
    """What a layer says of the frames of a step.

    Attributes:
        values: (batch, frame, ...), or (batch, unit) once it is about the clip as a whole.
        stride: frames of the front-end that one frame stands for.
        delay: of its own frames, by which it is behind the stream.
        padding: frames of silence that the next layer is to see before the clip and after it.
        silent: whether frames that are not the clip's own are zeros, as the next layer is to see them.
    """

    values: Any
    stride: int
    delay: int
    padding: tuple[int, int] = (0, 0)
    silent: bool = False


class _Carry:
    """What goes into a step beside the sound, and what comes out of it for the next.

    Attributes:
        waveform: (batch, samples).
        num_frames: (batch,) frames from the step's first on that are the clip's own.
        position: (batch,) frames of all steps before.
        after: the states that the step leaves, by name.
    """

    def __init__(self, before: Mapping[str, Any], waveform: Any, num_frames: Any):
        self._before = before
        self.waveform = waveform
        self.num_frames = num_frames
        self.after: dict[str, Any] = {}
        self.position = self.before(POSITION, (), "int32")

    def before(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
        """A state as the step before left it; zeros at the beginning."""
        if name in self._before:
            return self._before[name]
        return ops.zeros((self.waveform.shape[0], *shape), dtype)

    def joined(self, name: str, values: Any, size: int) -> Any:
        """The last `size` frames (or samples) of earlier steps, then this step's; the newest ones are kept."""
        if not size:
            return values
        values = ops.cast(values, "float32")
        joined = ops.concatenate([self.before(name, (size, *values.shape[2:])), values], axis=1)
        self.after[name] = joined[:, -size:]
        return joined

    def own(self, signal: Signal) -> Any:
        """`(batch, frame)`: whether a frame is the clip's own, neither before its beginning nor after its end."""
        index = ops.arange(signal.values.shape[1], dtype="int32") - signal.delay
        # Steps are whole multiples of every stride.
        index = index[None] + (self.position // signal.stride)[:, None]
        end = (self.position + self.num_frames + signal.stride - 1) // signal.stride
        return ops.logical_and(index >= 0, index < end[:, None])


def _walk(network: keras.Model, features: Signal, carry: _Carry) -> Signal:
    """What the network's last layer says of a step, with every layer replaced by its step."""
    said = {id(network.inputs[0]): features}
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer | NumFrames):
            continue
        # A count of frames beside a sequence is left out: `_Carry.own` knows it.
        given = [said[id(tensor)] for tensor in keras.tree.flatten(layer.input) if id(tensor) in said]
        if step := _step_of(layer, _FRAME_BY_FRAME):
            said[id(layer.output)] = step(layer, *given)
        elif step := _step_of(layer, _ACROSS_FRAMES):
            said[id(layer.output)] = step(layer, *given, carry)
        else:
            raise NotImplementedError(f"layer {layer.name} ({type(layer).__name__}) has no step in kerasr.streaming")
    return said[id(network.outputs[0])]


def _total_stride(network: keras.Model) -> int:
    """Frames of the front-end that a frame of the network's last sequence stands for."""
    strides = {id(network.inputs[0]): 1}
    for layer in network.layers[1:]:
        given = [strides[id(tensor)] for tensor in keras.tree.flatten(layer.input) if id(tensor) in strides]
        strides[id(layer.output)] = max(given, default=1) * getattr(layer, "strides", (1,))[0]
    return max(strides.values())


def _chunk(network: keras.Model) -> int:
    """Frames of the network's last sequence that are attended to together; 1 where there is no attention."""
    return max((layer.chunk or 1 for layer in network.layers if isinstance(layer, SelfAttention)), default=1)


def _step_of(layer: Any, steps: Mapping[Any, Callable[..., Signal]]) -> Callable[..., Signal] | None:
    """The first that is for this kind of layer."""
    return next((step for kind, step in steps.items() if isinstance(layer, kind)), None)


def _pointwise(layer: Any, signal: Signal) -> Signal:
    # Outside of training: dropout and batch norm are pointwise there.
    keeps_zeros = isinstance(layer, layers.ReLU | layers.Dropout) or not getattr(layer, "use_bias", True)
    return replace(signal, values=layer(signal.values), silent=signal.silent and keeps_zeros)


def _reshape(layer: Any, signal: Signal) -> Signal:
    """Of each frame."""
    return replace(signal, values=ops.reshape(signal.values, (-1, signal.values.shape[1], *layer.target_shape[1:])))


def _padding_1d(layer: Any, signal: Signal) -> Signal:
    return replace(signal, padding=tuple(layer.padding))


def _padding_2d(layer: Any, signal: Signal) -> Signal:
    time, feature = layer.padding
    return replace(signal, values=ops.pad(signal.values, ((0, 0), (0, 0), feature, (0, 0))), padding=tuple(time))


def _convolution(layer: Any, signal: Signal, carry: _Carry) -> Signal:
    return _windows(layer, signal, carry, layer.kernel_size[0], layer.strides[0])


def _pooling(layer: Any, signal: Signal, carry: _Carry) -> Signal:
    return _windows(layer, signal, carry, layer.pool_size[0], layer.strides[0])


def _windows(layer: Any, signal: Signal, carry: _Carry, size: int, stride: int) -> Signal:
    """What sees windows of frames: those that begin before the step are kept, and outputs wait for what is ahead."""
    before, _ = signal.padding
    # Where the step's last window ends, past the step's end.
    ahead = max(0, size - before - stride)
    # Of what is late, the frames before the clip's own may be no silence, nor those after it.
    if signal.delay and (ahead or before) and not signal.silent:
        raise NotImplementedError(f"layer {layer.name} looks around in what another layer is late with")
    # Windows begin at whole strides from the stream's first frame on.
    delay = ahead + -(signal.delay + ahead) % stride
    frames = signal.values.shape[1]
    joined = carry.joined(f"{STATE}{layer.name}", signal.values, before + delay)
    values = layer(joined[:, : frames - stride + size])
    return Signal(values, signal.stride * stride, (signal.delay + delay) // stride)


def _merge(layer: Any, *given: Any) -> Signal:
    """Signals of which some are later than others wait for the latest."""
    *signals, carry = given
    delay = max(signal.delay for signal in signals)
    values = [
        carry.joined(f"{STATE}{layer.name}_{index}", signal.values, delay - signal.delay)[:, : signal.values.shape[1]]
        for index, signal in enumerate(signals)
    ]
    silent = all(signal.silent for signal in signals)
    return replace(signals[0], values=layer(values), delay=delay, silent=silent)


def _zero_padding(layer: Any, signal: Signal, carry: _Carry) -> Signal:
    """Zeros, after the layer's own work where it has some, for what is not the clip's own."""
    values = signal.values
    if isinstance(layer, MaskedBatchNormalization):
        values = layer(values, ops.full_like(carry.num_frames, values.shape[1]))
    own = ops.expand_dims(carry.own(signal), tuple(range(2, len(values.shape))))
    return replace(signal, values=ops.where(own, values, 0), silent=True)


def _blank_padding(layer: BlankPadding, signal: Signal, carry: _Carry) -> Signal:
    padding = layer(signal.values, ops.zeros_like(carry.num_frames))
    return replace(signal, values=ops.where(carry.own(signal)[..., None], signal.values, padding))


def _recurrence(layer: MaskedRNN, signal: Signal, carry: _Carry) -> Signal:
    """Frame by frame; what is not the clip's own leaves the state as it is."""
    cell, own, names = layer.rnn.cell, carry.own(signal), ("h", "c")[: 1 + (layer.cell == "lstm")]
    states = [carry.before(f"{STATE}{layer.name}_{name}", (layer.units,)) for name in names]
    said = []
    for frame in range(signal.values.shape[1]):
        _, found = cell(signal.values[:, frame], states)
        inside = own[:, frame, None]
        states = [
            ops.where(inside, ops.cast(new, "float32"), old)
            for new, old in zip(keras.tree.flatten(found), states, strict=True)
        ]
        said.append(ops.where(inside, states[0], 0.0))
    for name, state in zip(names, states, strict=True):
        carry.after[f"{STATE}{layer.name}_{name}"] = state
    return replace(signal, values=ops.stack(said, axis=1) if layer.return_sequences else states[0], silent=True)


def _attention(layer: SelfAttention, signal: Signal, carry: _Carry) -> Signal:
    """In chunks: the queries, keys and values of the chunks that are seen before a step's are kept."""
    if not layer.chunk:
        raise NotImplementedError(f"layer {layer.name} attends to a whole clip")
    # Chunks are counted from the clip's first frame on, and steps are whole multiples of them.
    wait, past = -signal.delay % layer.chunk, layer.chunk * layer.past_chunks
    frames = signal.values.shape[1]
    projected = carry.joined(f"{STATE}{layer.name}", signal.values, past + wait)[:, : past + frames]
    own = carry.own(replace(signal, values=projected, delay=signal.delay + wait + past))
    attended = layer.attend(projected, own, past)
    return replace(signal, values=attended, delay=signal.delay + wait, silent=False)


def _whole_clip(layer: Any, signal: Signal, carry: _Carry) -> Signal:
    """What sees all frames of a clip sees the last ones, as many."""
    size, frames = layer.input.shape[1], signal.values.shape[1]
    joined = carry.joined(f"{STATE}{layer.name}", signal.values, size - frames)
    return replace(signal, values=layer(joined))


# The step of each kind of layer that sees one frame at a time.
_FRAME_BY_FRAME: dict[Any, Callable[..., Signal]] = {
    (layers.Dense, layers.ReLU, layers.Dropout, layers.LayerNormalization, BatchNormalization): _pointwise,
    layers.Reshape: _reshape,
    layers.ZeroPadding1D: _padding_1d,
    layers.ZeroPadding2D: _padding_2d,
}
# And of each that sees earlier frames, or which of them are the clip's own.
_ACROSS_FRAMES: dict[Any, Callable[..., Signal]] = {
    (layers.Add, layers.Concatenate): _merge,
    (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D): _convolution,
    (layers.MaxPooling1D, layers.MaxPooling2D, layers.AveragePooling2D): _pooling,
    (MaskPadding, MaskedBatchNormalization): _zero_padding,
    BlankPadding: _blank_padding,
    MaskedRNN: _recurrence,
    SelfAttention: _attention,
    (layers.GlobalAveragePooling1D, layers.Flatten): _whole_clip,
}
