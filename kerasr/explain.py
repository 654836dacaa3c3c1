"""Why a network heard a word: what in the clip spoke for it, point by point of the clip's log-mel energies.

Integrated gradients ask any network how the word's logit grows while the clip is faded in from its own background, and
give each point of the clip its share (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365, equation 3).
Grad-CAM asks a convolutional network which part of the last picture that it keeps made the logit large (Selvaraju et
al. 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2).
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from kerasr.errors import UserError
from kerasr.features import Features
from kerasr.run_directory import Run

# A coarser map than this, in cells over time and over frequency, says nothing about where.
LEAST_CELLS = 3

# Points of the path from the background to the clip, at the middle of as many equal parts.
NUM_STEPS = 64

# The background of a clip: the level, in dB, that this share of its energies does not reach.
BACKGROUND_QUANTILE = 0.05


class Explainer:
    """Tells what in a clip spoke for a word, for one run.

    Its answers are float32 `(time, n_mels)`, in step with the clip's log-mel energies, and 0 beyond the clip's end.

    Args:
        run: whose network is asked.

    Raises:
        UserError: Keras runs on another backend than TensorFlow, or the run's weights are damaged.
    """

    def __init__(self, run: Run):
        backend = keras.backend.backend()
        if backend != "tensorflow":
            raise UserError(f"explanations need the TensorFlow backend, and this is {backend}: set KERAS_BACKEND")
        self._features = run.features
        self._network = run.network
        spec = run.config.features
        self._log_mel = Features(dataclasses.replace(spec, kind="log_mel", num_deltas=0))
        # The map's axes are the picture's only where the network is given the picture itself.
        layer = last_picture(run.network) if spec.kind == "log_mel" and not spec.num_deltas else None
        self._inside = keras.Model(run.network.input, [layer.output, run.network.output]) if layer else None

    def integrated_gradients(self, waveform: np.ndarray, label_index: int) -> np.ndarray:
        """What spoke for a label (above 0) and against it (below 0), at each point of the clip.

        The sum is what the clip adds to the label's logit over the clip's background alone: sound of the clip's length
        that is as quiet all over as its quietest twentieth.

        Args:
            waveform: `(samples,)` at the rate of the run's front-end.
            label_index: the label, as a column of `Run.probs`.
        """
        import tensorflow as tf

        energies, num_frames = self._energies(waveform)
        background, difference = self._background(energies, num_frames)
        share = ((np.arange(NUM_STEPS) + 0.5) / NUM_STEPS).astype("float32")
        path = ops.convert_to_tensor(background + share[:, None, None] * difference)
        with tf.GradientTape() as tape:
            tape.watch(path)
            features = self._features.from_log_mel(path, np.repeat(num_frames, NUM_STEPS))
            logit = _logit(self._network(features, training=False), label_index)
        return ops.convert_to_numpy(ops.mean(tape.gradient(logit, path), axis=0)) * difference

    def grad_cam(self, waveform: np.ndarray, label_index: int) -> np.ndarray | None:
        """Where the network's last picture of the clip spoke for a label, 0 and above; None where it keeps no picture.

        Coarse, and exact only for a network that averages over that picture: what it stands for is where, not what.

        Args:
            waveform: `(samples,)` at the rate of the run's front-end.
            label_index: the label, as a column of `Run.probs`.
        """
        import tensorflow as tf

        if self._inside is None:
            return None
        energies, num_frames = self._energies(waveform)
        features = ops.convert_to_tensor(self._features.from_log_mel(energies, num_frames))
        with tf.GradientTape() as tape:
            # Frozen layers are not recorded unless their input is watched.
            tape.watch(features)
            picture, logits = self._inside(features, training=False)
            logit = _logit(logits, label_index)
        weights = ops.mean(ops.cast(tape.gradient(logit, picture), "float32"), axis=(1, 2), keepdims=True)
        found = ops.relu(ops.sum(weights * ops.cast(picture, "float32"), axis=-1, keepdims=True))
        found = ops.image.resize(found, energies.shape[1:], data_format="channels_last")
        values = np.array(ops.convert_to_numpy(found))[0, ..., 0]
        values[num_frames[0] :] = 0
        return values

    def _energies(self, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-mel energies `(1, time, n_mels)` of a clip, zeros beyond its end, and its number of frames `(1,)`."""
        energies = ops.convert_to_numpy(self._log_mel(waveform[None], np.array([len(waveform)])))
        return energies, np.any(energies != 0, axis=-1).sum(-1)

    def _background(self, energies: np.ndarray, num_frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The clip's background `(time, n_mels)` and what the clip is above it."""
        own = np.arange(energies.shape[1]) < num_frames[0]
        level = np.quantile(energies[0, own], BACKGROUND_QUANTILE)
        background = np.repeat(np.where(own, level, 0)[:, None], energies.shape[2], axis=1).astype("float32")
        return background, energies[0] - background


def last_picture(network: keras.Model) -> keras.layers.Layer | None:
    """The last layer of a network whose output is still a picture `(batch, time, feature, channels)` to look at.

    It must have `LEAST_CELLS` cells over time and over frequency, and at least half of the network's layers that weigh
    their inputs before it: what follows an early one, as the recurrent layers of a CRNN, is most of the network. None
    where there is no such layer.
    """
    weighing = [any(len(weight.shape) > 1 for weight in layer.trainable_variables) for layer in network.layers]
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
