"""A network behind its front-ends, compiled once, and given clips of any length in batches."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kerasr.audio.features import Features
from kerasr.config import FeatureSpec
from kerasr.data.clips import BATCH_SIZE, pad_clips
from kerasr.layers.ctc import padding_row
from kerasr.layers.shapes import compile_few_shapes, padded_size
from kerasr.models.from_waveform import compute_logits
from kerasr.tasks import Recognition


class CompiledModel:
    """A model of waveforms, compiled when it is first used.

    Args:
        respond: outputs, a tensor or a dictionary of tensors, of `waveform` `(batch, samples)` and `num_samples`
            `(batch,)`, written with Keras's layers and operations.
        spec: of the front-end; where clips have a length, shorter ones are padded to it.

    Attributes:
        model: takes `[waveform, num_samples]`.
    """

    def __init__(self, respond: Callable[[Any, Any], Any], spec: FeatureSpec):
        waveform = keras.Input((None,), name="waveform")
        num_samples = keras.Input((), dtype="int32", name="num_samples")
        self.model = keras.Model([waveform, num_samples], respond(waveform, num_samples))
        self._clip_samples = 1 if spec.clip_seconds is None else spec.clip_samples
        compile_few_shapes(self.model)

    def __call__(self, clips: Sequence[np.ndarray]) -> Any:
        """The outputs, as arrays with a row a clip, of clips `(samples,)` each; at least one.

        Args:
            clips: any number of them, of any length.
        """
        return join_outputs(
            [self._batch(clips[start : start + BATCH_SIZE]) for start in range(0, len(clips), BATCH_SIZE)]
        )

    def _batch(self, clips: Sequence[np.ndarray]) -> Any:
        width, num_clips = max(self._clip_samples, *(len(clip) for clip in clips)), len(clips)
        width = width if width == self._clip_samples else padded_size(width)
        clips = [*clips, *[np.zeros(1, np.float32)] * (padded_size(num_clips) - num_clips)]
        num_samples = np.array([len(clip) for clip in clips], np.int32)
        outputs = self.model.predict_on_batch([pad_clips(clips, width), num_samples])
        return keras.tree.map_structure(lambda output: output[:num_clips], outputs)


def join_outputs(parts: Sequence[Any]) -> Any:
    """Outputs of several batches, each a structure of arrays, as one; those of frames are padded as the network pads.

    Args:
        parts: at least one; an output is `(clips, outputs)`, or `(clips, frames, outputs)` with the blank first.
    """
    return parts[0] if len(parts) == 1 else keras.tree.map_structure(lambda *rows: _join(rows), *parts)


def _join(rows: Sequence[np.ndarray]) -> np.ndarray:
    if rows[0].ndim == 3:
        frames = max(part.shape[1] for part in rows)
        rows = [pad_frames(part, frames) for part in rows]
    return np.concatenate(rows)


def pad_frames(outputs: np.ndarray, frames: int) -> np.ndarray:
    """Logits or probabilities `(clips, time, outputs)` of so many frames, those that are added saying the blank."""
    # Probabilities sum up to 1; what does not are logits.
    are_probs = np.allclose(outputs[:, :1].sum(-1), 1, atol=1e-3) and (outputs >= 0).all()
    row = np.array(padding_row(outputs.shape[2]))
    if are_probs:
        row = np.exp(row)
    added = np.broadcast_to(row, (len(outputs), max(frames - outputs.shape[1], 0), len(row)))
    return np.concatenate([outputs, added.astype(outputs.dtype)], axis=1)


def compile_probs(front_ends: Sequence[Features], network: keras.Model, task: Recognition) -> CompiledModel:
    """Clips `(samples,)` to a dictionary of `logits` `(clips, outputs)` and `probs` `(clips, labels)`."""

    def respond(waveform: Any, num_samples: Any) -> dict[str, Any]:
        logits = compute_logits(front_ends, network, waveform, num_samples)
        return {"logits": logits, "probs": task.probs(logits)}

    return CompiledModel(respond, front_ends[0].spec)
