"""Runs of earlier formats load, with their settings under today's names."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kerasr.presets import list_presets, preset_folder
from kerasr.runs.run import load_run


def test_a_run_of_the_first_format_answers_as_it_did(tone_run, tmp_path):
    folder = shutil.copytree(tone_run, tmp_path / "old")
    config, facts = (json.loads((folder / name).read_text()) for name in ("config.json", "run.json"))
    config["hear_at"] = config.pop("tta_speeds")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "run.json").write_text(json.dumps(facts | {"format": 1}))
    old, new, clip = load_run(folder), load_run(tone_run), np.ones(3000, np.float32) / 8
    assert old.config == new.config
    np.testing.assert_array_equal(old.probs([clip]), new.probs([clip]))


@pytest.mark.parametrize("name", list_presets())
def test_a_preset_loads_with_all_its_settings(name):
    config = json.loads(Path(preset_folder(name) or "", "config.json").read_text())
    speeds = config.get("tta_speeds", config.get("hear_at"))
    assert list(load_run(name).config.tta_speeds) == speeds
