"""`python -m kerasr.train` and `kerasr.runs`: what the arguments mean, what a person's own folder may hold."""

import errno
import io
import json
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from _errors import raises

from kerasr import audio, train
from kerasr.core import cli, locks
from kerasr.runs import __main__ as runs
from kerasr.runs.run import load_run

QUICK = [
    *("--epochs", "2", "--batch-size", "8", "--model.width", "0.25"),
    *("--features.sample-rate", "8000", "--features.n-fft", "256", "--features.win-length", "200"),
    *("--features.hop-length", "160", "--features.n-mels", "20", "--features.clip-seconds", "0.4"),
]


@pytest.fixture
def run_train(monkeypatch, capsys):
    """The command as a process would run it: exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["train", *map(str, arguments)])
        code = 0
        try:
            cli.run_command(train.main)
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def test_without_arguments_it_is_the_digits_recipe():
    config = train.parse_arguments([]).train
    assert (config.recipe, config.data.path, config.model.name) == ("digits", "fsdd", "ResidualCNN")


def test_data_alone_selects_the_words_recipe():
    assert train.parse_arguments(["--data", "mine"]).train.recipe == "words"
    assert train.parse_arguments(["--data=mine"]).train.recipe == "words"
    assert train.parse_arguments(["digits", "--data", "mine"]).train.recipe == "digits"


def test_words_alone_select_the_synthetic_voices():
    assert train.parse_arguments(["--words", "yes,no"]).train.recipe == "voices"
    assert train.parse_arguments(["--words=yes,no", "--data=mine"]).train.recipe == "words"


def test_a_model_brings_its_own_options_and_settings():
    config = train.parse_arguments(["digits", "--model", "StackedLSTM", "--epochs", "30", "--seed", "1"]).train
    assert (config.model.name, config.fit.epochs, config.runtime.seed) == ("StackedLSTM", 30, 1)
    assert config.model.options["cell"] == "lstm"
    config = train.parse_arguments(["--model=StackedLSTM", "--model.cell", "gru", "--model.bidirectional"]).train
    assert config.model.options["cell"] == "gru"
    assert config.model.options["bidirectional"] is True


def test_any_field_can_be_overridden():
    config = train.parse_arguments(
        ["--augment.speed", "0.8", "1.2", "--optimizer.clip-norm", "None", "--xla", "on"]
    ).train
    assert config.augment.speed == (0.8, 1.2)
    assert config.optimizer.clip_norm is None
    assert config.runtime.xla == "on"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["digitz"], "error[recipe-not-found]: no recipe is called 'digitz': "),
        (["--model", "ResNet19"], "error[model-not-found]: no model is called 'ResNet19'"),
        (["--data", "nowhere/at/all"], "error[corpus-not-found]: nowhere/at/all"),
        (["--resume", "nowhere"], "error[run-not-found]: nowhere"),
        (["--features.win-length", "600"], "error[settings-conflict]: features.win_length 600"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run_train, arguments, named):
    code, out, err = run_train(*arguments)
    assert code == 2
    assert err.startswith(named)
    assert err.count("\n") == 1
    assert out == ""


def test_debug_shows_the_traceback(run_train):
    code, _, err = run_train("--data", "nowhere", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert "error[corpus-not-found]: nowhere" in err


def test_a_persons_own_folder(run_train, tones, tmp_path):
    """Names in Chinese with spaces, formats and rates mixed, a few recordings that are none."""
    folder = tmp_path / "我的 录音"
    for word, name in (("low", "关 灯"), ("middle", "开 灯"), ("high", "stop")):
        shutil.copytree(tones / word, folder / name)
    first = folder / "关 灯" / "0.wav"
    tone, rate = audio.read(first)
    soundfile.write(folder / "关 灯" / "一.flac", np.stack([tone, tone], 1), rate, subtype="PCM_24")
    soundfile.write(folder / "关 灯" / "float.wav", audio.resample(tone, rate, 48000), 48000, subtype="FLOAT")
    (folder / "stop" / "text.wav").write_text("this is no recording")
    (folder / "stop" / "empty.wav").write_bytes(b"")
    (folder / "stop" / "truncated.wav").write_bytes(first.read_bytes()[:30])
    soundfile.write(folder / "stop" / "nan.wav", np.array([0.1, np.nan, 0.2]), 8000, subtype="FLOAT")
    code, out, err = run_train("--data", folder, "--out", tmp_path / "runs", *QUICK)
    assert code == 0
    for name in ("text.wav", "empty.wav", "truncated.wav", "nan.wav"):
        assert name in err
    (path,) = (tmp_path / "runs").glob("*")
    assert str(path) in out.replace("\n", "")
    assert "python -m kerasr.predict" in out
    run = load_run(path)
    assert run.labels == ("stop", "关 灯", "开 灯")
    assert run.metrics is not None
    assert (path / "report.html").exists()
    code, _, err = run_train("--data", folder, "--out", tmp_path / "runs", "--max-bad", "2", *QUICK)
    assert code == 2
    assert err.splitlines()[-1].startswith("error[too-many-bad-recordings]: ")


def test_a_folder_with_one_word_is_refused(run_train, tones, tmp_path):
    shutil.copytree(tones / "low", tmp_path / "mine" / "low")
    code, _, err = run_train("--data", tmp_path / "mine", "--out", tmp_path / "runs", *QUICK)
    assert code == 2
    assert err.startswith("error[too-few-labels]: ")
    assert not (tmp_path / "runs").exists()


def test_a_word_with_one_recording_works_or_is_named(run_train, tones, tmp_path):
    shutil.copytree(tones, tmp_path / "mine")
    (tmp_path / "mine" / "rare").mkdir()
    shutil.copy(tones / "low" / "0.wav", tmp_path / "mine" / "rare" / "0.wav")
    code, out, err = run_train("--data", tmp_path / "mine", "--out", tmp_path / "runs", *QUICK)
    assert "rare" in err
    assert (code, out == "") in ((0, False), (2, True))


def test_json_is_alone_on_the_standard_output(run_train, tone_run, monkeypatch):
    def trained(config, *, console):
        console.print("training  20 epochs")
        return load_run(tone_run)

    monkeypatch.setattr("kerasr.training.trainer.train_recipe", trained)
    monkeypatch.setattr("kerasr.evaluation.evaluator.evaluate_run", lambda run: None)
    code, out, err = run_train("digits", "--json")
    run = load_run(tone_run)
    facts = {name: run.facts[name] for name in ("best_epoch", "epochs_run", "train_seconds")}
    report = {"run": str(tone_run), "report": str(tone_run / "report.html"), "metrics": run.metrics}
    assert (code, err, json.loads(out)) == (0, "training  20 epochs\n", {**report, **facts})


def test_a_full_disk_is_one_line(run_train, tones, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("kerasr.core.atomic.write_bytes", full)
    code, _, err = run_train("--data", tones, "--out", tmp_path / "runs", *QUICK)
    assert code == 2
    assert err.splitlines()[-1].startswith("error[system-error]: ")
    assert err.endswith("No space left on device; free some space, or write elsewhere\n")
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.full
def test_digits_without_fsdd_are_spoken_here(run_train, tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader", reason='the voices are not installed: pip install -e ".[voices]"')
    monkeypatch.delenv("KERASR_DATA", raising=False)
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    # A port that no one listens on stands for a machine without a network.
    monkeypatch.setattr("kerasr.data.corpora.fsdd._ARCHIVE", "https://127.0.0.1:9/fsdd.tar.gz")
    code, out, _ = run_train("digits", "--out", tmp_path / "runs", "--epochs", "1", "--model.width", "0.25")
    assert code == 0
    assert "training on digits spoken by espeak-ng instead" in out
    (path,) = (tmp_path / "runs").glob("*")
    run = load_run(path)
    assert run.config.data.path.startswith("synthetic:zero,one")
    speakers = [{item.speaker for item in run.utterances(split)} for split in ("train", "validation", "test")]
    assert not speakers[0] & speakers[1]
    assert not speakers[0] & speakers[2]


@pytest.fixture
def some_runs(tone_run, tmp_path):
    """A folder of runs that ended, were killed long ago and just now, are being trained, and say nothing."""
    out = tmp_path / "some runs"
    shutil.copytree(tone_run, out / "whole")
    shutil.copytree(tone_run, out / "killed [long ago]")
    facts = json.loads((tone_run / "run.json").read_text())
    (out / "killed [long ago]" / "run.json").write_text(json.dumps({**facts, "status": "training"}))
    shutil.copytree(out / "killed [long ago]", out / "killed-now")
    shutil.copytree(out / "killed [long ago]", out / "in-training")
    shutil.copytree(tone_run, out / "damaged")
    (out / "damaged" / "run.json").write_text("{")
    shutil.copytree(tone_run, out / ".kerasr-1.part")
    (out / "whole" / "pictures" / ".kerasr-2.part").mkdir(parents=True)
    yesterday = time.time() - 86400
    for path in [*(out / "killed [long ago]").iterdir(), *(out / "in-training").iterdir()]:
        os.utime(path, (yesterday, yesterday))
    with locks.hold_run(out / "in-training"):
        yield out


def test_runs_tells_whose_process_is_gone_and_how_to_go_on(some_runs, capsys):
    runs.main(["--out", str(some_runs), "--json"])
    rows = {Path(row["run"]).name: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name: row["status"] for name, row in rows.items()} == {
        "whole": "done",
        "killed [long ago]": "interrupted",
        "killed-now": "interrupted",
        "in-training": "training",
        "damaged": "unknown",
    }
    runs.main(["--out", str(some_runs)])
    said = capsys.readouterr().out
    assert "killed [long ago]" in said
    for name, row in rows.items():
        assert (row["resume"] is not None) == ("killed" in name)
        if row["resume"]:
            assert row["resume"] in said
            assert shlex.split(row["resume"])[-2:] == ["--resume", row["run"]]


def test_runs_cleans_what_no_one_wants_again(some_runs, capsys):
    runs.main(["--out", str(some_runs), "--clean", "--yes"])
    said = capsys.readouterr().out
    assert "1 unfinished run" in said
    assert "2 half-written files and folders" in said
    assert f"{some_runs / 'killed-now'}: was written to within the hour" in said
    assert f"{some_runs / 'in-training'}: is being trained" in said
    assert sorted(os.listdir(some_runs)) == ["damaged", "in-training", "killed-now", "whole"]
    assert (some_runs / "whole" / "model.keras").exists()
    assert not (some_runs / "whole" / "checkpoint.npz").exists()
    assert not list((some_runs / "whole" / "pictures").iterdir())


def test_runs_without_a_terminal_asks_for_yes(some_runs, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with raises("setting-missing", "--yes"):
        runs.main(["--out", str(some_runs), "--clean"])
    assert (some_runs / "killed [long ago]").exists()


def test_runs_of_an_empty_folder_says_how_to_begin(tmp_path, capsys):
    for folder in ([str(tmp_path)], ["--out", str(tmp_path)]):
        runs.main(folder)
        assert f"no runs in {tmp_path}; python -m kerasr.train makes one" in capsys.readouterr().out
    with raises("settings-conflict"):
        runs.main(["here", "--out", "there"])


def test_two_runs_never_share_a_folder(tone_run, tmp_path):

    from kerasr.runs.folder import new_run

    run = load_run(tone_run)
    config = run.config.replace(out=str(tmp_path))
    facts = {**run.facts, "status": "training"}
    paths = {new_run(config, facts=facts, utterances=run.utterances("test")).path for _ in range(3)}
    assert len(paths) == 3
