"""Several labels a clip: trained, measured, told, exported and refused as its one file says."""

import json

import numpy as np
import pytest
from _errors import raises
from _shared import quiet

from kerasr import audio, evaluate, export, predict
from kerasr.config import Augmentation, FitConfig, OptimizerConfig, TaskConfig
from kerasr.curation.label_errors import find_suspects
from kerasr.data.manifest import Utterance, write_manifest
from kerasr.evaluation.comparison import compare_runs
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.recipes import get_recipe
from kerasr.runs.run import load_run
from kerasr.streaming.listener import stream_model_of
from kerasr.tasks import find_task
from kerasr.training.trainer import train_recipe

PITCHES = {"low": 300, "middle": 900, "high": 2500}
RATE = 8000


@pytest.fixture(scope="module")
def chords(tmp_path_factory):
    """Tones together: each of eight sets of three, twelve times, in a manifest."""
    folder, rng = tmp_path_factory.mktemp("chords"), np.random.default_rng(0)
    time, utterances = np.arange(RATE * 4 // 10) / RATE, []
    for number in range(96):
        names = [name for place, name in enumerate(PITCHES) if number >> place & 1]
        sound = 0.003 * rng.standard_normal(len(time))
        for name in names:
            sound += 0.1 * np.sin(2 * np.pi * PITCHES[name] * rng.uniform(0.97, 1.03) * time)
        path = folder / f"{number}.wav"
        audio.write(path, sound.astype("float32"), RATE)
        extra = {"labels": "|".join(names)} if names else {}
        utterances.append(Utterance(str(path), speaker=f"s{number // 8}", extra=extra))
    write_manifest(folder / "chords.csv", utterances)
    return folder / "chords.csv"


@pytest.fixture(scope="module")
def chord_run(chords, tmp_path_factory):
    settings = {"sample_rate": RATE, "n_fft": 256, "win_length": 200, "hop_length": 160, "n_mels": 20}
    config = get_recipe("tags").replace(
        data=str(chords),
        augment=Augmentation(),
        optimizer=OptimizerConfig(learning_rate=5e-3),
        epochs=12,
        batch_size=16,
        out=str(tmp_path_factory.mktemp("runs")),
        **{f"features.{name}": value for name, value in settings.items()},
        **{"features.clip_seconds": 0.4, "model.width": 0.25},
    )
    return train_recipe(config, console=quiet())


def task_of(*labels):
    return find_task(TaskConfig("tag"))(labels, TaskConfig("tag"))


def test_labels_are_read_off_the_column_or_are_the_one_label():
    task = task_of("a", "b", "c")
    items = [Utterance("1", extra={"labels": "c| a"}), Utterance("2", label="b"), Utterance("3")]
    np.testing.assert_array_equal(task.truth(items), [[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    targets = task.encode([*items, items[0]])
    assert targets.values.dtype == np.float32
    assert targets.kinds[0] == targets.kinds[3] != targets.kinds[1]


def test_every_label_that_is_probable_enough_is_answered():
    answer = task_of("a", "b", "c").decode(np.array([0.6, 0.2, 0.9]), 0.5)
    assert answer.labels == ("c", "a")
    assert answer.top[0] == ("c", 0.9)
    assert task_of("a", "b", "c").decode(np.array([0.1, 0.2, 0.3]), 0.5).labels == ()


def test_f1_of_an_epoch_is_that_of_the_decisions(rng):
    task = task_of("a", "b", "c")
    truth, logits = rng.integers(0, 2, (50, 3)).astype("float32"), rng.normal(size=(50, 3)).astype("float32")
    (metric,) = task.metrics()
    metric.update_state(truth, logits)
    hits = (truth * (logits > 0)).sum()
    assert float(metric.result()) == pytest.approx(2 * hits / (truth.sum() + (logits > 0).sum()), rel=1e-5)
    assert float(task.loss(FitConfig())(truth, 100 * (2 * truth - 1))) < 1e-3


@pytest.mark.usefixtures("scores_alone")
def test_it_learns_which_tones_sound_together(chord_run, chords):
    assert chord_run.labels == ("high", "low", "middle")
    metrics = evaluate_run(chord_run).metrics
    assert metrics["micro_f1"] > 0.9
    assert metrics["headline"] == f"F1 {metrics['micro_f1']:.1%}"
    assert metrics["judgements"] == [] or metrics["judgements"][0]["code"] == "few_test_speakers"
    assert {word["word"] for word in metrics["words"]} == {"high", "low", "middle"}
    assert max(row["val_f1"] for row in chord_run.history) > 0.9
    answer = chord_run.predict(str(chords.parent / "5.wav"))
    assert set(answer.labels) == {"low", "high"}


def test_the_report_and_the_commands_tell_it(chord_run, chords, capsys):
    evaluate.main([str(chord_run.path)])
    assert "F1 " in capsys.readouterr().out
    page = (chord_run.path / "report.html").read_text("utf-8")
    assert "Each label" in page
    assert "Most frequent mistakes" not in page
    predict.main([str(chord_run.path), str(chords.parent / "3.wav"), "--json"])
    assert set(json.loads(capsys.readouterr().out)["labels"]) == {"low", "middle"}
    predict.main([str(chord_run.path), str(chords.parent / "3.wav"), str(chords.parent / "0.wav")])
    assert "low" in capsys.readouterr().out
    evaluate.main([str(chord_run.path), "--data", str(chords), "--json"])
    assert json.loads(capsys.readouterr().out)["num_clips"] == 96


def test_two_runs_are_compared_by_the_clips_that_are_right_in_every_label(chord_run):
    found = compare_runs([chord_run, load_run(chord_run.path)])
    assert found["runs"][0]["score"].startswith("F1 ")
    assert found["pairs"][0]["difference"] == 0


@pytest.mark.full
def test_what_is_exported_answers_as_the_run(chord_run, tmp_path):
    export.main([str(chord_run.path), "--to", str(tmp_path / "chords")])
    facts = json.loads(next((tmp_path / "chords").glob("*/assets.extra/kerasr.json")).read_text())
    assert facts["task"] == "tag"
    assert facts["check"]["agreement"] == 1.0


def test_a_model_worse_than_a_constant_answer_is_told():
    task = task_of("a", "b")
    assert [one.code for one in task.judge({"micro_f1": 0.5, "constant_f1": 0.5})] == ["worse_than_constant"]
    assert task.judge({"micro_f1": 0.6, "constant_f1": 0.5}) == []


def test_what_wants_one_word_a_clip_is_refused(chord_run, chords, tmp_path):
    with raises("task-unsupported"):
        stream_model_of(chord_run)
    with raises("task-unsupported"):
        find_suspects(chord_run, console=quiet())
    write_manifest(tmp_path / "none.csv", [Utterance(str(chords.parent / f"{number}.wav")) for number in range(96)])
    with raises("label-missing"):
        train_recipe(chord_run.config.replace(data=str(tmp_path / "none.csv"), out=str(tmp_path)), console=quiet())
    with raises("task-not-found"):
        train_recipe(chord_run.config.replace(task="nothing"), console=quiet())
