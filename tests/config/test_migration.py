"""Runs of earlier formats load, with their settings where they stand now."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from _shared import flat_settings

from kerasr.config import from_json, migrate
from kerasr.config.train import TrainConfig
from kerasr.presets import list_presets, preset_folder
from kerasr.runs.run import load_run


@pytest.mark.parametrize("version", [1, 2])
def test_a_run_of_an_earlier_format_answers_as_it_did(tone_run, tmp_path, version):
    new, folder = load_run(tone_run), shutil.copytree(tone_run, tmp_path / "old")
    config, facts = flat_settings(new.config), json.loads((folder / "run.json").read_text())
    if version == 1:
        config["hear_at"] = config.pop("tta_speeds")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "run.json").write_text(json.dumps(facts | {"format": version}))
    old, clip = load_run(folder), np.ones(3000, np.float32) / 8
    assert old.config == new.config
    np.testing.assert_array_equal(old.probs([clip]), new.probs([clip]))


def test_every_setting_of_the_second_format_has_its_place():
    config = TrainConfig().replace(data="mine", model="CRNN", leave_out="anna", epochs=None, out="there", seed=3)
    assert from_json(TrainConfig, migrate(flat_settings(config), 2)) == config


@pytest.mark.parametrize("version", [1, 2])
def test_what_computes_a_recurrent_layer_was_called_a_kernel(version):
    config = TrainConfig().replace(**{"model": "CRNN", "model.units": 8, "model.implementation": "plain"})
    old = flat_settings(config)
    old["model_options"] = {"units": 8, "kernel": "plain"}
    assert from_json(TrainConfig, migrate(old, version)) == config


def test_facts_of_earlier_runs_are_read_by_todays_names(tone_run, tmp_path):
    folder = shutil.copytree(tone_run, tmp_path / "old")
    facts = json.loads((folder / "run.json").read_text())
    del facts["implementation"]
    earlier = {"kernel": "plain", "test_clips_heard": 3, "negatives": {"segments": 9, "stretches_hard": 2}}
    (folder / "run.json").write_text(json.dumps(facts | earlier))
    today = {"implementation": "plain", "test_clips_known": 3, "negatives": {"segments": 9, "segments_hard": 2}}
    assert load_run(folder).facts == facts | today


@pytest.mark.parametrize("name", list_presets())
def test_a_preset_loads_with_all_its_settings(name):
    config = json.loads(Path(preset_folder(name) or "", "config.json").read_text())
    settings = config["model"] if isinstance(config["model"], dict) else config
    speeds = settings.get("tta_speeds", settings.get("hear_at"))
    assert list(load_run(name).config.model.tta_speeds) == speeds
