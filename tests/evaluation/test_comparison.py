"""Runs side by side: the paired test against its definition, the same clips for all, and a verdict that is earned."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from _errors import raises
from _legible import assert_legible
from rich.console import Console
from scipy import stats

from kerasr import compare
from kerasr.data import read_manifest, write_manifest
from kerasr.evaluation.comparison import compare_runs, paired_test
from kerasr.report import draw_cost, draw_differences
from kerasr.runs.files import write_hashes
from kerasr.runs.run import load_run


def right_and_wrong(both, only_first, only_second, neither):
    first = np.repeat([True, True, False, False], [both, only_first, only_second, neither])
    second = np.repeat([True, False, True, False], [both, only_first, only_second, neither])
    return first, second


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (0, 5), (5, 5), (2, 9), (12, 3), (40, 70)])
def test_mcnemar_by_its_definition(only_first, only_second):
    first, second = right_and_wrong(50, only_first, only_second, 7)
    found = paired_test(first, second, [None] * len(first))
    number = only_first + only_second
    tail = sum(math.comb(number, k) for k in range(min(only_first, only_second) + 1)) / 2**number
    assert found["p_value"] == pytest.approx(min(1.0, 2 * tail))
    assert (found["only_first"], found["only_second"]) == (only_first, only_second)
    assert found["difference"] == pytest.approx((only_second - only_first) / len(first))


def test_interval_against_drawing_clips_one_by_one():
    first, second = right_and_wrong(60, 5, 20, 15)
    found = paired_test(first, second, [None] * 100)
    gain = second.astype(float) - first
    drawn = gain[np.random.default_rng(1).integers(100, size=(50_000, 100))].mean(1)
    assert found["interval"] == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.015)
    assert found["interval_method"] == "expanded bootstrap over 100 clips"


def test_a_gain_on_one_speaker_alone_is_no_proof():
    """Clips by themselves would say so: all forty that differ are of one of six speakers."""
    first, second = right_and_wrong(200, 0, 40, 0)
    speakers = [f"s{number // 40}" for number in range(240)]
    found = paired_test(first, second, speakers)
    assert found["p_value"] == pytest.approx(stats.ttest_1samp([0, 0, 0, 0, 0, 1], 0).pvalue)
    assert found["p_value"] > 0.3
    assert found["interval"][0] == 0
    assert found["interval_method"] == "expanded bootstrap over 6 speakers"
    by_clip = paired_test(first, second, [None] * 240)
    assert by_clip["p_value"] < 1e-10
    assert by_clip["interval"][0] > 0.1
    # Nor where a clip of silence has no speaker.
    with_silence = paired_test(np.append(first, True), np.append(second, True), [*speakers, None])
    assert with_silence["interval"][0] == 0
    assert with_silence["interval_method"] == "expanded bootstrap over 6 speakers and 1 clip without one"


def test_turned_round_it_says_the_opposite():
    first, second = right_and_wrong(50, 3, 14, 9)
    speakers = [f"s{number % 5}" for number in range(len(first))]
    one, other = paired_test(first, second, speakers), paired_test(second, first, speakers)
    assert one["difference"] == -other["difference"]
    assert one["p_value"] == other["p_value"]
    assert one["interval"] == pytest.approx([-end for end in other["interval"][::-1]], abs=0.02)


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
    small, large = sorted(pair["p_value"] for pair in comparison["pairs"])
    adjusted = sorted(pair["p_adjusted"] for pair in comparison["pairs"])
    assert adjusted == [min(1, 2 * small), max(min(1, 2 * small), large)]


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
    assert sorted(path.name for path in folder.iterdir()) == ["comparison.json", "cost.png", "differences.png"]
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison["pairs"][0]["sentence"] in out
    for row in comparison["runs"]:
        assert f"{row['accuracy']:.1%}" in out


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
    pairs = [
        {
            "name": f"run {number}",
            "against": "the first",
            "difference": d,
            "interval": [d - 0.02, d + 0.02],
            "differs": s,
        }
        for number, (d, s) in enumerate([(0.05, True), (0.01, False), (-0.06, True)])
    ]
    assert_legible(draw_differences({"pairs": pairs, "num_clips": 300}))
