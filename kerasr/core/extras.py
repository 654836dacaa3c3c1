"""Extras: what each is for, whether it is there, and what to type to have it, however kerasr was installed."""

import configparser
import importlib.util
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kerasr.errors import UserError


@dataclass(frozen=True)
class Extra:
    """Packages of setup.cfg that only a part of kerasr needs.

    Attributes:
        purpose: what needs it.
        modules: what it brings, as Python imports it.
    """

    purpose: str
    modules: tuple[str, ...]


# Those that a user may need; setup.cfg has some more for those who work on kerasr.
EXTRAS = {
    "voices": Extra("words spoken by espeak-ng, train --phonemes", ("espeakng_loader",)),
    "numbers": Extra("train --spell-numbers", ("num2words",)),
    "verbalize": Extra("synthesize --verbalize", ("nemo_text_processing",)),
    "pieces": Extra("train --vocabulary pieces", ("sentencepiece",)),
    "microphone": Extra("record, listen", ("sounddevice",)),
    "litert": Extra("export --format litert", ("ai_edge_litert", "ai_edge_quantizer")),
    "onnx": Extra("export --format onnx", ("onnx", "onnxruntime", "tf2onnx")),
    "serve": Extra("serve", ("grpc", "grpc_health", "orjson", "prometheus_client", "starlette", "uvicorn")),
    "search": Extra("search", ("optuna",)),
    "tensorboard": Extra("train --tensorboard", ("tensorboard",)),
    "wandb": Extra("train --wandb", ("wandb",)),
    "hub": Extra("hub:NAME, pretrained models", ("keras_hub",)),
    "jax": Extra("KERAS_BACKEND=jax", ("jax",)),
}


def missing_modules(extra: str) -> list[str]:
    """What an extra brings and Python does not find."""
    return [name for name in EXTRAS[extra].modules if importlib.util.find_spec(name) is None]


def require_extra(extra: str, what: str, *, only: tuple[str, ...] = ()) -> None:
    """Raise where an extra is not installed.

    Args:
        extra: its name.
        what: what needs it, for the message.
        only: the modules that are needed; all that the extra brings for ().

    Raises:
        UserError: a module is missing (`package-not-found`).
    """
    missing = [name for name in missing_modules(extra) if not only or name in only]
    if missing:
        raise UserError(
            "package-not-found", f"{what} needs {missing[0]}, which is not installed: {install_line(extra)}"
        )


def install_line(extra: str) -> str:
    """What to type to have an extra.

    It names the packages and not `kerasr[EXTRA]`, which pip would look for on PyPI, wherever this kerasr came from.
    """
    # In double quotes every shell takes > for a character.
    return " ".join(["pip install", *(f'"{name}"' for name in _requirements(extra) or [f"kerasr[{extra}]"])])


def _requirements(extra: str) -> list[str]:
    """The packages of an extra with their versions; none where kerasr's own files say nothing of them."""
    from packaging.requirements import Requirement

    try:
        listed = [Requirement(line) for line in metadata.requires("kerasr") or ()]
    except metadata.PackageNotFoundError:
        return _requirements_of_checkout(extra)
    found = []
    for requirement in listed:
        if requirement.marker and requirement.marker.evaluate({"extra": extra}):
            requirement.marker = None
            found.append(str(requirement))
    return found


def _requirements_of_checkout(extra: str) -> list[str]:
    """The same from setup.cfg, in a checkout that is used without having been installed."""
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    return settings.get("options.extras_require", extra, fallback="").split()
