"""Trainings on features that were computed elsewhere: their spec is the corpus's, and nothing changes a waveform."""

import dataclasses
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from kerasr.config import Augmentation, FeatureSpec, TrainConfig, name_of
from kerasr.data import Corpus
from kerasr.data.augment.registry import extra_changes
from kerasr.errors import UserError

# Settings of changes that work on features of any kind.
_CHANGES = {
    *("tempo", "time_masks", "time_mask_seconds", "time_mask_share", "frequency_masks", "frequency_mask_width"),
    *("mixup", "cutmix", "extra"),
}
# What else needs waveforms.
_OTHERS = (
    *("data.words", "data.connected", "data.synthetic_voices", "data.flite_clips", "model.tta_speeds"),
    *("transfer.pseudo_labels", "task.negatives", "task.hard_negatives"),
)
# What the user decides about given features; all else is theirs.
_OWN = {"clip_seconds", "num_deltas"}


def use_given_features(config: TrainConfig, corpus: Corpus, console: Console) -> TrainConfig:
    """The config for a corpus of given features; for one of recordings as it is.

    What a recipe brings for waveforms is switched off, and that is said.

    Args:
        config: the settings, the front-end of a run that it begins from among them.
        corpus: the recordings or features.
        console: where to say what was switched off.

    Raises:
        UserError: something was asked for that needs waveforms (`settings-conflict`), or a run that the training begins
            from has other features (`features-differ`).
    """
    if corpus.features is None:
        if config.features.is_given:
            raise UserError(
                "features-differ",
                f"{corpus.source}: has recordings, and --features.kind given, or the run to begin from, wants features "
                "that were computed elsewhere: give a Kaldi directory with a feats.scp",
            )
        return config
    if not config.transfer.init_from:
        config = config.derive(features=_spec(config, corpus.features))
    elif not config.features.is_given_as(corpus.features):
        raise UserError(
            "features-differ",
            f"--init-from {config.transfer.init_from}: its features are others than those of {corpus.source}",
        )
    off = [path for path in _for_waveforms() if config.value_of(path) != TrainConfig().value_of(path)]
    for path in off:
        if config.is_given(path):
            raise _conflict(config, path, corpus)
    if extra_changes(config.augment, "waveform"):
        raise _conflict(config, "augment.extra", corpus)
    if off:
        names = ", ".join(f"--{name_of(path).replace('_', '-')}" for path in off)
        console.print(Text(f"features are given, and so the recipe's {names} left out"), soft_wrap=True)
    return config.derive(**{path: TrainConfig().value_of(path) for path in off})


def _spec(config: TrainConfig, given: FeatureSpec) -> FeatureSpec:
    """The corpus's spec, with what the user decides about it.

    (Who gives a whole group gives its defaults, too: these ask for nothing.)
    """
    asked = config.features
    own = _OWN | {"n_fft", "win_length", "hop_length"} if asked.is_given else _OWN
    for field in dataclasses.fields(FeatureSpec):
        path, value = f"features.{field.name}", getattr(asked, field.name)
        wanted = config.is_given(path) and value not in (field.default, getattr(given, field.name))
        if wanted and field.name not in own:
            flag = f"--{path.replace('_', '-')} {value}"
            raise UserError("settings-conflict", f"{flag}: these features were computed elsewhere: leave it out")
    num_deltas = asked.num_deltas if config.is_given("features.num_deltas") else 0
    return replace(given, clip_seconds=asked.clip_seconds, num_deltas=num_deltas)


def _for_waveforms() -> Iterator[str]:
    """Places of the settings that need waveforms."""
    yield from (f"augment.{field.name}" for field in dataclasses.fields(Augmentation) if field.name not in _CHANGES)
    yield from _OTHERS


def _conflict(config: TrainConfig, path: str, corpus: Corpus) -> UserError:
    value = config.value_of(path)
    shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
    return UserError(
        "settings-conflict",
        f"--{name_of(path).replace('_', '-')} {shown}: needs waveforms, and {corpus.source} has features that were "
        "computed elsewhere: leave it out; masks (--augment.time-masks, --augment.frequency-masks) work on these",
    )
