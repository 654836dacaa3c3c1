"""A SavedModel for TensorFlow Serving: the front-end, the network and the words in one graph.

Signatures, each with the outputs `logits`, `probs` and what the task adds, `label_index` and `label` for words, and
`rejected` where a run has a threshold below which it is none of them; `token_ids` and `text` for transcripts:

serving_default   `waveform` float32 (batch, samples) at the spec's rate; trailing exact zeros are padding
with_num_samples  the same with `num_samples` int32 (batch,), for clips that end in true silence
serve_wav         `wav` string (batch,): the files' bytes, of any width and common rate
features          `features` float32 (batch, time, feature), as `kerasr.Features(spec)` or librosa gives them: in dB, no
                  statistics applied; trailing frames of exact zeros are padding (a run that takes clips at several
                  speeds takes these at their own alone)
stream            where the run carries its state (`kerasr.streaming`): `waveform` float32 (batch, samples of a step),
                  `num_frames` int32 (batch,) and the states `state_...`, which come out beside `logits` and `probs` of
                  the clip so far, or of transcripts (batch, time, outputs) of the step's frames;
                  `kerasr.streaming.client.Stream` cuts a sound into steps, and assets.extra/kerasr.json says what it
                  must know

What is no sound (`kerasr.audio.sound`), and what would be answered with NaN, is an InvalidArgument.

The graph holds no code of XLA's, which would compile again for each length of clip, and no cuDNN: what was trained on a
GPU is served on a CPU.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from kerasr.audio.sound import LOUDEST
from kerasr.exporters.answer import answer
from kerasr.exporters.converters import require_tensorflow, traced_once, write_signatures
from kerasr.exporters.wav import decode_wavs
from kerasr.layers import NumFrames
from kerasr.layers.recurrent import with_implementation
from kerasr.models.from_waveform import compute_logits
from kerasr.runs.run import Run
from kerasr.streaming.client import POSITION, StreamFacts
from kerasr.streaming.step_model import StreamingStep, why_not_streaming


def write_saved_model(run: Run, folder: str) -> StreamFacts | None:
    """Write the run's SavedModel into a folder.

    Returns:
        What clients of its signature `stream` must know; None where the run cannot carry its state.

    Raises:
        UserError: Keras runs on another backend than TensorFlow.
    """
    require_tensorflow()
    network = with_implementation(run.network, "fused")
    endpoints = _endpoints(run, network)
    step = None if why_not_streaming(run) else StreamingStep(run, network)
    if step:
        stream, signature = stream_endpoint(step)
        endpoints["stream"] = _guarded_stream(stream, signature), signature
    write_signatures(endpoints, folder)
    return step.facts if step else None


def _endpoints(run: Run, network: keras.Model) -> dict[str, tuple[Callable[..., Any], list[tf.TensorSpec]]]:
    """Each signature's function and inputs."""
    front_ends, spec = run.front_ends, run.config.features
    words = tf.constant(run.labels)
    waveform_spec = tf.TensorSpec([None, None], tf.float32, "waveform")
    samples_spec = tf.TensorSpec([None], tf.int32, "num_samples")
    features_spec = tf.TensorSpec([None, *spec.shape], tf.float32, "features")
    traced = traced_once(lambda features: network(features, training=False), [features_spec])

    def logits_of(features, training=False):
        del training  # It never is, and a traced function takes what its signature has.
        return traced(features)

    of_clips = traced_once(partial(compute_logits, front_ends, logits_of), [waveform_spec, samples_spec])

    def respond(logits):
        # Of finite features, too, some are too large.
        found = answer(run, _numbers(logits, "logits"))
        if "label_index" in found:
            found["label"] = tf.gather(words, found["label_index"])
        if "token_ids" in found:
            found["text"] = spell(found["token_ids"], words)
        return found

    def serving_default(waveform):
        return respond(compute_logits(front_ends, logits_of, _sound(waveform)))

    def with_num_samples(waveform, num_samples):
        return respond(of_clips(_sound(waveform), _own(num_samples, waveform)))

    def serve_wav(wav):
        return respond(of_clips(*decode_wavs(wav, spec.sample_rate, spec.clip_seconds)))

    def from_features(features):
        features = _numbers(features, "features")
        features = run.features.normalise(features, NumFrames()(features))
        return respond(logits_of(features))

    return {
        "serving_default": (serving_default, [waveform_spec]),
        "with_num_samples": (with_num_samples, [waveform_spec, samples_spec]),
        "serve_wav": (serve_wav, [tf.TensorSpec([None], tf.string, "wav")]),
        "features": (from_features, [features_spec]),
    }


def spell(token_ids: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """`(batch,)` the texts of token ids `(batch, time)`, which end with -1, with one space between two words."""
    tokens = tf.gather(tf.concat([[""], labels], 0), tf.maximum(token_ids, 0))
    return tf.strings.strip(tf.strings.regex_replace(tf.strings.reduce_join(tokens, axis=1), " +", " "))


def _sound(waveform: tf.Tensor) -> tf.Tensor:
    """The waveform, or InvalidArgument where it is no sound."""
    words = f"waveform: a sample is not a finite number, or beyond {LOUDEST:g} times full scale"
    return _claimed(waveform, tf.abs(waveform) <= LOUDEST, words)


def _own(num_samples: tf.Tensor, waveform: tf.Tensor) -> tf.Tensor:
    """The lengths, or InvalidArgument where one is not of samples that are there."""
    there = tf.shape(waveform)[1]
    words = "num_samples: a clip has fewer than none, or more samples than came"
    return _claimed(num_samples, (num_samples >= 0) & (num_samples <= there), words)


def _numbers(tensor: tf.Tensor, name: str) -> tf.Tensor:
    """The tensor, or InvalidArgument where one of its values is not finite."""
    return _claimed(tensor, tf.math.is_finite(tensor), f"{name}: a value is not a finite number")


def _claimed(tensor: tf.Tensor, conditions: tf.Tensor, words: str) -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(conditions), [words])]):
        return tf.identity(tensor)


def _guarded_stream(stream: Callable[..., Any], specs: list[tf.TensorSpec]) -> Callable[..., Any]:
    """The step with its inputs and its answer watched; LiteRT, which has the same step, knows no such checks."""

    def guarded(waveform, *others):
        given = (
            _numbers(value, str(spec.name)) if spec.dtype.is_floating else value
            for value, spec in zip(others, specs[1:], strict=True)
        )
        found = stream(_sound(waveform), *given)
        return {**found, "logits": _numbers(found["logits"], "logits")}

    return guarded


def stream_endpoint(step: StreamingStep, batch: int | None = None) -> tuple[Callable[..., Any], list[tf.TensorSpec]]:
    """The signature that carries a state: its function, and its inputs for so many streams (any number where None)."""
    facts = step.facts
    specs = [
        tf.TensorSpec([batch, facts.step_samples], tf.float32, "waveform"),
        tf.TensorSpec([batch], tf.int32, "num_frames"),
    ]
    for name, shape in facts.states.items():
        specs.append(tf.TensorSpec([batch, *shape], tf.int32 if name == POSITION else tf.float32, name))

    def stream(*values):
        return step.call(dict(zip(("waveform", "num_frames", *facts.states), values, strict=True)))

    return stream, specs
