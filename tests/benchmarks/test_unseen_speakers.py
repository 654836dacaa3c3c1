"""The benchmark that leaves speakers out: nobody's own recordings choose what is reported for him."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(monkeypatch, tmp_path):
    """The script, with made-up trainings that left out two speakers."""
    script = runpy.run_path(str(ROOT / "benchmarks" / "unseen_speakers.py"))
    monkeypatch.setitem(script["main"].__globals__, "RESULTS", tmp_path)

    def tried(name, seeds=script["INNER_SEEDS"], **accuracy):
        for seed in seeds:
            path = script["result_path"](name, tuple(accuracy), seed, True)
            path.write_text(json.dumps({"candidate": name, "accuracy": accuracy}))

    for first, second in script["PAIRS"]:
        tried("digits-best", **{first: 0.8, second: 0.8})
        # Far better on george, a little worse on all others.
        tried("rooms", **{name: 1.0 if name == "george" else 0.79 for name in (first, second)})
    return script, tried


def test_the_other_speakers_choose(study):
    script, _ = study
    assert script["chosen"]("george") == "digits-best"
    assert {script["chosen"](speaker) for speaker in script["SPEAKERS"] if speaker != "george"} == {"rooms"}
    assert script["scores_beside"]("george", "rooms") == dict.fromkeys(script["SPEAKERS"][1:], 0.79)


def test_only_what_every_pair_has_tried_is_a_choice_and_it_is_of_recordings_alone(study):
    script, tried = study
    tried("quicker", george=1.0, nicolas=1.0)
    for first, second in script["PAIRS"]:
        tried("voices", **{first: 1.0, second: 1.0})
        tried("adamw", seeds=(0,), **{first: 1.0, second: 1.0})
    assert {script["chosen"](speaker) for speaker in script["SPEAKERS"]} == {"digits-best", "rooms"}


def test_without_trials_it_is_told(study, tmp_path):
    script, _ = study
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(SystemExit, match="run with --choose"):
        script["chosen"]("theo")


def test_a_training_leaves_out_whom_it_says(study):
    script, _ = study
    chooses = script["settings"]("rooms", ("george", "theo"), seed=1, inner=True)
    assert (chooses.data.leave_out, chooses.runtime.seed) == ("george,theo", 1)
    counts = script["settings"]("digits-best", ("lucas",), seed=0, inner=False)
    assert (counts.data.leave_out, counts.fit.epochs > chooses.fit.epochs) == ("lucas", True)
