"""Extras: what a message tells to type is what setup.cfg says, wherever kerasr was installed from."""

import configparser
from importlib import metadata
from pathlib import Path

import pytest
from _errors import raises
from packaging.requirements import Requirement

from kerasr.core import extras

settings = configparser.ConfigParser()
settings.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
LISTED = {name: lines.split() for name, lines in settings["options.extras_require"].items()}


def test_a_user_is_told_of_each_extra_but_those_of_contributors():
    assert set(LISTED) - set(extras.EXTRAS) == {"dev", "docs", "torch"}


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_what_to_type_names_the_packages(extra, installed, monkeypatch):
    def requires(_):
        if not installed:
            raise metadata.PackageNotFoundError
        of_extras = [f'{line}; extra == "{name}"' for name, lines in LISTED.items() for line in lines]
        return ["numpy>=2.1", 'tomli>=2; python_version < "3.0"', *of_extras]

    monkeypatch.setattr(metadata, "requires", requires)
    command, *packages = extras.install_line(extra).split(' "')
    assert command == "pip install"
    assert [Requirement(package.rstrip('"')) for package in packages] == [Requirement(line) for line in LISTED[extra]]


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(extras.EXTRAS, "onnx", extras.Extra("", ("json", "no_such_package")))
    assert extras.missing_modules("onnx") == ["no_such_package"]
    extras.require_extra("onnx", "this", only=("json",))
    with raises("package-not-found", "no_such_package"):
        extras.require_extra("onnx", "this")
