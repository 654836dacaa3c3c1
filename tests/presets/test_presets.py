"""Presets: made of a run by one command, opened by name everywhere, and as good as their cards say."""

import hashlib
import json
import re
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr
from _errors import raises
from _shared import flat_settings

import kerasr
from kerasr import evaluate, predict, synthesize
from kerasr.config import DecodingConfig
from kerasr.data import Utterance, load_corpus, read_manifest, write_manifest
from kerasr.data.hashes import with_hashes
from kerasr.errors import UserError
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.recipes import get_recipe, list_recipes
from kerasr.runs.files import write_hashes
from kerasr.runs.folder import update_facts
from kerasr.runs.run import from_preset, load_run
from kerasr.runs.sample import find_sample
from kerasr.train import parse_arguments

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "kerasr/presets").glob("*/sample.wav"))


@pytest.fixture(scope="session")
def maker():
    """The script's functions."""
    sys.path.insert(0, str(ROOT / "data_scripts"))
    try:
        return runpy.run_path(str(ROOT / "data_scripts" / "make_preset.py"))
    finally:
        sys.path.remove(str(ROOT / "data_scripts"))


@pytest.fixture(scope="session")
def made(maker, tone_run, tmp_path_factory):
    """A folder of presets with one in it, made of the tones' run by the command."""
    folder = tmp_path_factory.mktemp("presets")
    argv = [
        "tones",
        str(tone_run),
        "--folder",
        str(folder),
        "--limit",
        "Only tones.",
        "--recipe-score",
        "73% of flutes",
    ]
    maker["main"](argv)
    return folder


@pytest.fixture
def presets(made, tones, monkeypatch, tmp_path):
    """The presets as a user has them, who stands in an empty folder."""
    monkeypatch.setenv("KERASR_PRESETS", str(made))
    monkeypatch.setenv("KERASR_DATA", str(tones.parent))
    monkeypatch.chdir(tmp_path)
    return made


def test_a_preset_is_its_run_without_recordings_or_paths(made, tone_run):
    names = sorted(path.name for path in (made / "tones").iterdir())
    assert names == [
        "card.md",
        "config.json",
        "learnt_from.txt",
        "manifest.csv",
        "metrics.json",
        "model.keras",
        "run.json",
    ]
    assert sorted(path.name for path in made.iterdir()) == ["tones"]
    assert (made / "tones" / "model.keras").read_bytes() == (tone_run / "model.keras").read_bytes()
    text = "".join(path.read_text() for path in (made / "tones").glob("*.*") if path.suffix != ".keras")
    for place in (str(tone_run), str(tone_run.parent), str(Path.home()), sys.prefix, "/tmp"):
        assert place not in text


@pytest.mark.usefixtures("scores_alone")
def test_the_card_tells_the_files_own_score(made, tone_run):
    card = (made / "tones" / "card.md").read_text()
    metrics = evaluate_run(load_run(tone_run), folder=made.parent / "anew").metrics
    assert f"**{metrics['accuracy']:.1%}** of {metrics['num_clips']} test clips" in card
    assert hashlib.sha256((made / "tones" / "model.keras").read_bytes()).hexdigest() in card
    assert "licence of the recordings is not known" in card
    assert "- Only tones." in card
    assert re.search(r"73% of flutes\n\nThat is the recipe's figure", card)
    assert "None of the words" in card
    for text in ("## Score", "| word | clips | right |", "## Made from", "## Terms", "## Limits"):
        assert f"\n\n{text}\n" in card  # Markdown wants a blank line before a heading and before a table.


def test_terms_of_the_licence(maker):
    terms = maker["TERMS"]
    marks = [next(mark for mark in terms if mark in licence) for licence in ("CC BY-SA 4.0", "CC BY 4.0", "CMU")]
    assert marks == ["BY-SA", "BY", ""]


def test_opens_by_name_and_hears_what_its_run_hears(presets, tone_run, tones):
    assert "tones" in kerasr.list_presets()
    clips = [tones / "low" / "0.wav", tones / "high" / "3.wav"]
    expected = load_run(tone_run).predict_files(clips)
    for run in (from_preset("tones"), load_run("tones"), load_run(Path("tones"))):
        np.testing.assert_array_equal(run.predict_files(clips), expected)
    assert run.config.model.name == load_run(tone_run).config.model.name


def test_a_runs_folder_of_that_name_wins(presets, tone_run):
    shutil.copytree(tone_run, "tones")
    assert load_run("tones").path == Path("tones")
    assert from_preset("tones").path == presets / "tones"


def test_an_unknown_name_lists_those_there_are(presets):
    with raises("preset-not-found"):
        from_preset("tunes")
    with raises("run-not-found"):
        load_run("tunes")
    for odd in ("", ".", "../presets/tones", "/"):
        with raises("run-not-found"):
            load_run(odd)


@pytest.mark.usefixtures("scores_alone")
def test_silences_are_no_part_of_a_presets_score(maker, tone_run, tmp_path):
    run = Path(shutil.copytree(tone_run, tmp_path / "run"))
    facts = json.loads((run / "run.json").read_text().replace('"low"', '"_silence_"'))
    (run / "run.json").write_text(json.dumps(facts))
    listed = read_manifest(run / "manifest.csv").utterances
    renamed = [replace(item, label="_silence_" if item.label == "low" else item.label) for item in listed]
    write_manifest(run / "manifest.csv", renamed)
    place = maker["make_preset"]("tones", run, folder=tmp_path / "presets", limits=[])
    spoken = [item for item in renamed if item.split == "test" and item.label != "_silence_"]
    assert len(spoken) < sum(item.split == "test" for item in renamed)
    assert json.loads((place / "metrics.json").read_text())["num_clips"] == len(spoken)
    assert {item.label for item in read_manifest(place / "manifest.csv").utterances} == {item.label for item in spoken}


@pytest.mark.usefixtures("scores_alone")
def test_a_preset_of_a_run_of_an_earlier_format_loads(maker, tone_run, tmp_path):
    run = Path(shutil.copytree(tone_run, tmp_path / "run"))
    facts = json.loads((run / "run.json").read_text())
    (run / "config.json").write_text(json.dumps(flat_settings(load_run(run).config)))
    (run / "run.json").write_text(json.dumps(facts | {"format": 2}))
    place = maker["make_preset"]("tones", run, folder=tmp_path / "presets", limits=[])
    assert load_run(place).config.model == load_run(run).config.model


def test_predict_takes_a_presets_name(presets, tones, capsys):
    predict.main(["tones", str(tones / "low" / "0.wav"), "--json", "--threshold", "0"])
    assert json.loads(capsys.readouterr().out)["word"] == "low"
    with pytest.raises(SystemExit):
        predict.main(["--help"])
    assert "tones" in capsys.readouterr().out


def test_the_samples_are_made_of_presets_that_there_are(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "data_scripts"))
    words = runpy.run_path(str(ROOT / "data_scripts" / "preset_samples.py"))["WORDS"]
    said = {name: word.replace("_", " ") for name, word in words.items()}
    assert said == {path.parent.name: find_sample(load_run(path.parent)).label for path in SAMPLES}


def test_evaluate_writes_outside_the_package(presets, tones, capsys):
    before = {path: path.stat().st_mtime_ns for path in presets.rglob("*")}
    evaluate.main(["tones", "--json"])
    own = json.loads(capsys.readouterr().out)
    assert own["accuracy"] == from_preset("tones").metrics["accuracy"]
    assert Path("runs/evaluations/tones/test/report.html").exists()
    evaluate.main(["tones", "--data", str(tones), "--speaker-pattern", r"(\d)\.wav$", "--json"])
    measured = json.loads(capsys.readouterr().out)
    assert (measured["num_clips"], len(measured["speakers"])) == (60, 10)
    (other,) = (path for path in Path("runs/evaluations/tones").iterdir() if path.name != "test")
    page = (other / "report.html").read_text()
    assert "of these 60 recordings were in the run" in page
    assert "10 speakers were found by --speaker-pattern" in page
    assert before == {path: path.stat().st_mtime_ns for path in presets.rglob("*")}


@pytest.mark.usefixtures("scores_alone")
def test_a_preset_knows_what_it_has_heard_wherever_it_lies(presets, tone_run, tones, tmp_path):
    moved = load_corpus(str(shutil.copytree(tones, tmp_path / "moved")))
    run = load_run(tone_run)
    heard = len(run.utterances("train") + run.utterances("validation"))
    notes = " ".join(evaluate_run(from_preset("tones"), corpus=moved).notes)
    assert f"{heard} of these 60 recordings were in the run's own training" in notes
    assert len((presets / "tones" / "learnt_from.txt").read_bytes()) < 20 * heard
    # Of those that list no recordings only their card tells.
    shutil.copytree(presets / "tones", "old/tones", ignore=shutil.ignore_patterns("learnt_from.txt"))
    old = replace(moved, name=run.facts["corpus"]["name"])
    assert "trained on other clips of this corpus" in " ".join(evaluate_run(load_run("old/tones"), corpus=old).notes)


@pytest.mark.usefixtures("scores_alone")
def test_a_run_without_hashes_makes_a_preset_with_them(maker, made, tone_run, tmp_path):
    old = shutil.copytree(tone_run, tmp_path / "old")
    listed = read_manifest(old / "manifest.csv").utterances
    write_manifest(old / "manifest.csv", [replace(item, content_hash=None) for item in listed])
    maker["make_preset"]("tones", old, folder=tmp_path / "presets", limits=[])
    for file in ("learnt_from.txt", "manifest.csv"):
        assert (tmp_path / "presets/tones" / file).read_bytes() == (made / "tones" / file).read_bytes()


def test_rankings_write_outside_the_package_too(presets, tones):
    evaluate.main(["unlabelled", "tones", str(tones / "low")])
    assert list(Path("runs/evaluations/tones/unlabelled-low").iterdir())
    assert len(list((presets / "tones").iterdir())) == 7
    with raises("split-not-found"):
        evaluate.main(["suspects", "tones"])


def test_recordings_that_are_not_at_hand_are_told(presets, monkeypatch, tmp_path):
    monkeypatch.setenv("KERASR_DATA", str(tmp_path))
    with raises("corpus-not-found"):
        from_preset("tones").utterances("test")


@pytest.mark.usefixtures("scores_alone")
def test_made_anew_it_takes_the_old_ones_place(maker, made, tone_run, tmp_path):
    folder = shutil.copytree(made, tmp_path / "presets")
    (folder / "tones" / "stray").touch()
    maker["main"](["tones", str(tone_run), "--folder", str(folder)])
    assert not (folder / "tones" / "stray").exists()
    assert "flutes" not in (folder / "tones" / "card.md").read_text()


def test_what_cannot_be_a_preset(maker, made, tone_run, tmp_path, monkeypatch):
    make = maker["make_preset"]

    def refused(name, path, code):
        with raises(code, name if code == "name-invalid" else str(path)):
            make(name, path, folder=tmp_path / "presets", limits=[])

    refused("My preset", tone_run, "name-invalid")
    refused("again", made / "tones", "run-not-fit")
    run = load_run(shutil.copytree(tone_run, tmp_path / "run"))
    update_facts(run, status="training")
    refused("tones", run.path, "run-unfinished")
    update_facts(run, status="done")
    monkeypatch.setitem(make.__globals__, "MAX_BYTES", 100)
    refused("tones", run.path, "run-not-fit")
    assert not (tmp_path / "presets").exists()


@pytest.mark.usefixtures("scores_alone")
def test_what_an_earlier_run_learnt_from_is_no_test(maker, made, tone_run, tmp_path):
    tests, check = load_run(tone_run).utterances("test"), maker["_check_tests"]
    for number, origin in enumerate((tone_run, made / "tones")):
        path = shutil.copytree(tone_run, tmp_path / f"{number}")
        config = json.loads((path / "config.json").read_text())
        config["transfer"]["init_from"] = str(origin)
        (path / "config.json").write_text(json.dumps(config))
        heir = load_run(path)
        with raises("test-known"):
            check(heir, [*tests, load_run(tone_run).utterances("train")[3]])
        with raises("run-of-another-version"):
            check(heir, tests)
        write_hashes(path / "learnt_from.txt", heir.known_before.hashes)
        check(heir, tests)


def test_paths_are_cut_and_addresses_kept(maker):
    cut = maker["without_paths"]
    assert cut("python -m kerasr.train --data /home/me/my_words --out=/tmp/x") == (
        "python -m kerasr.train --data my_words --out=x"
    )
    assert cut({"source": "/home/me/my words"}) == {"source": "my words"}
    assert cut(["https://github.com/Jakobovski/free", "CC BY-SA 4.0", 3, None, "and/or 1/2"]) == [
        "https://github.com/Jakobovski/free",
        "CC BY-SA 4.0",
        3,
        None,
        "and/or 1/2",
    ]
    assert cut(r"--data C:\Users\me\words") == "--data words"


def test_the_packages_trainings_are_settings_that_there_are(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "data_scripts"))
    script = runpy.run_path(str(ROOT / "data_scripts" / "presets.py"))
    assert script["TRAININGS"].keys() == script["LIMITS"].keys()
    for name, arguments in script["TRAININGS"].items():
        config = parse_arguments(arguments).train
        assert (config.task.wanted is not None) == name.startswith("wakeword")
        # What the package holds was trained by what stands there today, changes to clips and all.
        made = from_preset(name).config
        own = {"out": made.logging.out, "epochs": config.fit.epochs or made.fit.epochs, "negatives": None}
        assert config.replace(**own) == made
        # So the script would take that very run, and not one of earlier settings.
        command = [*arguments, "--out", f"runs/presets/{name}"]
        if name in script["TWICE"]:
            assert "--negatives train --hard-negatives runs/presets" in from_preset(name).facts["command"]
            continue
        assert script["was_trained_by"](from_preset(name).facts, command)
        assert not script["was_trained_by"](from_preset(name).facts, [*command, "--seed", "1"])


# The one that takes longest is for the full table.
RECOGNISERS = [
    pytest.param(name, marks=[pytest.mark.full] if name == "digits" else [])
    for name in kerasr.list_presets(voices=False)
]


def test_a_recipe_begins_with_a_preset_of_its_own_network(monkeypatch):
    monkeypatch.delenv("KERASR_PRESETS", raising=False)
    begun = {
        recipe.transfer.init_from: recipe for recipe in map(get_recipe, list_recipes()) if recipe.transfer.init_from
    }
    assert begun
    for preset, recipe in begun.items():
        config = from_preset(preset).config
        assert (recipe.model, recipe.features) == (config.model, config.features)


@pytest.fixture(scope="module")
def voice(maker, voice_run, tmp_path_factory):
    """The preset of a voice."""
    return maker["make_preset"]("tune", voice_run.path, folder=tmp_path_factory.mktemp("presets"), limits=[])


def test_a_voice_says_by_its_name_what_its_run_says(voice, voice_run, monkeypatch, tmp_path):
    monkeypatch.setenv("KERASR_PRESETS", str(voice.parent))
    assert "tune" in kerasr.list_presets(voices=True)
    assert "tune" not in kerasr.list_presets(voices=False)
    speech, expected = (run.synthesize("low top") for run in (from_preset("tune"), voice_run))
    np.testing.assert_array_equal(speech.waveform, expected.waveform)
    synthesize.main(["tune", "low top", "--voice", "speaker1", "--to", str(tmp_path / "out.wav")])
    assert (tmp_path / "out.wav").exists()


def test_the_card_of_a_voice_says_whose_it_is_and_that_it_is_synthetic(voice):
    card, metrics = (voice / "card.md").read_text(), json.loads((voice / "metrics.json").read_text())
    assert "speaker0, speaker1" in card
    assert "synthetic speech" in card
    assert f"**{metrics['distortion_db']:.1f} dB**" in card


@pytest.mark.usefixtures("scores_alone")
@pytest.mark.parametrize("name", RECOGNISERS)
def test_a_committed_preset_is_what_its_card_says(name, monkeypatch, tmp_path):
    """Small, the very file that was measured, and its score comes out again where the recordings are at hand."""
    monkeypatch.delenv("KERASR_PRESETS", raising=False)
    run = from_preset(name)
    content = (run.path / "model.keras").read_bytes()
    sentences = run.config.task.name == "transcribe"
    assert len(content) < (3_000_000 if sentences else 1_000_000)
    assert hashlib.sha256(content).hexdigest() in (run.path / "card.md").read_text()
    sample = find_sample(run)
    if sentences:
        run.decode_with(DecodingConfig(lm="training", words="training"))
    answer = run.predict(sample.path)
    assert sample.label == (answer.text if sentences else answer.word)
    assert sentences or not answer.rejected
    assert with_hashes([Utterance(str(sample.path), label=sample.label)])[0] not in run.known
    assert "espeak-ng" in sample.description
    with np.errstate(all="raise"):
        quiet = run.probs([np.zeros(run.config.features.sample_rate, np.float32)])
        assert quiet.shape[-1] == len(run.labels) + sentences
    try:
        run.utterances("test")
    except UserError as error:
        pytest.skip(str(error))
    measured = evaluate_run(run, folder=tmp_path).metrics
    assert measured["num_clips"] == run.metrics["num_clips"]
    if sentences:
        assert abs(measured["wer"] - run.metrics["with_lm"]["wer"]) < 0.01
    else:
        low, high = run.metrics["accuracy_interval"]
        assert low <= measured["accuracy"] <= high


@pytest.mark.parametrize("name", kerasr.list_presets(voices=True))
def test_a_committed_voice_says_what_a_judge_understands(name, monkeypatch):
    """Small, the very file that was measured, and in each of its voices the text is heard by another preset."""
    monkeypatch.delenv("KERASR_PRESETS", raising=False)
    run, judge = from_preset(name), from_preset("digits")
    content = (run.path / "model.keras").read_bytes()
    assert len(content) < 8_000_000
    assert hashlib.sha256(content).hexdigest() in (run.path / "card.md").read_text()
    for voice in run.facts["voices_learnt"]:
        speech = run.synthesize("seven", voice=voice)
        said = soxr.resample(speech.waveform, speech.sample_rate, judge.config.features.sample_rate)
        assert judge.labels[judge.probs([said])[0].argmax()] == "seven", voice
