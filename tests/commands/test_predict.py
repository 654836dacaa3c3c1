"""`python -m kerasr.predict` and `python -m kerasr.evaluate`: answers on stdout, faults in one line each on stderr."""

import json
import os
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from _errors import raises
from _shared import quiet

import kerasr.data
from kerasr import audio, evaluate, predict
from kerasr.core import cli
from kerasr.errors import UserError
from kerasr.models.from_waveform import attach_front_ends
from kerasr.models.registry import builder
from kerasr.runs.folder import update_facts
from kerasr.runs.run import load_run
from kerasr.runs.sample import find_sample
from kerasr.training.preparation import prepare_run


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command's `main` as the process would: exit code, stdout, stderr."""

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "160")
        code = 0
        try:
            cli.run_command(module.main)
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """An hour of silence with a low tone from 29 to 31 s: the middle of what is decoded."""
    path = tmp_path_factory.mktemp("long") / "hour.wav"
    waveform = np.zeros(3600 * 1000, np.int16)
    waveform[29_000:31_000] = 10_000 * np.sin(2 * np.pi * 300 * np.arange(2000) / 1000)
    soundfile.write(path, waveform, 1000)
    return path


def test_a_preset_brings_a_sample_and_is_explained_outside_the_package(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(predict, "digits", "--sample", "--explain")
    assert (code, err) == (0, "")
    assert {"seven", "espeak-ng,"} <= {*out.split()}
    assert [path.name for path in tmp_path.iterdir()] == ["sample.explained.png"]


def test_the_sample_of_ones_own_run_is_a_test_clip_of_it(command, tone_run, tmp_path):
    run = load_run(tone_run)
    first = run.utterances("test")[0]
    code, out, err = command(predict, tone_run, "--sample", "--json")
    row = json.loads(out)
    assert (code, err, row["path"]) == (0, "", first.path)
    assert first.label in row["sample"]
    gone = shutil.copytree(tone_run, tmp_path / "gone")
    listed = kerasr.data.read_manifest(gone / "manifest.csv").utterances
    kerasr.data.write_manifest(gone / "manifest.csv", [replace(item, path=f"{item.path}.gone") for item in listed])
    with raises("sample-not-found", str(gone)):
        find_sample(load_run(gone))


def test_hears_files_folders_and_patterns(command, tone_run, tones):
    code, out, err = command(
        predict, tone_run, tones / "low" / "0.wav", tones / "high", tones / "middle" / "1*.wav", "--json"
    )
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [row["path"].split("/")[-2] for row in rows] == ["low"] + 20 * ["high"] + 11 * ["middle"]
    assert np.mean([row["word"] == row["path"].split("/")[-2] for row in rows]) > 0.8
    probs = load_run(tone_run).predict_files([row["path"] for row in rows])
    for row, prob in zip(rows, probs, strict=True):
        assert row["probability"] == pytest.approx(prob.max(), abs=1e-5)
        assert [item["word"] for item in row["top"]] == [
            ("high", "low", "middle")[index] for index in (-prob).argsort()
        ]


def test_table(command, tone_run, tones):
    code, out, err = command(predict, tone_run, tones / "low" / "0.wav", tones / "high" / "1.wav")
    assert (code, err) == (0, "")
    heading, *rows = out.splitlines()
    assert heading.split() == ["recording", "word", "probability", "or", "else"]
    assert len(rows) == 2
    assert "low/0.wav" in rows[0]


def test_bad_files_are_named_and_good_ones_heard(command, tone_run, tones, tmp_path):
    folder = tmp_path / "记录 一"
    folder.mkdir()
    (folder / "text.wav").write_text("this is no sound")
    (folder / "empty.wav").touch()
    (folder / "cut.wav").write_bytes((tones / "low" / "0.wav").read_bytes()[:20])
    soundfile.write(folder / "nothing.wav", np.zeros(0), 8000)
    soundfile.write(folder / "nan.wav", np.full(800, np.nan), 8000, subtype="FLOAT")
    soundfile.write(folder / "loud.wav", np.full(800, 1e19), 8000, subtype="FLOAT")
    soundfile.write(folder / "24 bit [1].wav", np.zeros(800), 8000, subtype="PCM_24")
    soundfile.write(folder / "stereo.flac", np.zeros((9600, 2)), 96_000)
    (tmp_path / "hollow").mkdir()
    code, out, err = command(
        predict, tone_run, folder, tmp_path / "gone.wav", tmp_path / "no*.wav", tmp_path / "hollow"
    )
    assert code == 2
    assert len(out.splitlines()) == 3
    assert "24 bit [1].wav" in out
    assert "stereo.flac" in out
    faults = {
        "cut.wav": "recording-unreadable",
        "empty.wav": "recording-empty",
        "loud.wav": "sound-invalid",
        "nan.wav": "sound-invalid",
        "nothing.wav": "recording-empty",
        "text.wav": "recording-unreadable",
        "gone.wav": "recording-not-found",
        "no*.wav": "no-recordings",
        "hollow": "no-recordings",
    }
    for (name, fault), line in zip(faults.items(), err.splitlines(), strict=True):
        assert line.startswith(f"error[{fault}]: ")
        assert name in line
    code, out, err = command(predict, tone_run, folder / "text.wav", folder / "stereo.flac", "--json")
    assert json.loads(err)["error"]["code"] == "recording-unreadable"
    assert (code, json.loads(out)["path"]) == (2, str(folder / "stereo.flac"))


def test_a_waveform_that_is_no_sound_is_named(tone_run):
    good = np.full(800, 0.1, np.float32)
    with raises("sound-invalid"):
        load_run(tone_run).probs([good, 1e20 * good])


def test_a_run_answers_one_recording_with_a_word_and_many_with_a_list(tone_run, tones):
    run, paths = load_run(tone_run), sorted(tones.glob("*/1*.wav"))
    answers = run.predict(paths)
    assert np.mean([answer.word == path.parent.name for answer, path in zip(answers, paths, strict=True)]) > 0.8
    assert [answer.path for answer in answers] == [str(path) for path in paths]
    one = run.predict(paths[0], threshold=0)
    assert (one.word, one.rejected, one.threshold) == (answers[0].top[0][0], False, 0)
    assert one.probability == pytest.approx(answers[0].probability, abs=1e-5)
    assert run.predict(str(tones / "low")) == run.predict(str(tones / "low" / "*.wav"))
    assert run.predict([]) == []


def test_a_waveform_is_answered_as_its_file_is(tone_run, tones, rng):
    run, path = load_run(tone_run), tones / "low" / "0.wav"
    waveform = audio.read(path, run.config.features.sample_rate)[0]
    spoken, noise = run.predict([waveform, rng.normal(0, 0.1, 12_000).astype("float32")])
    assert spoken == replace(run.predict(path), path=None, probability=spoken.probability, top=spoken.top)
    assert noise.seconds == 1.5
    assert (noise.start, noise.end) == (pytest.approx(0.55), pytest.approx(0.95))
    assert run.predict(waveform).word == spoken.word


def test_less_than_the_threshold_is_none_of_the_words(tone_run, tones):
    answer = load_run(tone_run).predict(tones / "low" / "0.wav", threshold=1.0)
    assert (answer.word, answer.rejected) == (None, True)
    assert answer.top[0] == ("low", answer.probability)


def test_a_bad_recording_raises_or_stands_in_its_place(tone_run, tones, tmp_path):
    run, good, gone = load_run(tone_run), tones / "low" / "0.wav", tmp_path / "gone.wav"
    for recordings, code in (
        (gone, "recording-not-found"),
        ([good, gone], "recording-not-found"),
        (str(tmp_path), "no-recordings"),
    ):
        with raises(code, str(tmp_path)):
            run.predict(recordings)
    first, second = run.predict_each([gone, good])
    assert isinstance(first, UserError)
    assert second.path == str(good)


@pytest.mark.parametrize("waveform", [np.zeros((2, 800)), np.zeros(0), np.full(800, np.nan), np.full(800, 1e20)])
def test_a_waveform_that_is_no_sound_stands_in_its_place(tone_run, waveform):
    run, good = load_run(tone_run), np.full(800, 0.1, np.float32)
    with raises("sound-invalid"):
        run.predict([waveform])
    fault, answer = run.predict_each([waveform, good])
    assert fault.code == "sound-invalid"
    assert answer.seconds == pytest.approx(0.1)


def test_a_name_that_is_no_text(command, tone_run, tones, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.wav"
    try:
        shutil.copy(tones / "low" / "0.wav", path)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    assert command(predict, tone_run, os.fsdecode(path))[0] == 0
    code, out, _ = command(predict, tone_run, os.fsdecode(path), "--json")
    assert (code, json.loads(out)["path"]) == (0, os.fsdecode(path))


def test_a_long_file_says_what_was_heard(command, tone_run, long_clip):
    code, out, _ = command(predict, tone_run, long_clip)
    assert code == 0
    assert "only 29.80 to 30.20 s of 1:00:00" in out
    row = json.loads(command(predict, tone_run, long_clip, "--json")[1])
    assert (row["seconds"], row["from"], row["to"]) == (3600, pytest.approx(29.8), pytest.approx(30.2))
    assert row["word"] == "low"


def test_a_detector_gives_the_wanted_words_probability(command, tone_run, tones, tmp_path):
    config = load_run(tone_run).config.replace(wanted="low", epochs=1, out=str(tmp_path))
    untrained = prepare_run(config, quiet())
    network = builder(config.model.name)(config.features.shape, 1, **config.model.options)
    attach_front_ends(untrained.front_ends, network).save(untrained.path / "model.keras")
    update_facts(untrained, status="done")
    run = untrained.path
    code, out, _ = command(predict, run, tones / "low" / "0.wav", tones / "high" / "0.wav", "--json")
    low, high = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert low["wanted"] == "low"
    probs = load_run(run).predict_files([low["path"], high["path"]])
    assert [low["probability"], high["probability"]] == pytest.approx(probs[:, 1].tolist(), abs=1e-5)
    assert (low["present"], high["present"]) == (low["probability"] >= 0.5, high["probability"] >= 0.5)
    answer = load_run(run).predict(low["path"])
    assert answer.word == ("low" if low["present"] else None)
    assert answer.top == (("low", answer.probability),)
    heading, *rows = command(predict, run, tones / "low" / "0.wav")[1].splitlines()
    assert heading.split() == ["recording", "low?", "probability"]
    assert rows[0].split()[-2] in ("yes", "no")

    code, out, _ = command(evaluate, run)
    assert code == 0
    assert "average precision" in out
    assert (run / "pictures" / "detector.png").exists()
    assert json.loads((run / "metrics.json").read_text())["detector"]["threshold"] == 0.5
    (tmp_path / "others").mkdir()
    shutil.copytree(tones / "high", tmp_path / "others" / "high")
    code, _, err = command(evaluate, run, "--data", tmp_path / "others")
    assert code == 2
    assert err.startswith("error[word-not-found]: ")


def test_words_in_synthetic_voices_are_said_in_the_language_that_the_run_has_learnt(
    command, tone_run, tmp_path, monkeypatch
):
    run = shutil.copytree(tone_run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"data": config["data"] | {"language": "de"}}))
    asked = {}

    def load(data, **options):
        asked.update(options, data=data)
        raise UserError("corpus-not-found", "enough")

    monkeypatch.setattr(kerasr.data, "load_corpus", load)
    command(evaluate, run, "--data", "synthetic:ja,nein")
    assert (asked["data"], asked["language"]) == ("synthetic:ja,nein", "de")


def test_evaluate_prints_the_score_and_where_the_report_is(command, tone_run, tmp_path):
    run = shutil.copytree(tone_run, tmp_path / "run")
    code, out, err = command(evaluate, run)
    assert (code, err) == (0, "")
    metrics = load_run(run).metrics
    assert f"{metrics['accuracy']:.1%}" in out
    assert str(run / "report.html") in out
    code, out, _ = command(evaluate, run, "--split", "validation", "--json")
    assert json.loads(out)["measured_on"] == "the validation split"
    assert (run / "evaluations" / "validation" / "report.html").exists()
    assert load_run(run).metrics == metrics


def test_evaluate_on_other_recordings(command, tone_run, tones, tmp_path):
    out = tmp_path / "there"
    (tmp_path / "mine" / "low").mkdir(parents=True)
    shutil.copy(tones / "low" / "0.wav", tmp_path / "mine" / "low")
    audio.write(tmp_path / "mine" / "low" / "new.wav", np.ones(100), 8000)
    code, _, _ = command(evaluate, tone_run, "--data", tmp_path / "mine", "--out", out)
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == ["metrics.json", "pictures", "report.html"]
    shutil.copytree(tones / "high", tmp_path / "mine" / "wave form")
    code, _, err = command(evaluate, tone_run, "--data", tmp_path / "mine")
    assert code == 2
    assert err.startswith("error[word-not-found]: ")
    assert "wave form" in err
    assert len([line for line in err.splitlines() if line.startswith("error[")]) == 1


@pytest.mark.parametrize("module", [evaluate, predict])
def test_a_run_that_cannot_be_used_is_one_line(command, module, tone_run, tones, tmp_path):
    clip = [tones / "low" / "0.wav"] if module is predict else []
    run = shutil.copytree(tone_run, tmp_path / "run")

    def fault():
        code, out, err = command(module, run, *clip)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert str(run) in err
        return err[len("error[") : err.index("]")]

    (run / "model.keras").write_bytes((run / "model.keras").read_bytes()[:1000])
    assert fault() == "run-damaged"
    (run / "model.keras").unlink()
    assert fault() == "run-unfinished"
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "format": 99}))
    assert fault() == "run-of-another-version"
    (run / "run.json").write_text("{")
    assert fault() == "file-damaged"
    shutil.rmtree(run)
    assert fault() == "run-not-found"


def test_weights_for_other_labels_are_told(command, tone_run, tones, tmp_path):
    run = shutil.copytree(tone_run, tmp_path / "run")
    facts = json.loads((run / "run.json").read_text())
    facts["corpus"]["labels"].append("fourth")
    (run / "run.json").write_text(json.dumps(facts))
    code, _, err = command(predict, run, tones / "low" / "0.wav")
    assert code == 2
    assert err.startswith("error[run-damaged]: ")
