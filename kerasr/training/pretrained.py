"""Trainings that begin from a pretrained model of keras-hub, and those whose network reads the waveform."""

from dataclasses import replace

from rich.console import Console
from rich.text import Text

from kerasr.config import Augmentation, ModelConfig, TrainConfig, name_of
from kerasr.config.transfer import is_hub
from kerasr.data.augment import feature_changes
from kerasr.errors import UserError
from kerasr.models.hub_encoder import HubEncoder, read_encoder
from kerasr.models.registry import model_facts

# Changes after the front-end that blend two clips: of waveforms as of features.
_BLENDS = {"mixup", "cutmix"}


def name_as_origin(config: TrainConfig) -> TrainConfig:
    """The config that begins from the pretrained model which it names as its architecture; any other as it is.

    Raises:
        UserError: it begins from something else, too.
    """
    name, origin = config.model.name, config.transfer.init_from
    if not is_hub(name):
        return config
    if origin not in (None, name):
        raise UserError(
            "settings-conflict", f"--model {name} and --init-from {origin}: a training begins from one: leave one out"
        )
    return replace(config, transfer=replace(config.transfer, init_from=name))


def begin_from_hub(config: TrainConfig) -> TrainConfig:
    """The config with the architecture, the sizes and the front-end of the pretrained model that it begins from.

    Raises:
        UserError: there is none (`hub-model-not-found`), it cannot be trained (`hub-unsupported`), or another
            architecture, size or front-end is asked for (`settings-conflict`).
    """
    encoder = read_encoder(config.transfer.init_from or "")
    features = replace(encoder.features, clip_seconds=config.features.clip_seconds)
    for path in config.given:
        if path.startswith("features.") and config.value_of(path) != getattr(features, path.partition(".")[2]):
            raise _conflict(config, path, f"it reads the waveform at {features.sample_rate} Hz")
    if config.is_given("model.name") and config.model.name != encoder.model and not is_hub(config.model.name):
        raise _conflict(config, "model.name", f"its architecture is {encoder.model}")
    return replace(config, model=_model(config, encoder), features=features)


def _model(config: TrainConfig, encoder: HubEncoder) -> ModelConfig:
    """The architecture, with the sizes of its weights and what else is asked for."""
    options = {**model_facts(encoder.model).options, **encoder.sizes}
    whole = "model.options" in config.given
    for name, value in config.model.options.items():
        if not whole and not config.is_given(f"model.options.{name}"):
            continue
        if value != encoder.sizes.get(name, value):
            raise _conflict(config, f"model.options.{name}", f"its weights have {encoder.sizes[name]}")
        options[name] = value
    return replace(config.model, name=encoder.model, options=options)


def _conflict(config: TrainConfig, path: str, why: str) -> UserError:
    flag = f"--{name_of(path).replace('_', '-')} {config.value_of(path)}"
    return UserError("settings-conflict", f"{flag}: {config.transfer.init_from} is begun from, and {why}: leave it out")


def use_waveform(config: TrainConfig, console: Console) -> TrainConfig:
    """The config for a network that reads the waveform, without what changes features; any other as it is.

    Args:
        config: the settings.
        console: where to say which of the recipe's changes were switched off.

    Raises:
        UserError: a change of features was asked for.
    """
    changes = [name for name in feature_changes(config.augment) if name not in _BLENDS]
    if not config.features.is_waveform or not changes:
        return config
    for name in changes:
        # (What was registered stands in the one setting of them all.)
        path = f"augment.{name if hasattr(config.augment, name) else 'extra'}"
        if config.is_given(path) or path == "augment.extra":
            raise UserError(
                "settings-conflict",
                f"--{path.replace('_', '-')}: {name} changes features, and {config.model.name} reads the waveform: "
                "leave it out; --augment.speed, .gain-db, .noise, .reverb and .codec change waveforms",
            )
    flags = ", ".join(f"--augment.{name.replace('_', '-')}" for name in changes)
    console.print(Text(f"the network reads the waveform, and so the recipe's {flags} left out"), soft_wrap=True)
    usual = Augmentation()
    return config.derive(augment=replace(config.augment, **{name: getattr(usual, name) for name in changes}))
