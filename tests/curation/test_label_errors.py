"""Labels that are wrong are found, whoever made the mistake, and a killed search goes on where it stood."""

import csv
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from _errors import raises
from _shared import quiet

from kerasr.config import TrainConfig
from kerasr.core.console import make_console
from kerasr.curation import label_errors
from kerasr.curation.label_errors import assign_folds, confident_suspects, find_suspects, margins
from kerasr.data.manifest import Utterance, read_manifest, write_manifest
from kerasr.runs.run import load_run

NUM_WRONG = 5


@pytest.fixture(scope="module")
def mislabelled(tone_run, tmp_path_factory):
    """A run whose manifest calls five training clips by another word, the paths of those, and its ranking."""
    path = shutil.copytree(tone_run, tmp_path_factory.mktemp("mislabelled") / "run")
    utterances = list(read_manifest(path / "manifest.csv").utterances)
    training = [number for number, item in enumerate(utterances) if item.split == "train"]
    wrong = np.random.default_rng(1).choice(training, NUM_WRONG, replace=False)
    following = {"low": "middle", "middle": "high", "high": "low"}
    for number in wrong:
        utterances[number] = replace(utterances[number], label=following[utterances[number].label])
    write_manifest(path / "manifest.csv", utterances)
    return path, {utterances[number].path for number in wrong}, find_suspects(load_run(path), folds=2, console=quiet())


def rows_of(ranking):
    with ranking.csv.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_wrong_labels_rank_first(mislabelled):
    path, wrong, ranking = mislabelled
    rows = rows_of(ranking)
    assert len(rows) == ranking.num_clips == len(load_run(path).utterances("train"))
    first = rows[:NUM_WRONG]
    assert sum(row["path"] in wrong for row in first) / NUM_WRONG >= 0.8
    found = {row["path"] for row in rows if row["suspect"] == "yes"}
    assert len(found) == ranking.num_found
    assert len(found & wrong) >= 0.8 * NUM_WRONG
    # The word that the recording's folder is named after is what the models hear.
    assert all(row["predicted"] == row["path"].split("/")[-2] for row in first if row["path"] in wrong)
    assert [float(row["margin"]) for row in rows] == sorted(float(row["margin"]) for row in rows)


def test_the_page_shows_and_plays_them_and_needs_nothing_else(mislabelled):
    _, _, ranking = mislabelled
    text = ranking.page.read_text(encoding="utf-8")
    shown = min(ranking.num_clips, label_errors.MAX_SHOWN)
    assert text.count("<audio") == text.count("<img") == shown
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", text)
    assert all(address.startswith("data:") for address in addresses)
    assert text.index(rows_of(ranking)[0]["path"]) < text.index(rows_of(ranking)[1]["path"])


def test_what_is_done_is_not_done_again(mislabelled, monkeypatch, tmp_path):
    path, _, ranking = mislabelled
    before = ranking.csv.read_bytes()
    copy = shutil.copytree(path, tmp_path / "run")
    (copy / "suspects" / "suspects.csv").unlink()

    def refuse(*_, **__):
        pytest.fail("trained again")

    monkeypatch.setattr(label_errors, "train_recipe", refuse)
    again = find_suspects(load_run(copy), folds=2, console=quiet())
    assert again.csv.read_bytes() == before
    assert sorted(item.name for item in (copy / "suspects" / "folds-2").iterdir()) == ["1.npy", "2.npy"]


@pytest.mark.full
def test_a_fold_that_was_killed_goes_on(mislabelled, tmp_path, monkeypatch):
    """A kill between two epochs leaves a run that has begun; it is resumed, not begun anew."""
    path, _, _ = mislabelled
    copy = shutil.copytree(path, tmp_path / "run")
    kept = copy / "suspects" / "folds-2" / "1.npy"
    whole = np.load(kept)
    kept.unlink()

    def die(probs_of, paths):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kerasr.runs.run.Run.predict_files", die)
        with pytest.raises(KeyboardInterrupt, match="suspects is saved; go on with the same command"):
            find_suspects(load_run(copy), folds=2, console=quiet())
    (begun,) = kept.with_suffix("").glob("*/run.json")
    monkeypatch.setattr(label_errors, "train_recipe", lambda *_, **__: pytest.fail("begun anew"))
    console = make_console(file=io.StringIO())
    find_suspects(load_run(copy), folds=2, console=console)
    assert "1 training of 5 epochs: about " in console.file.getvalue()
    assert not begun.exists()
    np.testing.assert_array_equal(np.load(kept), whole)


@pytest.mark.parametrize(
    "made",
    [{"synthetic_voices": 3, "words": "low,high"}, {"flite_clips": 3}, {"negatives": "talk", "hard_negatives": "run"}],
    ids=["voices", "flite", "negatives"],
)
def test_a_fold_makes_no_clip_that_its_manifest_has(mislabelled, made):
    """The run's manifest lists the clips that were made for it: a fold that made them anew would list them twice."""
    run = load_run(mislabelled[0])
    run.config = run.config.replace(**made)
    fold = label_errors._fold_config(run, mislabelled[0] / "manifest.csv")
    usual = TrainConfig()
    assert all(fold.value_of(name) == usual.value_of(name) for name in made)


def test_a_run_without_training_clips_is_told(tone_run, tmp_path):
    path = shutil.copytree(tone_run, tmp_path / "run")
    write_manifest(path / "manifest.csv", load_run(path).utterances("test"))
    with raises("split-not-found"):
        find_suspects(load_run(path), console=quiet())


def test_margins_and_the_confident_joint_by_hand():
    probs = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.45, 0.55], [0.95, 0.05]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(margins(probs, labels), [0.8, 0.4, -0.6, 0.8, 0.1, -0.9])
    # Thresholds 0.6 and 0.5: the third is surely of the second word, the last of the first.
    assert confident_suspects(probs, labels).tolist() == [False, False, True, False, False, True]
    # A word without clips is believed nowhere.
    assert not confident_suspects(np.array([[0.1, 0.9], [0.2, 0.8]]), np.array([0, 0])).any()


def clips_of(num_speakers):
    return [Utterance(f"{n}.wav", label="ab"[n % 2], speaker=f"s{n // 2 % num_speakers}") for n in range(96)]


def test_many_speakers_are_never_parted():
    clips = clips_of(24)
    fold_of, rule = assign_folds(clips, np.arange(96) % 2, None, seed=0)
    assert (rule, fold_of.max()) == ("by speaker", 4)
    for speaker in {item.speaker for item in clips}:
        assert len({fold for fold, item in zip(fold_of, clips, strict=True) if item.speaker == speaker}) == 1


@pytest.mark.parametrize("clips", [clips_of(4), [replace(item, speaker=None) for item in clips_of(24)]])
def test_few_speakers_or_none_are_in_every_fold(clips):
    fold_of, rule = assign_folds(clips, np.arange(96) % 2, None, seed=0)
    assert (rule, fold_of.max()) == ("by clip", 4)
    assert all(set(fold_of[np.arange(96) % 2 == label]) == set(range(5)) for label in (0, 1))


@pytest.mark.parametrize(
    ("speakers", "folds", "code"),
    [
        (24, 25, "too-few-speakers"),
        (4, 1, "setting-out-of-range"),
        (4, 0, "setting-out-of-range"),
        (1, 60, "too-few-recordings"),
    ],
)
def test_folds_that_cannot_be_are_told(speakers, folds, code):
    with raises(code, f"--folds {folds}"):
        assign_folds(clips_of(speakers), np.arange(96) % 2, folds, seed=0)
