"""Settings by name, from a command line, from a file: where each comes from, and that it was asked for."""

import json

import pytest
from _errors import raises

from kerasr import train
from kerasr.config import FeatureSpec, ModelConfig, TrainConfig, path_of, read_settings, to_json, write_settings
from kerasr.config.train import _paths, name_of
from kerasr.recipes import get_recipe, list_recipes
from kerasr.recipes.arguments import flags_of


def parse(*argv):
    return train.parse_arguments([*map(str, argv)]).train


def test_every_setting_has_a_name_of_its_own():
    names = [name_of(path) for path in _paths()]
    assert len(names) == len({*names}) > 80
    assert all(path_of(name) == path for name, path in zip(names, _paths(), strict=True))


def test_settings_are_changed_by_name_by_place_and_by_group():
    config = TrainConfig().replace(leave_out="anna", data="mine", features=FeatureSpec(n_mels=20))
    assert (config.data.leave_out, config.data.path, config.features.n_mels) == ("anna", "mine", 20)
    same = config.replace(**{"data.leave_out": "ben", "optimizer.ema": 0.9, "model.width": 0.5})
    assert (same.data.leave_out, same.optimizer.ema, same.model.options) == ("ben", 0.9, {"width": 0.5})
    both = config.replace(model=ModelConfig("CRNN", {"units": 8}), **{"model.filters": 4})
    assert (both.model.name, both.model.options) == ("CRNN", {"units": 8, "filters": 4})


@pytest.mark.parametrize("name", ["nobody", "optimizer.nobody", "leave.out", "given", "widths.model"])
def test_a_setting_that_there_is_not_is_told(name):
    with raises("setting-not-found"):
        TrainConfig().replace(**{name: 1})


def test_what_was_asked_for_is_known_and_what_a_recipe_says_is_not():
    assert {get_recipe(name).given for name in list_recipes()} == {()}
    assert get_recipe("digits_best") == get_recipe("digits-best")
    config = get_recipe("digits").replace(epochs=3)
    assert config.given == ("fit.epochs",)
    assert config.is_given("fit")
    assert config.is_given("data", "fit.epochs")
    assert not config.is_given("data", "fit.epoch")
    assert config.derive(seed=3).given == ("fit.epochs",)
    argv = ("--leave-out=anna", "--no-cache", "--augment.time_shift", "0.1", "--model.dropout", "0", "--seed", "1")
    assert parse(*argv).given == (
        "augment.time_shift",
        "data.cache",
        "data.leave_out",
        "model.options.dropout",
        "runtime.seed",
    )
    assert parse("--seed", "0").given == ("runtime.seed",), "also where it is what the recipe says"


def test_settings_survive_a_file_and_a_command_line(tmp_path):
    argv = ("digits-best", "--leave-out", "theo", "--augment.speed", "0.8", "1.2", "--patience", "None", "--cache")
    config, file = parse(*argv), tmp_path / "mine.yaml"
    file.write_text(write_settings(config))
    assert parse("--config", file) == config
    assert parse("digits-best", *flags_of(config, config.given)) == config
    file.with_suffix(".json").write_text(json.dumps(to_json(config)))
    assert parse("--config", file.with_suffix(".json")) == config


def test_a_file_says_what_the_recipe_does_not_and_a_flag_what_the_file_does_not(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "recipe: digits-best\nleave_out: theo\nmodel: CRNN\noptimizer: {learning_rate: 1e-3}\nfit:\n  epochs: 7\n"
    )
    config = parse("--config", file, "--epochs", "9")
    assert (config.recipe, config.model.name, config.data.leave_out, config.fit.epochs) == (
        "digits-best",
        "CRNN",
        "theo",
        9,
    )
    assert (config.optimizer.learning_rate, config.optimizer.name) == (1e-3, "muon")
    assert config.model.options == get_recipe("digits-best", "CRNN").model.options
    assert config.given == ("data.leave_out", "fit.epochs", "model.name", "optimizer.learning_rate")
    other = parse("--config", file, "--model", "KWT1")
    assert other.model.options == get_recipe("digits-best", "KWT1").model.options


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[1, 2]", "file-damaged"),
        ("a: b: c", "file-damaged"),
        ("1: 2", "file-damaged"),
        ("", "file-damaged"),
        ("[" * 5000, "file-damaged"),
        ("nobody: 1", "setting-not-found"),
        ("data: {nobody: 1}", "setting-not-found"),
        ("epochs: many", "setting-out-of-range"),
        ("optimizer.ema: fast", "setting-out-of-range"),
        ("augment: {speed: 1}", "setting-out-of-range"),
        ("recipe: digitz", "recipe-not-found"),
        ("recipe: [1]", "setting-out-of-range"),
        ("model: {options: 3}", "setting-out-of-range"),
        ("model: [CRNN]", "setting-out-of-range"),
        ("data: [mine]", "setting-out-of-range"),
        ("when: 2020-01-01\nepochs: 2", "setting-not-found"),
    ],
)
def test_a_damaged_file_of_settings_is_told(tmp_path, text, code):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with raises(code):
        parse("--config", file)


def test_settings_of_another_architecture_are_read(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("model:\n  name: CRNN\n  options: {units: 8}\n")
    assert read_settings(file) == {"model.name": "CRNN", "model.options": {"units": 8}}
    assert parse("--config", file).model == ModelConfig("CRNN", {"units": 8})


def test_the_first_help_is_two_screens_and_names_the_second(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    first, whole = (help_of(flag, capsys) for flag in ("--help", "--help-all"))
    assert len(first.splitlines()) <= 60
    assert "--help-all" in first
    for flag in ("--data", "--wanted", "--model", "--epochs", "--config", "--print-config"):
        assert f"{flag} " in first
    assert "--augment.speed" not in first
    for path in _paths():
        if path != "model.options":
            assert f"--{name_of(path).replace('_', '-')}" in whole


def help_of(flag, capsys):
    with pytest.raises(SystemExit) as end:
        train.main([flag])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_print_config_trains_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train.main(["digits", "--print-config", "--epochs", "3"])
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    assert parse("--config", "mine.yaml") == get_recipe("digits").replace(epochs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
