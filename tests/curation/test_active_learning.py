"""Recordings that are worth a label come first: those the run is unsure of, and not all of one kind."""

import csv
import json
import shlex
import shutil
from collections import Counter
from itertools import pairwise

import keras
import numpy as np
import pytest
from _errors import raises

from kerasr import audio, evaluate, train
from kerasr.curation.active_learning import draw_badge, last_inputs, rank_unlabelled
from kerasr.data import load_corpus, read_manifest
from kerasr.models.registry import list_models
from kerasr.runs.run import load_run

# Of models that share a file, those after the first are for the full table.
MODELS = [
    pytest.param(facts, id=facts.name, marks=[pytest.mark.full] if facts.module == before.module else [])
    for before, facts in pairwise((list_models(per_frame=False)[-1], *list_models(per_frame=False)))
]


@pytest.fixture(scope="module")
def unlabelled(tones, tmp_path_factory):
    """Sixty recordings like those trained on, and two kinds between the words: eight of one and eight of the other."""
    folder = tmp_path_factory.mktemp("unlabelled")
    for word in ("low", "middle", "high"):
        for path in (tones / word).iterdir():
            waveform, rate = audio.read(path)
            audio.write(folder / f"{word}-{path.name}", 0.9 * waveform, rate)
    rng = np.random.default_rng(0)
    for kind, pitch in (("between", 520), ("above", 1500)):
        for number in range(8):
            tone = 0.3 * np.sin(2 * np.pi * pitch * rng.uniform(0.97, 1.03) * np.arange(2800) / 8000)
            audio.write(folder / f"{kind}-{number}.wav", tone + 0.01 * rng.standard_normal(2800), 8000)
    return folder


def ranked(ranking):
    """The rows of the recordings that were ranked, which stand before the run's own."""
    with ranking.csv.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows[: ranking.num_clips]} == {"unlabelled"}
    return rows[: ranking.num_clips]


def test_unsure_and_unlike_come_first(tone_run, unlabelled, tmp_path):
    run = load_run(tone_run)
    (unlabelled / "bad.wav").write_text("no sound")
    ranking = rank_unlabelled(run, str(unlabelled), out=tmp_path)
    (unlabelled / "bad.wav").unlink()
    rows = ranked(ranking)
    assert ranking.num_clips == len(rows) == 76
    kinds = Counter(row["path"].split("/")[-1].split("-")[0] for row in rows[:12])
    assert kinds["between"] + kinds["above"] >= 7
    assert {"between", "above"} <= set(kinds)
    probs = run.predict_files([row["path"] for row in rows])
    for row, prob in zip(rows, probs, strict=True):
        assert row["guess"] == run.labels[prob.argmax()]
        assert float(row["probability"]) == pytest.approx(prob.max(), abs=1e-3)
    rest = [float(row["score"]) for row in rows[ranking.num_found :]]
    assert rest == sorted(rest, reverse=True)
    assert rows[0]["reason"] == "unsure"
    text = ranking.page.read_text()
    assert text.count("<audio") == 48


def test_a_run_that_hears_at_several_speeds_ranks_by_what_it_hears_at_all_of_them(tone_run, unlabelled, tmp_path):
    path = shutil.copytree(tone_run, tmp_path / "run")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(
        json.dumps(config | {"model": config["model"] | {"tta_speeds": [0.8, 1.0, 1.25]}})
    )
    run = load_run(path)
    rows = ranked(rank_unlabelled(run, str(unlabelled), out=tmp_path))
    probs = run.predict_files([row["path"] for row in rows])
    alone = load_run(tone_run).predict_files([row["path"] for row in rows])
    assert np.abs(probs.max(-1) - alone.max(-1)).max() > 0.05
    np.testing.assert_allclose([float(row["probability"]) for row in rows], probs.max(-1), atol=1e-3)


def test_filled_in_it_is_a_manifest_to_train_with(tone_run, unlabelled, tmp_path, capsys):
    run = load_run(tone_run)
    ranking = rank_unlabelled(run, str(unlabelled), out=tmp_path)
    own = read_manifest(run.path / "manifest.csv")
    assert {item.path for item in read_manifest(ranking.csv).utterances} == {item.path for item in own.utterances}
    assert "76 recordings" in capsys.readouterr().err
    with ranking.csv.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows[:3]:
        row["label"] = row["guess"]
    with ranking.csv.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    corpus = load_corpus(str(ranking.csv))
    assert len(corpus.utterances) == len(own.utterances) + 3
    assert {item.path: item.split for item in own.utterances}.items() <= {
        item.path: item.split for item in corpus.utterances
    }.items()
    assert [(item.label, item.split) for item in corpus.utterances[:3]] == [(row["label"], "train") for row in rows[:3]]


def test_what_the_run_has_already_is_not_ranked(tone_run, unlabelled, tmp_path):
    run, folder = load_run(tone_run), tmp_path / "new"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        shutil.copy(run.utterances(split)[0].path, folder / f"{split}.wav")
    with raises("no-recordings"):
        rank_unlabelled(run, str(folder), out=tmp_path)
    shutil.copy(unlabelled / "between-0.wav", folder)
    (row,) = ranked(rank_unlabelled(run, str(folder), out=tmp_path))
    assert row["path"].endswith("between-0.wav")


def test_a_folder_without_recordings_is_named(tone_run, tmp_path):
    (tmp_path / "bad.wav").write_text("no sound")
    with raises("recordings-unusable"):
        rank_unlabelled(load_run(tone_run), str(tmp_path), out=tmp_path)
    (tmp_path / "bad.wav").unlink()
    with raises("no-recordings"):
        rank_unlabelled(load_run(tone_run), str(tmp_path))
    with raises("folder-unreadable"):
        rank_unlabelled(load_run(tone_run), str(tmp_path / "gone"))


def test_distances_are_those_of_the_gradients_themselves(rng):
    """BADGE over made gradients, with k-means++ as written but for a first centre at no gradient: the same draw."""
    logits, inputs = rng.normal(size=(40, 4)), rng.normal(size=(40, 6))
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    slopes = probs - np.eye(4)[probs.argmax(-1)]
    gradients = np.einsum("nc,nd->ncd", slopes, inputs).reshape(40, -1)
    draws = np.random.default_rng(3)
    expected = [int(np.square(gradients).sum(-1).argmax())]

    def distances():
        centres = np.concatenate([np.zeros((1, gradients.shape[1])), gradients[expected]])
        return np.square(gradients[:, None] - centres).sum(-1)

    while len(expected) < 10:
        distance = distances().min(-1)
        expected.append(int(draws.choice(40, p=distance / distance.sum())))
    found = draw_badge(probs, inputs, 10, seed=3)
    assert found.num_drawn == 10
    assert found.order[:10].tolist() == expected
    rest = found.order[10:]
    assert sorted(rest) == sorted({*range(40)} - {*expected})
    left = distances()[rest] / np.square(gradients).sum(-1).max()
    np.testing.assert_allclose(found.score[10:], left.min(-1), atol=1e-9)
    assert found.score[10:].tolist() == sorted(found.score[10:], reverse=True)
    assert found.nearest[10:].tolist() == (left.argmin(-1) - 1).tolist()


def test_twins_are_drawn_once_and_what_is_sure_never():
    probs = np.array([[0.5, 0.5], [0.5, 0.5], [0.6, 0.4], [1.0, 0.0]])
    inputs = np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 0.0], [5.0, 5.0]])
    draw = draw_badge(probs, inputs, 4, seed=0)
    assert draw.num_drawn == 2
    drawn = {*draw.order[:2].tolist()}
    assert 2 in drawn
    assert len(drawn & {0, 1}) == 1
    twin = (draw.order == ({0, 1} - drawn).pop()).argmax()
    assert draw.score[twin] == 0
    assert draw.order[draw.nearest[twin]] in {0, 1}
    assert draw.score[(draw.order == 3).argmax()] == 0, "the network is sure of it"


@pytest.mark.parametrize("facts", MODELS)
def test_every_model_has_a_last_layer(facts, rng):
    from kerasr.models.registry import builder

    narrow = {"width": 0.125, "units": 8, "filters": 8}
    options = {name: value for name, value in narrow.items() if name in facts.options}
    network = builder(facts.name)((33, 12), 3, **options)
    features = rng.normal(size=(2, 33, 12)).astype("float32")
    inputs, logits = last_inputs(network)(features, training=False)
    assert len(inputs.shape) == 2
    assert logits.shape == (2, 3)
    np.testing.assert_allclose(logits, network(features, training=False), atol=1e-6)
    last = network.layers[-1]
    if isinstance(last, keras.layers.Dense):
        np.testing.assert_allclose(last(inputs), logits, atol=1e-5)


def test_the_command_ranks_and_says_where(tone_run, unlabelled, tmp_path, capsys):
    run = shutil.copytree(tone_run, tmp_path / "run")
    evaluate.main(["unlabelled", str(run), str(unlabelled), "--json"])
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert "76 recordings: about " in err
    assert found["num_clips"] == 76
    assert found["page"].startswith(str(run / "evaluations" / "unlabelled-"))
    evaluate.main(["unlabelled", str(run), str(unlabelled)])
    out = capsys.readouterr().out
    first = out.splitlines()[1].split()
    assert (first[0], first[1]) == ("1", "1.0000")
    (line,) = (line for line in out.splitlines() if line.startswith("next"))
    argv = shlex.split(line)[4:]
    config = train.parse_arguments(argv).train
    assert config.data.path == found["csv"]
    assert config.fit.epochs == load_run(run).config.fit.epochs


@pytest.mark.parametrize(
    "argv",
    [
        ["run", "--folds", "3"],
        ["run", "--carry-state"],
        ["suspects", "run", "--data", "x"],
        ["suspects", "run", "--out", "x"],
        ["unlabelled", "run", "x", "--split", "test"],
        ["unlabelled", "run"],
        ["stream", "run", "--data", "x"],
    ],
)
def test_what_does_not_go_together_cannot_be_said(argv, capsys):
    with pytest.raises(SystemExit) as end:
        evaluate.main(argv)
    assert end.value.code == 2
    assert "evaluate" in capsys.readouterr().err


@pytest.mark.parametrize("job", ["stream", "suspects", "unlabelled"])
def test_each_job_has_a_help_of_its_own(job, capsys):
    with pytest.raises(SystemExit):
        evaluate.main([job, "--help"])
    assert f"kerasr.evaluate {job}" in capsys.readouterr().out


def test_who_speaks_is_asked_of_other_recordings_only():
    with raises("setting-missing", "--data"):
        evaluate.main(["run", "--speaker-pattern", "(x)"])
