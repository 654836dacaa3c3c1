"""Pretrained models of keras-hub, by their names: `hub:whisper_tiny_en`, or `hub:` and a folder of `save_to_preset`.

keras-hub is the extra `hub`; it is imported when a model is read.
"""

import importlib
import os
from dataclasses import dataclass
from typing import Any

from kerasr.config import shorten
from kerasr.config.transfer import HUB
from kerasr.core.extras import require_extra
from kerasr.errors import UserError

# The architecture that a training begins with from a pretrained model.
ARCHITECTURE = "MoonshineEncoder"
# What `save_to_preset` of a backbone writes into its folder.
_CONFIG = "config.json"


@dataclass(frozen=True, eq=False)
class Pretrained:
    """What keras-hub reads of a speech model.

    Attributes:
        name: with `hub:` before it.
        family: `Whisper` or `Moonshine`.
        backbone: the encoder and the decoder, of `keras_hub.models`.
        tokenizer: of its texts.
        converter: from waveforms to what the encoder is given.
    """

    name: str
    family: str
    backbone: Any
    tokenizer: Any
    converter: Any


def check_hub(name: str) -> str:
    """The preset that `hub:` stands before: a folder, or a name that keras-hub knows; nothing is read or fetched.

    Imports no framework.

    Raises:
        UserError: keras-hub is not installed (`package-not-found`), or a folder has no model (`hub-model-not-found`).
    """
    preset = name.removeprefix(HUB)
    require_extra("hub", name)
    if not preset or (os.path.isdir(preset) and not os.path.exists(os.path.join(preset, _CONFIG))):
        raise UserError(
            "hub-model-not-found",
            f"{name}: no model is there (a folder of save_to_preset holds {_CONFIG}): save a Whisper's "
            "backbone, tokenizer and audio converter into one folder, or a MoonshineAudioToText; or give a name, as "
            f"{HUB}whisper_tiny_en",
        )
    return preset


def read_backbone(name: str) -> tuple[str, Any]:
    """The family and the backbone of a speech model, its weights read or fetched.

    Raises:
        UserError: there is none of that name, it cannot be fetched, or it is no Whisper and no Moonshine.
    """
    hub = importlib.import_module("keras_hub")
    backbone = _read(hub.models.Backbone, name)
    for family in ("Whisper", "Moonshine"):
        if isinstance(backbone, getattr(hub.models, f"{family}Backbone")):
            return family, backbone
    raise UserError(
        "hub-unsupported", f"{name}: is a {type(backbone).__name__}, and kerasr knows Whisper and Moonshine"
    )


def read_pretrained(name: str) -> Pretrained:
    """A whole speech model.

    Raises:
        UserError: as `read_backbone`; or its tokenizer or its audio converter is missing.
    """
    family, backbone = read_backbone(name)
    hub = importlib.import_module("keras_hub")
    if family == "Moonshine":
        # Alone, its tokenizer is not found (keras-hub 0.32: it says that it is Llama's).
        both = _read(hub.models.MoonshineAudioToTextPreprocessor, name)
        return Pretrained(name, family, backbone, both.tokenizer, both.audio_converter)
    tokenizer, converter = (
        _read(kind, name) for kind in (hub.models.WhisperTokenizer, hub.layers.WhisperAudioConverter)
    )
    return Pretrained(name, family, backbone, tokenizer, converter)


def read_converter(name: str, family: str) -> Any:
    """The audio converter of a speech model of this family: from waveforms to what its encoder is given.

    Raises:
        UserError: it is missing, or cannot be fetched.
    """
    return _read(getattr(importlib.import_module("keras_hub").layers, f"{family}AudioConverter"), name)


def _read(kind: Any, name: str) -> Any:
    preset = check_hub(name)
    try:
        return kind.from_preset(preset)
    except Exception as error:  # keras-hub lets Kaggle's, the network's, json's, h5py's and its own errors through.
        raise UserError(
            "hub-model-not-found",
            f"{name}: keras-hub cannot read its {kind.__name__} ({shorten(error)}): give a folder that save_to_preset "
            "has written, or with a network the name of one of its presets",
        ) from error
