"""Attribution of a word's logit to a clip: what spoke for it, point by point of the clip's log-mel energies.

Integrated gradients ask any network how the word's logit grows while the clip is faded in from its own background, and
give each point of the clip its share (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365, equation 3).
Grad-CAM asks a convolutional network which part of the last picture that it keeps made the logit large (Selvaraju et
al. 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasr.audio.crop import crop_middle
from kerasr.audio.features import Features
from kerasr.errors import UserError

# A coarser map than this, in cells over time and over frequency, says nothing about where.
LEAST_CELLS = 3

# Points of the path from the background to the clip, at the middle of as many equal parts.
NUM_STEPS = 64

# The background of a clip: the level, in dB, that this share of its energies does not reach.
BACKGROUND_QUANTILE = 0.05


class Explainer:
    """Attribution of a word's logit to a clip's log-mel energies, for one network.

    Its answers are float32 `(time, n_mels)`, in step with the clip's log-mel energies, and 0 beyond the clip's end. Of
    a network that is given a clip at several speeds, they are the mean over these, each laid upon the clip as it is.

    Args:
        front_ends: the front-end at each speed, as `Run.front_ends`.
        network: features to logits, as `Run.network`.

    Raises:
        UserError: Keras runs on another backend than TensorFlow.
    """

    def __init__(self, front_ends: Sequence[Features], network: keras.Model):
        backend = keras.backend.backend()
        if backend != "tensorflow":
            raise UserError(
                "backend-unsupported",
                f"explanations need the TensorFlow backend, and this is {backend}: set KERAS_BACKEND",
            )
        self._front_ends = front_ends
        self._network = network
        spec = front_ends[0].spec
        energies = dataclasses.replace(spec, kind="log_mel", num_deltas=0)
        speeds = {1.0, *(front_end.speed for front_end in front_ends)}
        self._log_mels = {speed: Features(energies, speed=speed) for speed in speeds}
        # The map's axes are the picture's only where the network is given the picture itself.
        layer = last_picture(network) if spec.kind == "log_mel" and not spec.num_deltas else None
        self._inside = keras.Model(network.input, [layer.output, network.output]) if layer else None

    def integrated_gradients(self, waveform: np.ndarray, label_index: int) -> np.ndarray:
        """What spoke for a label (above 0) and against it (below 0), at each point of the clip.

        The sum is what the clip adds to the label's logit over the clip's background alone: sound of the clip's length
        that is as quiet all over as its quietest twentieth.

        Args:
            waveform: `(samples,)` at the rate of the run's front-end.
            label_index: the label, as a column of `Run.probs`.
        """

        def at_speed(front_end: Features) -> np.ndarray:
            energies, num_frames = self._energies(waveform, front_end.speed)
            return self._shares(front_end, energies, num_frames, label_index)[: num_frames[0]]

        return self._mean(waveform, at_speed)

    def _shares(
        self, front_end: Features, energies: np.ndarray, num_frames: np.ndarray, label_index: int
    ) -> np.ndarray:
        """Integrated gradients `(time, n_mels)` of energies `(1, time, n_mels)`."""
        import tensorflow as tf

        background, difference = self._background(energies, num_frames)
        share = ((np.arange(NUM_STEPS) + 0.5) / NUM_STEPS).astype("float32")
        path = ops.convert_to_tensor(background + share[:, None, None] * difference)
        with tf.GradientTape() as tape:
            tape.watch(path)
            features = front_end.from_log_mel(path, np.repeat(num_frames, NUM_STEPS))
            logit = _logit(self._network(features, training=False), label_index)
        return ops.convert_to_numpy(ops.mean(tape.gradient(logit, path), axis=0)) * difference

    def grad_cam(self, waveform: np.ndarray, label_index: int) -> np.ndarray | None:
        """Where the network's last picture of the clip spoke for a label, 0 and above; None where it keeps no picture.

        Coarse, and exact only for a network that averages over that picture: what it stands for is where, not what.

        Args:
            waveform: `(samples,)` at the rate of the run's front-end.
            label_index: the label, as a column of `Run.probs`.
        """
        inside = self._inside
        if inside is None:
            return None

        def at_speed(front_end: Features) -> np.ndarray:
            energies, num_frames = self._energies(waveform, front_end.speed)
            found = self._picture(inside, front_end.from_log_mel(energies, num_frames), label_index)
            # A clip played faster has fewer frames, and `_resize` keeps sums: what counts here is each frame's value.
            return found[: num_frames[0]] * front_end.speed

        return self._mean(waveform, at_speed)

    def _picture(self, inside: keras.Model, features: Any, label_index: int) -> np.ndarray:
        """Grad-CAM `(time, n_mels)` of features `(1, time, n_mels)`."""
        import tensorflow as tf

        features = ops.convert_to_tensor(features)
        with tf.GradientTape() as tape:
            # Frozen layers are not recorded unless their input is watched.
            tape.watch(features)
            picture, logits = inside(features, training=False)
            logit = _logit(logits, label_index)
        weights = ops.mean(ops.cast(tape.gradient(logit, picture), "float32"), axis=(1, 2), keepdims=True)
        found = ops.relu(ops.sum(weights * ops.cast(picture, "float32"), axis=-1, keepdims=True))
        found = ops.image.resize(found, features.shape[1:], data_format="channels_last")
        return ops.convert_to_numpy(found)[0, ..., 0]

    def _mean(self, waveform: np.ndarray, at_speed: Callable[[Features], np.ndarray]) -> np.ndarray:
        """The mean of what each speed's own frames tell, laid upon the frames of the clip as it is."""
        energies, num_frames = self._energies(waveform, 1.0)
        result = np.zeros(energies.shape[1:], np.float32)
        for front_end in self._front_ends:
            values = at_speed(front_end)
            values = _resize(values, round(len(values) * front_end.speed)) / len(self._front_ends)
            # A slower clip may not fit, and its middle was predicted.
            values = crop_middle(values, int(num_frames[0]))
            start = (int(num_frames[0]) - len(values)) // 2
            result[start : start + len(values)] += values
        return result

    def _energies(self, waveform: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]:
        """Log-mel energies `(1, time, n_mels)` of a clip, zeros beyond its end, and its number of frames `(1,)`."""
        energies = ops.convert_to_numpy(self._log_mels[speed](waveform[None], np.array([len(waveform)])))
        return energies, np.any(energies != 0, axis=-1).sum(-1)

    def _background(self, energies: np.ndarray, num_frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The clip's background `(time, n_mels)` and what the clip is above it."""
        own = np.arange(energies.shape[1]) < num_frames[0]
        level = np.quantile(energies[0, own], BACKGROUND_QUANTILE)
        background = np.repeat(np.where(own, level, 0)[:, None], energies.shape[2], axis=1).astype("float32")
        return background, energies[0] - background


def _resize(values: np.ndarray, size: int) -> np.ndarray:
    """Values `(time, n_mels)` over so many frames, with the same sums."""
    if len(values) == size:
        return values
    sums = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    edges = np.linspace(0, len(values), size + 1)
    at_edges = np.stack([np.interp(edges, np.arange(len(sums)), band) for band in sums.T], axis=1)
    return np.diff(at_edges, axis=0)


def last_picture(network: keras.Model) -> keras.layers.Layer | None:
    """The last layer of a network whose output is still a picture `(batch, time, feature, channels)` to look at.

    It must have `LEAST_CELLS` cells over time and over frequency, and at least half of the network's layers that weigh
    their inputs before it: what follows an early one, as the recurrent layers of a CRNN, is most of the network. None
    where there is no such layer.
    """
    weighing = [any(len(weight.shape) > 1 for weight in layer.weights) for layer in network.layers]
    half = sum(weighing) / 2
    found = None
    for layer, before in zip(network.layers, np.cumsum(weighing), strict=True):
        # A padded picture lies beside the clip's own.
        if before >= half and not isinstance(layer, keras.layers.ZeroPadding2D) and _is_picture(layer.output):
            found = layer
    return found


def _is_picture(output: keras.KerasTensor) -> bool:
    shape = getattr(output, "shape", ())
    return len(shape) == 4 and all(size is not None and size >= LEAST_CELLS for size in shape[1:3])


def _logit(logits, label_index: int):
    """The sum over a batch of what speaks for a label; a detector's one logit speaks against its first label."""
    if logits.shape[-1] == 1:
        return ops.sum(logits if label_index == 1 else -logits)
    return ops.sum(logits[:, label_index])
