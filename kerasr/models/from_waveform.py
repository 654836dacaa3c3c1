"""A network behind its front-ends: from waveforms to logits."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from kerasr.audio.features import Features
from kerasr.config import FeatureSpec


def compute_logits(front_ends: Sequence[Features], network: Callable[..., Any], *clips: Any) -> Any:
    """Logits `(batch, outputs)` of `waveform` `(batch, samples)` and, where given, `num_samples` `(batch,)`.

    With several front-ends, each at a speed of its own, the logits are averaged.
    """
    logits = [network(front_end(*clips), training=False) for front_end in front_ends]
    return keras.layers.average(logits) if len(logits) > 1 else logits[0]


def attach_front_ends(front_ends: Sequence[Features], network: keras.Model) -> keras.Model:
    """The front-ends and a network as one model, from `waveform` `(batch, samples)` to logits."""
    waveform = keras.Input((None,), name="waveform")
    return keras.Model(waveform, compute_logits(front_ends, network, waveform), name=f"{network.name}_from_waveform")


def find_network(model: Any) -> keras.Model | None:
    """The network in a model that `attach_front_ends` has made; None for anything else than such a model."""
    networks = [layer for layer in getattr(model, "layers", ()) if isinstance(layer, keras.Model)]
    return networks[0] if isinstance(model, keras.Model) and len(networks) == 1 else None


def takes_features(network: keras.Model, spec: FeatureSpec) -> bool:
    """Whether it takes features as the front-end computes them, of clips of its length or of any length."""
    frames, width = spec.shape
    return network.input_shape in ((None, frames, width), (None, None, width))
