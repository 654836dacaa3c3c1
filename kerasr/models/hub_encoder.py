"""The encoder of a pretrained model of keras-hub, as one of kerasr's own architectures with weights to begin with.

So only the training's begin reads keras-hub's model: what it makes is a run like any other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kerasr.config import FeatureSpec
from kerasr.errors import UserError
from kerasr.models.hub import ARCHITECTURE, read_backbone, read_converter

# Moonshine's rotary positions have this base, and kerasr's attention no other.
ROPE_BASE = 10_000.0


@dataclass(frozen=True, eq=False)
class HubEncoder:
    """A pretrained encoder.

    Attributes:
        model: the architecture, of kerasr's registry.
        sizes: the architecture's options that its weights need.
        features: what it reads.
        weights: those of each layer, by the layer's name, in the order of `layer.set_weights`.
    """

    model: str
    sizes: Mapping[str, int]
    features: FeatureSpec
    weights: Mapping[str, list[np.ndarray]]

    def give_weights(self, network: Any) -> None:
        """Set the weights of a network of this architecture and these sizes, but for its head's."""
        for name, weights in self.weights.items():
            network.get_layer(name).set_weights(weights)


def read_encoder(name: str) -> HubEncoder:
    """The encoder of a pretrained model.

    Args:
        name: `hub:` and a name that keras-hub knows, or a folder that `save_to_preset` has written.

    Raises:
        UserError: there is none (`hub-model-not-found`), keras-hub is not installed (`package-not-found`), or its
            encoder cannot be trained further (`hub-unsupported`): a Whisper, or a Moonshine with other layers than
            `MoonshineEncoder` has.
    """
    family, backbone = read_backbone(name)
    if family == "Whisper":
        raise UserError(
            "hub-unsupported",
            f"{name}: a Whisper is not trained further, as its features are padded to half a minute and scaled to the "
            "clip's loudest moment, which a stream does not know: take a Moonshine, or train on this Whisper's "
            f"transcripts (predict {name} RECORDINGS --manifest labels.csv)",
        )
    _check_moonshine(name, backbone)
    converter = read_converter(name, family)
    if converter.do_normalize:
        raise UserError(
            "hub-unsupported",
            f"{name}: its audio converter scales each clip to its own loudness (do_normalize), which a stream does not "
            "know: take a Moonshine without that",
        )
    features = FeatureSpec(kind="waveform", sample_rate=converter.sampling_rate, clip_seconds=None)
    return HubEncoder(ARCHITECTURE, _sizes(backbone), features, dict(_weights(backbone)))


def _check_moonshine(name: str, backbone: Any) -> None:
    """Raise where it has other layers than `MoonshineEncoder`, which has those of keras-hub's defaults."""
    wanted = {"encoder_use_swiglu_activation": False, "attention_bias": False, "rope_theta": ROPE_BASE}
    for setting, value in wanted.items():
        if (found := getattr(backbone, setting)) != value:
            raise UserError(
                "hub-unsupported",
                f"{name}: has {setting} {found}, and kerasr's MoonshineEncoder {value}: take another Moonshine",
            )


def _sizes(backbone: Any) -> dict[str, int]:
    rotary = backbone.encoder_rotary_embedding
    return {
        "width": backbone.hidden_dim,
        "num_heads": backbone.encoder_num_heads,
        # (Where the width of a head is padded, it is padded for the positions, too.)
        "head_width": rotary.head_dim,
        "rotary_width": rotary.rotary_dim,
        "num_layers": backbone.encoder_num_layers,
        "expansion": backbone.feedforward_expansion_factor,
    }


def _weights(backbone: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Each layer's weights, by the name that it has in `MoonshineEncoder`."""
    arrays = {weight.path: ops.convert_to_numpy(weight) for weight in backbone.weights}

    def of(*paths: str) -> list[np.ndarray]:
        return [arrays[path] for path in paths]

    yield "convolution1", of("conv1/kernel")
    yield "convolution1_norm", of("group_norm/gamma", "group_norm/beta")
    for index in (2, 3):
        yield f"convolution{index}", of(f"conv{index}/kernel", f"conv{index}/bias")
    rotary_width = backbone.encoder_rotary_embedding.rotary_dim
    for index in range(backbone.encoder_num_layers):
        theirs, ours = f"encoder_block_{index}", f"block{index + 1}"
        attention, dense = f"{theirs}/self_attention_layer", f"{theirs}/feedforward"
        projections = of(*(f"{attention}/{part}/kernel" for part in ("query", "key", "value")))
        yield f"{ours}_attention_norm", of(f"{attention}_norm/gamma")
        yield f"{ours}_attention_projections", [_side_by_side(projections, rotary_width)]
        (mix,) = of(f"{attention}/attention_output/kernel")
        yield f"{ours}_attention_mix", [mix.reshape(-1, mix.shape[-1])]
        yield f"{ours}_dense_norm", of(f"{dense}_layer_norm/gamma")
        for number in (1, 2):
            yield f"{ours}_dense{number}", of(f"{dense}/dense_{number}/kernel", f"{dense}/dense_{number}/bias")
    yield "norm", of("encoder_final_layer_norm/gamma")


def _side_by_side(projections: list[np.ndarray], rotary_width: int) -> np.ndarray:
    """One kernel of the queries', keys' and values', each `(width, heads, head_width)`.

    Moonshine turns neighbouring numbers of a head together, and `SelfAttention` one of either half: of queries and keys
    the even ones come first, and their products are the same.
    """
    query, key, value = projections
    order = [*range(0, rotary_width, 2), *range(1, rotary_width, 2), *range(rotary_width, query.shape[-1])]
    width = query.shape[0]
    return np.concatenate([part.reshape(width, -1) for part in (query[..., order], key[..., order], value)], axis=1)
