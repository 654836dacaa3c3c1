"""Runs side by side: the same clips for all, all pairs, a verdict that is earned, and a page that shows it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from _errors import raises
from _legible import assert_legible
from rich.console import Console

from kerasr import compare
from kerasr.data import read_manifest, write_manifest
from kerasr.evaluation.comparison import compare_runs, disagreement_clips
from kerasr.report import Clip, draw_cost, draw_differences, write_comparison
from kerasr.runs.files import write_hashes
from kerasr.runs.run import load_run


@pytest.fixture(scope="module")
def runs(tone_run, tmp_path_factory):
    """The tones' run, a copy that hears every clip as the same word, and one whose test has other clips."""
    folder = tmp_path_factory.mktemp("compared")
    deaf, other = (load_run(shutil.copytree(tone_run, folder / name)) for name in ("deaf", "other"))
    kernel, bias = deaf.network.get_layer("logits").get_weights()
    deaf.network.get_layer("logits").set_weights([0 * kernel, np.arange(len(bias), dtype="float32")])
    deaf.model.save(deaf.path / "model.keras")
    listed = read_manifest(other.path / "manifest.csv").utterances
    first = next(item for item in listed if item.split == "test")
    write_manifest(
        other.path / "manifest.csv", [replace(item, split="train") if item == first else item for item in listed]
    )
    return load_run(tone_run), load_run(deaf.path), load_run(other.path)


def test_runs_on_their_own_test_clips(runs):
    good, deaf, _ = runs
    comparison = compare_runs([good, deaf])
    json.dumps(comparison, allow_nan=False)
    tests = good.utterances("test")
    assert comparison["num_clips"] == len(tests)
    truth = good.task.label_index([item.label for item in tests])
    heard = good.predict_files([item.path for item in tests]).argmax(-1)
    first, second = comparison["runs"]
    assert first["accuracy"] == pytest.approx(np.mean(heard == truth))
    assert second["accuracy"] == pytest.approx(np.mean(truth == 2))
    assert first["parameters"] == second["parameters"] == good.network.count_params()
    assert first["seconds_per_epoch"] == good.facts["train_seconds"] / good.facts["epochs_run"]
    (pair,) = comparison["pairs"]
    assert pair["difference"] == pytest.approx(second["accuracy"] - first["accuracy"])
    assert pair["p_adjusted"] == pair["p_value"]
    verdict = "deaf is worse than" if pair["differs"] else "not shown to differ"
    assert verdict in pair["sentence"]


def test_a_run_does_not_differ_from_itself(runs):
    good, *_ = runs
    same = compare_runs([good, load_run(good.path)])["pairs"][0]
    assert (same["difference"], same["p_value"], same["differs"]) == (0, 1, False)
    low, high = same["interval"]
    assert low == -high < 0, "what is alike here may differ elsewhere"


@pytest.mark.parametrize("num_speakers", [1, 4])
def test_few_speakers_do_not_tell(runs, tmp_path, num_speakers):
    good, deaf, _ = runs
    named = []
    for run in (good, deaf):
        copy = load_run(shutil.copytree(run.path, tmp_path / run.path.name))
        listed = sorted(read_manifest(copy.path / "manifest.csv").utterances, key=lambda item: item.split != "test")
        write_manifest(
            copy.path / "manifest.csv",
            [replace(item, speaker=f"s{number % num_speakers}") for number, item in enumerate(listed)],
        )
        named.append(load_run(copy.path))
    comparison = compare_runs(named)
    json.dumps(comparison, allow_nan=False)
    (pair,) = comparison["pairs"]
    assert pair["num_speakers"] == num_speakers
    assert (pair["p_value"], pair["p_adjusted"], pair["differs"]) == (None, None, False)
    assert "too few speakers to tell" in pair["sentence"]
    assert (pair["interval"] is None) == (num_speakers == 1)
    assert_legible(draw_cost(comparison["runs"]))
    assert draw_differences(comparison).png()
    compare.print_comparison(Console(), comparison)


def test_other_test_clips_are_told_and_only_shared_ones_count(runs):
    good, deaf, other = runs
    comparison = compare_runs([good, deaf, other])
    assert len(comparison["notes"]) == 1, "nobody knows the speakers: that they are one is not said"
    assert comparison["num_clips"] == len(good.utterances("test")) - 1
    assert "The test splits differ" in comparison["notes"][0]
    names = [row["name"] for row in comparison["runs"]]
    pairs = [(pair["against"], pair["name"]) for pair in comparison["pairs"]]
    assert pairs == [(names[0], names[1]), (names[0], names[2]), (names[1], names[2])]
    assert min(pair["p_adjusted"] for pair in comparison["pairs"]) == min(
        1, 3 * min(pair["p_value"] for pair in comparison["pairs"])
    )


def test_who_was_heard_by_one_run_alone_is_told(runs, tmp_path):
    good, *_ = runs
    named = []
    for name, splits in (("knows", {"test": "a", "validation": "b", "train": "a"}), ("not", {"test": "a"})):
        run = load_run(shutil.copytree(good.path, tmp_path / name))
        listed = read_manifest(run.path / "manifest.csv").utterances
        write_manifest(
            run.path / "manifest.csv", [replace(item, speaker=splits.get(item.split, "c")) for item in listed]
        )
        named.append(load_run(run.path))
    few, heard = compare_runs(named)["notes"]
    assert few.startswith("One speaker is too few")
    assert heard == "Not the same was learnt from: of the 1 speakers in the test, knows 1, not 0."


def test_clips_that_moved_are_the_same_clips(runs, tmp_path):
    good, *_ = runs
    tests = good.utterances("test")
    moved = load_run(shutil.copytree(good.path, tmp_path / "moved"))
    listed = read_manifest(moved.path / "manifest.csv").utterances
    gone = [replace(item, path=str(tmp_path / "nowhere" / f"{number}.wav")) for number, item in enumerate(listed)]
    write_manifest(moved.path / "manifest.csv", gone)
    # They are heard where they are now, whichever run knows that.
    for pair in ([good, moved], [moved, good]):
        assert compare_runs(pair)["num_clips"] == len(tests)
    # Without hashes nothing but the path is known.
    write_manifest(moved.path / "manifest.csv", [replace(item, content_hash=None) for item in gone])
    with raises("runs-not-comparable"):
        compare_runs([good, moved])


def test_clips_that_one_run_has_learnt_from_are_told(runs, tmp_path):
    good, *_ = runs
    heir = load_run(shutil.copytree(good.path, tmp_path / "heir"))
    write_hashes(heir.path / "learnt_from.txt", [str(item.content_hash) for item in good.utterances("test")[:3]])
    (note,) = compare_runs([good, heir])["notes"]
    assert f"{good.path.name} 0, heir 3" in note


def test_runs_that_cannot_be_compared(runs, tmp_path):
    good, *_ = runs
    with raises("setting-missing"):
        compare_runs([good])
    words = load_run(shutil.copytree(good.path, tmp_path / "words"))
    words.labels = ("high", "low", "nine")
    with raises("runs-not-comparable"):
        compare_runs([good, words])
    apart = load_run(shutil.copytree(good.path, tmp_path / "apart"))
    manifest = apart.path / "manifest.csv"
    listed = read_manifest(manifest).utterances
    swap = {"test": "validation", "validation": "test"}
    write_manifest(manifest, [replace(item, split=swap.get(item.split, "train")) for item in listed])
    with raises("runs-not-comparable"):
        compare_runs([good, apart])


def test_the_command_writes_numbers_and_pictures(runs, tmp_path, monkeypatch, capsys):
    good, deaf, _ = runs
    threads = []
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", threads.append)
    monkeypatch.setattr("tensorflow.config.threading.set_inter_op_parallelism_threads", threads.append)
    monkeypatch.chdir(tmp_path)
    compare.main([str(good.path), str(deaf.path)])
    out = capsys.readouterr().out
    assert threads == [1, 1]
    (folder,) = (tmp_path / "runs" / "comparisons").iterdir()
    files = ["comparison.html", "comparison.json", "cost.png", "differences.png"]
    assert sorted(path.name for path in folder.iterdir()) == files
    assert str(Path("runs", "comparisons", folder.name, "comparison.html")) in out
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison["pairs"][0]["sentence"] in out
    for row in comparison["runs"]:
        assert f"{row['accuracy']:.1%}" in out


def test_where_they_disagree_is_listed_with_who_said_what(runs):
    good, deaf, _ = runs
    comparison = compare_runs([good, deaf])
    tests = good.utterances("test")
    said = [[run.labels[row.argmax()] for row in run.predict_files([item.path for item in tests])] for run in runs[:2]]
    differ = {item.path for item, one, other in zip(tests, *said, strict=True) if one != other}
    listed = comparison["disagreements"]
    assert {row["path"] for row in listed} == differ
    assert comparison["num_disagreements"] == len(differ) > 0
    surest = [min(answer["probability"] for answer in row["answers"]) for row in listed]
    assert surest == sorted(surest, reverse=True)
    for row in listed:
        first, second = row["answers"]
        assert second["predicted"] == deaf.labels[-1]
        assert first["correct"] == (first["predicted"] == row["word"])
    clips = [*disagreement_clips(good, comparison)]
    assert [clip.path for clip in clips] == [row["path"] for row in listed]
    assert all(clip.sound for clip in clips)


@pytest.fixture
def awkward():
    """A comparison of three runs with names from right to left, long ones and markup; two speakers."""
    names = ["<b>x</b>", "שלום " * 12, "run_without_a_place_to_break_it_" * 4]
    rows = [
        {
            "name": name,
            "path": f"/runs/{name}",
            "model": "ResNet8",
            "score": f"{80 + number}.0%",
            "accuracy": 0.8 + number / 100,
            "accuracy_interval": None if number == 2 else [0.7, 0.9],
            "interval_method": "t over 2 speakers",
            "macs": None,
            "parameters": 10_000 * (number + 1),
            "seconds_per_epoch": None,
            "latency_ms": 1.0,
            "model_bytes": 5_000,
        }
        for number, name in enumerate(names)
    ]
    found = {"only_first": 1, "only_second": 2, "interval_method": "t over 2 speakers", "num_speakers": 2}
    pairs = [
        {
            "name": names[other],
            "against": names[one],
            "difference": d,
            "interval": i,
            "p_adjusted": p,
            "differs": differs,
        }
        | found
        for one, other, d, i, p, differs in [
            (0, 1, 0.05, [0.03, 0.07], 0.01, True),
            (0, 2, -0.06, [-0.1, -0.02], 0.02, True),
            (1, 2, 0.0, None, None, False),
        ]
    ]
    answers = [{"predicted": "שלום", "probability": 0.5, "correct": False}] * 3
    return {
        "num_clips": 1300,
        "notes": ["Mind <this>."],
        "threads": 1,
        "runs": rows,
        "pairs": pairs,
        "speakers": [{"speaker": "<i>דנה</i>", "num_clips": 650, "accuracies": [0.5, 0.6, 0.7]}],
        "num_disagreements": 40,
        "disagreements": [{"path": "/a/שלום.wav", "word": "<u>", "speaker": None, "answers": answers}],
    }


def test_the_page_is_whole_and_escapes_names(awkward, tmp_path):
    clip = Clip("/a/שלום.wav", "<u>", "שלום", 0.5, False, np.zeros((9, 8)), 0.1, sound=b"RIFF")
    text = write_comparison(tmp_path, awkward, [clip]).read_text()
    assert "<b>x</b>" not in text
    assert "<bdi>&lt;b&gt;x&lt;/b&gt;</bdi>" in text
    assert "<bdi>&lt;i&gt;דנה&lt;/i&gt;</bdi>" in text
    assert text.count("<bdi>שלום</bdi>") == 3
    assert "Mind &lt;this&gt;." in text
    assert "Holm" in text
    assert text.count("<audio") == 1
    assert all(words in text for words in ("B is better", "C is worse", "too few speakers to tell"))
    assert "<script" not in text
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", text)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert json.loads((tmp_path / "comparison.json").read_text())["pairs"] == awkward["pairs"]
    assert_legible(draw_differences(awkward))


def test_runs_of_the_same_names_keep_their_comparison(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, other = ([{"path": f"/{place}/same"} for place in places] for places in ("ab", "cd"))
    for rows in (first, other, first[::-1], first):
        folder = compare.default_folder(rows)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "comparison.json").write_text(json.dumps({"runs": rows}))
    found = {path.parent.name: json.loads(path.read_text())["runs"] for path in tmp_path.rglob("comparison.json")}
    assert found == {"same-same": first, "same-same-2": other, "same-same-3": first[::-1]}
    # One of an earlier version does not say of which runs it is: it stays.
    (tmp_path / "runs/comparisons/same-same/comparison.json").write_text('{"runs": [{"name": "same"}]}')
    assert compare.default_folder(first).name == "same-same-4"


def test_pictures_are_legible():
    rng = np.random.default_rng(0)
    rows = [
        {
            "name": f"SomeNetwork{number}",
            "accuracy": float(accuracy),
            "accuracy_interval": [float(accuracy) - 0.05, min(1.0, float(accuracy) + 0.04)],
            "macs": int(10 ** rng.uniform(5.5, 8.8)),
            "parameters": 1000,
        }
        for number, accuracy in enumerate(rng.uniform(0.6, 0.95, size=18))
    ]
    picture = draw_cost(rows)
    assert_legible(picture)
    names = [text for text in picture.axes[0].texts if text.get_text().startswith("Some")]
    assert sorted(text.get_text() for text in names) == sorted(row["name"] for row in rows)
    boxes = [text.get_window_extent() for text in names]
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[number + 1 :])
    assert_legible(draw_cost([{**row, "macs": None, "parameters": 10**number} for number, row in enumerate(rows[:3])]))
