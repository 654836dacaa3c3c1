"""The zoo's benchmark: it goes on where it stopped, fits its budget, and hands its scores to `kerasr.models`."""

import json
import runpy
import sys
from collections import Counter
from pathlib import Path

import pytest

from kerasr.core import imports
from kerasr.models import __main__ as models
from kerasr.models.registry import MODELS, list_models

ROOT = Path(__file__).parents[2]


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """The script, which writes elsewhere and whose trainings take no time."""
    script = runpy.run_path(str(ROOT / "benchmarks" / "zoo.py"))
    inside = script["main"].__globals__
    for name in ("RESULTS", "PICTURE", "SCORES"):
        monkeypatch.setitem(inside, name, tmp_path / Path(script[name]).name)
    trained = []

    def train(model, left_out, epochs, out):
        folder = Path(out, "2026-11-21-digits-best-1")
        folder.mkdir(parents=True)
        speakers = [{"speaker": name, "accuracy": 0.8 + 0.02 * len(name)} for name in left_out.split(",")]
        metrics = {
            "speakers": speakers,
            "num_correct": 900,
            "num_clips": 1000,
            "parameters": 99,
            "model_bytes": 5e5,
        }
        facts = {"macs": 2e6, "best_epoch": 1, "split_rule": "", "versions": {}, "machine": {}}
        (folder / "run.json").write_text(json.dumps({**facts, "corpus": {"fingerprint": "f"}}))
        (folder / "metrics.json").write_text(json.dumps(metrics))
        trained.append((model, left_out, epochs))
        return ["python"], 6.0 + 4 * epochs

    monkeypatch.setitem(inside, "train", train)
    monkeypatch.setitem(inside, "run_python", lambda *arguments: "1.5\n")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["zoo.py", *arguments])
        script["main"]()

    run.trained, run.folder = trained, tmp_path
    return run


def test_as_many_epochs_as_fit_and_nothing_twice(zoo, capsys):
    timed = [("Conv1DLSTM", "george,nicolas", 1), ("Conv1DLSTM", "george,nicolas", 3)]
    zoo("--models", "Conv1DLSTM", "--folds", "lucas,theo", "--minutes", "1")
    # Six seconds to start, four an epoch: thirteen fit into a minute.
    assert zoo.trained == [*timed, ("Conv1DLSTM", "lucas,theo", 13)]
    zoo("--models", "Conv1DLSTM", "--folds", "lucas,theo", "george,nicolas", "--minutes", "1")
    assert zoo.trained[3:] == [("Conv1DLSTM", "george,nicolas", 13)]
    assert "| Conv1DLSTM | 91.0% (4 of 6 speakers) |" in capsys.readouterr().out.replace("  ", " ")
    assert not (zoo.folder / "scores_unseen.json").exists()
    zoo("--models", "Conv1DLSTM", "--folds", "lucas,theo", "--minutes", "2")
    assert zoo.trained[4:] == [*timed, ("Conv1DLSTM", "lucas,theo", 28)]


def test_scores_of_all_speakers_are_shown_with_what_they_mean(zoo, monkeypatch, capsys):
    zoo("--models", "ResidualCNN", "--minutes", "1")
    assert (zoo.folder / "zoo.png").read_bytes().startswith(b"\x89PNG")
    scores = json.loads((zoo.folder / "scores_unseen.json").read_text())
    accuracy = sum(0.8 + 0.02 * len(name) for name in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")) / 6
    assert scores["models"]["ResidualCNN"]["accuracy"] == pytest.approx(accuracy)
    assert scores["models"]["ResidualCNN"]["worst_speaker"] == "theo"
    low, high = scores["models"]["ResidualCNN"]["accuracy_interval"]
    assert 0.88 <= low < accuracy < high <= 0.96
    monkeypatch.setitem(models.SCORES, "unseen", zoo.folder / "scores_unseen.json")
    monkeypatch.setenv("COLUMNS", "200")
    capsys.readouterr()
    models.main([])
    out = capsys.readouterr().out
    assert f"{accuracy:.1%} (88%)" in out
    assert "benchmarks/zoo.py" in out
    models.main(["--json"])
    by_name = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert by_name["ResidualCNN"]["unseen"] == scores["models"]["ResidualCNN"]
    assert by_name["ResNet18"]["unseen"] is None


def test_each_model_that_was_measured_has_its_score(capsys):
    """Those whose three trainings stand in the results, and no others: a score has its source."""
    models.main(["--json"])
    rows = json.loads(capsys.readouterr().out)
    results = ROOT / "benchmarks" / "results" / "zoo"
    trainings = Counter(json.loads(path.read_text())["model"] for path in results.glob("*-*.json"))
    measured = {name for name, number in trainings.items() if number == 3}
    assert "ResNet8" in measured
    assert {row["name"] for row in rows if row["unseen"]} == measured


def test_each_encoder_that_was_measured_has_its_word_errors(capsys, monkeypatch):
    results = ROOT / "benchmarks" / "results" / "transcription"
    encoders = {facts.name for facts in list_models(per_frame=True)}
    measured = [found for path in results.glob("*.json") if (found := json.loads(path.read_text()))["way"] in encoders]
    models.main(["--json"])
    found = {row["name"]: row["wer"] for row in json.loads(capsys.readouterr().out) if row["wer"]}
    assert {*found} == {result["way"] for result in measured}
    for name, score in found.items():
        errors = [result["wer"] for result in measured if result["way"] == name]
        assert (score["wer"], score["seeds"]) == (pytest.approx(sum(errors) / len(errors)), len(errors))
    monkeypatch.setenv("COLUMNS", "200")
    models.main([])
    assert f"WER {found['BiLSTMEncoder']['wer']:.1%}" in capsys.readouterr().out


def test_models_are_listed_where_nothing_was_measured(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(models, "SCORES", {"unseen": tmp_path / "none.json"})
    models.main([])
    assert "ResidualCNN" in capsys.readouterr().out


def test_a_model_from_outside_is_in_the_table_and_not_in_the_packages_scores(zoo, tmp_path, monkeypatch, capsys):
    text = "import kerasr\n@kerasr.register_model\ndef TheirNet(input_shape, num_outputs, *, name='n'): ...\n"
    (tmp_path / "their_speech.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(imports, "_asked", {})
    for table in ("_things", "_modules"):
        monkeypatch.setattr(MODELS, table, dict(getattr(MODELS, table)))
    zoo("--import", "their_speech", "--models", "TheirNet")
    assert len(zoo.trained) == 5
    assert "| TheirNet | " in capsys.readouterr().out
    assert not (tmp_path / "scores_unseen.json").exists()
