"""What a training learns from beside its labels: earlier runs, teachers, a run's labels; and what counts how much."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from _errors import raises
from _shared import SPEC, quiet

from kerasr import audio, train
from kerasr.audio.features import Features
from kerasr.config import Augmentation, FitConfig, OptimizerConfig, TaskConfig, TrainConfig, to_json
from kerasr.data import Utterance, load_corpus, read_manifest, split_corpus, write_manifest
from kerasr.data.known import KnownRecordings
from kerasr.data.pipeline import Pipeline
from kerasr.data.sampling import Balance, class_weights, draw_evenly, find_groups, find_strata
from kerasr.data.targets import Targets
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.runs.folder import update_facts
from kerasr.runs.run import load_run
from kerasr.tasks import find_task
from kerasr.training.callbacks import RunCheckpoint
from kerasr.training.checkpoint import load_checkpoint
from kerasr.training.learner import GROUP_STEP, Learner
from kerasr.training.trainer import resume_run, train_recipe
from kerasr.training.transfer import add_pseudo_labels, inherit, known_test_clips


def task_of(labels, wanted=None):
    config = TaskConfig(wanted=wanted)
    return find_task(config)(labels, config)


WORDS = task_of(("a", "b", "c"))


@pytest.fixture
def config(tones, tmp_path):
    return TrainConfig().replace(
        data=str(tones),
        out=str(tmp_path / "runs"),
        model_options={"width": 0.25, "dropout": 0.0},
        features=SPEC,
        augment=Augmentation(gain_db=3.0, mixup=0.2),
        optimizer=OptimizerConfig(learning_rate=3e-3),
        epochs=2,
        batch_size=8,
    )


@pytest.fixture(scope="module")
def rooms(tones, tmp_path_factory):
    """A manifest of the tones with a column: a fifth were recorded in the kitchen, some nobody knows where."""
    utterances = [
        replace(item, extra={"room": "kitchen" if number % 5 == 0 else "hall"} if number % 7 else {})
        for number, item in enumerate(load_corpus(str(tones)).utterances)
    ]
    path = tmp_path_factory.mktemp("rooms") / "rooms.csv"
    write_manifest(path, utterances)
    return str(path)


def weights_by_layer(network):
    return {layer.name: layer.get_weights() for layer in network.layers}


def same(first, second):
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


# Beginning from a run


def test_only_the_head_learns_first(config, tone_run):
    source = load_run(tone_run)
    usual = TrainConfig().replace(data=config.data.path, out=config.logging.out, batch_size=8)
    run = train_recipe(usual.replace(init_from=str(tone_run), epochs=1, head_share=1.0), console=quiet())
    assert (run.config.model.options, run.config.features) == (source.config.model.options, source.config.features)
    assert load_run(run.path).facts["statistics"] == source.facts["statistics"]
    theirs, ours = weights_by_layer(source.network), weights_by_layer(run.network)
    # Batch norm's statistics are weights too: not even they have moved.
    assert [name for name in ours if not same(ours[name], theirs[name])] == ["logits"]


def assert_groups_weigh(run):
    """A run in whose training rooms were balanced says what each weighs."""
    weights = run.facts["group_weights"]
    assert list(weights) == ["hall", "kitchen"]
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["hall"] != 0.5


def test_then_everything_learns_at_a_lower_rate(config, rooms, tone_run):
    config = config.replace(init_from=str(tone_run), wanted="low", epochs=2, head_share=0.5, finetune_rate=0.01)
    run = train_recipe(config.replace(data=rooms, balance_groups="room", keep="last"), console=quiet())
    assert_groups_weigh(run)
    assert run.network.output_shape == (None, 1)
    theirs, ours = weights_by_layer(load_run(tone_run).network), weights_by_layer(run.network)
    assert not same(ours["conv1_conv"], theirs["conv1_conv"])
    assert not same(ours["conv1_norm"][2:], theirs["conv1_norm"][2:])
    np.testing.assert_allclose(ours["conv1_conv"], theirs["conv1_conv"], atol=0.01)


class Killed(Exception):
    pass


EVERYTHING = {
    "epochs": 4,
    "head_share": 0.5,
    "loss": "focal",
    "sampling": "balanced",
    "balance_groups": "room",
    "checkpoint_seconds": 0.0,
}


@pytest.fixture(scope="module")
def everything(tones, rooms, tone_run, tmp_path_factory):
    """A run that learns in every way there is, and its config."""
    config = TrainConfig().replace(
        data=rooms,
        out=str(tmp_path_factory.mktemp("everything")),
        model_options={"width": 0.25, "dropout": 0.0},
        features=SPEC,
        augment=Augmentation(gain_db=3.0, mixup=0.2),
        optimizer=OptimizerConfig(learning_rate=3e-3, ema=0.9),
        batch_size=8,
        init_from=str(tone_run),
        teacher=str(tone_run),
        **EVERYTHING,
    )
    return config, train_recipe(config, console=quiet())


@pytest.mark.parametrize(
    ("epoch", "step"),
    [
        pytest.param(1, 2, id="the head's epochs", marks=pytest.mark.full),
        pytest.param(2, 0, id="between the two", marks=pytest.mark.full),
        pytest.param(2, 1, id="everything's epochs", marks=pytest.mark.full),
    ],
)
def test_a_killed_run_ends_as_if_it_had_not_been(everything, tmp_path, monkeypatch, epoch, step):
    config, whole = everything
    save = RunCheckpoint._save

    def save_and_die(self):
        save(self)
        if (self.state.epoch, self.state.step) == (epoch, step):
            raise Killed

    monkeypatch.setattr(RunCheckpoint, "_save", save_and_die)
    with pytest.raises(Killed):
        train_recipe(config.replace(out=str(tmp_path)), console=quiet())
    monkeypatch.setattr(RunCheckpoint, "_save", save)
    (path,) = tmp_path.glob("*/checkpoint.npz")
    resumed = resume_run(str(path.parent), console=quiet())
    assert resumed.history == whole.history
    assert resumed.facts["group_weights"] == whole.facts["group_weights"]
    for one, other in zip(load_checkpoint(path).arrays, load_checkpoint(whole.path / path.name).arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(same(one, other) for one, other in zip(
        weights_by_layer(resumed.network).values(), weights_by_layer(whole.network).values(), strict=True
    ))  # fmt: skip


@pytest.mark.full
def test_the_run_says_what_each_group_weighs(everything):
    assert_groups_weigh(everything[1])


# What earlier runs have heard


def test_what_a_teacher_has_heard_of_the_test_is_told(tones, tone_run, tmp_path):
    heard = load_run(tone_run)
    items = [*heard.utterances("train"), *heard.utterances("validation")]
    swapped = {"train": "test", "test": "train", "validation": "validation"}
    everyone = [replace(item, split=swapped[item.split]) for item in items + heard.utterances("test")]
    facts = known_test_clips([heard], everyone)
    assert facts == {"train_speakers": [], "test_clips_known": len(heard.utterances("train"))}
    assert known_test_clips([], everyone) == {}
    # What a run knows of earlier ones goes on to those that learn from it.
    heir = tmp_path / "heir"
    shutil.copytree(tone_run, heir)
    update_facts(load_run(heir), train_speakers=["anna"])
    assert known_test_clips([load_run(heir)], everyone)["train_speakers"] == ["anna"]


@pytest.mark.usefixtures("scores_alone")
def test_a_corpus_that_moved_is_known_again(config, tone_run, tones, tmp_path):
    """What a run has learnt from is told from content: by its heirs, and by theirs once it is gone."""
    heard = load_run(tone_run)
    moved = shutil.copytree(tones, tmp_path / "moved")
    for recording in list(moved.rglob("*.wav")):
        recording.rename(recording.with_stem(f"x{recording.stem}"))
    parent = shutil.copytree(tone_run, tmp_path / "parent")
    usual = TrainConfig().replace(
        data=str(moved), out=config.logging.out, batch_size=8, epochs=1, init_from=str(parent)
    )
    heir = train_recipe(usual, console=quiet())
    known = {item.content_hash for split in ("train", "validation") for item in heard.utterances(split)}
    repeated = sum(item.content_hash in known for item in heir.utterances("test"))
    assert heir.facts["test_clips_known"] == repeated > 0
    assert f"{repeated} of the test's recordings" in " ".join(evaluate_run(heir).notes)
    shutil.rmtree(parent)
    assert {item.content_hash for item in heard.utterances("train")} <= load_run(heir.path).known.hashes


def test_without_hashes_a_recording_is_known_by_its_path(tmp_path):
    """A run of an earlier version: its paths are all there is; with hashes on both sides they alone count."""
    here, there, hashed = (Utterance(str(tmp_path / name)) for name in ("a.wav", "b.wav", "c.wav"))
    known = KnownRecordings([here, replace(hashed, content_hash="1")], ["2"])
    assert here in known
    assert there not in known
    assert replace(here, content_hash="3") in known
    assert hashed in known
    assert replace(hashed, content_hash="3") not in known
    assert all(replace(there, content_hash=digit) in known for digit in "12")
    (tmp_path / "linked").symlink_to(tmp_path)
    assert replace(here, path=str(tmp_path / "linked" / "a.wav")) in known
    both = known | KnownRecordings([there], ["4"])
    assert here in both
    assert there in both
    assert replace(hashed, content_hash="4") in both


@pytest.mark.usefixtures("scores_alone")
def test_a_score_on_voices_that_the_teacher_has_heard_says_so(tone_run, tmp_path):
    heir = tmp_path / "heir"
    shutil.copytree(tone_run, heir)
    manifest = read_manifest(heir / "manifest.csv")
    write_manifest(heir / "manifest.csv", [replace(item, speaker=f"{item.split}er") for item in manifest.utterances])
    run = load_run(heir)
    assert not [note for note in evaluate_run(run).notes if "learnt from" in note]
    update_facts(run, train_speakers=["tester"], test_clips_known=2)
    notes = " ".join(evaluate_run(load_run(heir)).notes)
    assert "learnt from was trained on tester" in notes
    assert "2 of the test's recordings were in the training" in notes


# Losses, and learning from a teacher


@pytest.mark.parametrize("wanted", [None, "b"])
def test_focal_loss_forgets_what_is_easy(wanted, rng):
    task = task_of(("a", "b", "c"), wanted)
    logits = rng.normal(size=(6, task.output.size)).astype("float32")
    index = rng.integers(0, len(task.labels), 6)
    targets = index[:, None].astype("float32") if wanted else np.eye(3, dtype="float32")[index]
    right = keras.ops.convert_to_numpy(task.probs(logits))[np.arange(6), index]
    plain, focal = (
        keras.ops.convert_to_numpy(task.loss(FitConfig(loss=kind)).call(targets, logits))
        for kind in ("cross_entropy", "focal")
    )
    np.testing.assert_allclose(plain, -np.log(right), rtol=1e-4)
    np.testing.assert_allclose(focal, -((1 - right) ** 2) * np.log(right), rtol=1e-3)


@pytest.mark.parametrize("wanted", [None, "b"])
def test_agreement_is_best_with_the_teachers_own_logits(wanted, rng):
    task = task_of(("a", "b", "c"), wanted)
    teacher = keras.Variable(rng.normal(size=(5, task.output.size)))
    other = keras.Variable(rng.normal(size=(5, task.output.size)))
    agree, disagree = (keras.ops.convert_to_numpy(task.distillation_loss(teacher, x, 3.0)) for x in (teacher, other))
    assert agree.shape == (5,)
    assert (agree < disagree).all()
    probs = keras.ops.convert_to_numpy(task.probs(teacher / 3))
    np.testing.assert_allclose(agree, -9 * (probs * np.log(probs)).sum(1), rtol=1e-4)


def linear(seed, num_outputs=3):
    """A network of one layer."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(num_outputs)(inputs))


def learner(network, **options):
    made = Learner(network.input, network.output, task=WORDS, loss=WORDS.loss(FitConfig()), **options)
    made.compile(optimizer=keras.optimizers.Adam(0.05), loss=WORDS.loss(FitConfig()), jit_compile=False)
    return made


def test_a_teachers_word_counts_as_much_as_it_is_given(rng):
    x = rng.normal(size=(16, 4)).astype("float32")
    y = np.eye(3, dtype="float32")[rng.integers(0, 3, 16)]
    teacher, network = linear(1), linear(2)
    trained = learner(network, teacher=teacher, teacher_weight=0.25, temperature=2.0)
    logits = network(x)
    labels = float(keras.ops.mean(WORDS.loss(FitConfig()).call(y, logits)))
    apart = float(keras.ops.mean(WORDS.distillation_loss(teacher(x), logits, 2.0)))
    assert float(trained.compute_loss(x, y, logits)) == pytest.approx(0.75 * labels + 0.25 * apart, rel=1e-5)
    assert float(trained.compute_loss(x, y, logits, training=False)) == pytest.approx(labels, rel=1e-5)
    # The teacher's weights are none of the learner's: neither trained nor in its checkpoints.
    assert len(trained.variables) == len(network.variables)


def test_a_student_learns_what_only_the_teacher_knows(rng):
    x = rng.normal(size=(256, 4)).astype("float32")
    nonsense = np.eye(3, dtype="float32")[rng.integers(0, 3, 256)]
    teacher, network = linear(1), linear(2)
    before = teacher.get_weights()
    learner(network, teacher=teacher, teacher_weight=1.0).fit(x, nonsense, epochs=15, verbose=0)
    assert np.mean(np.argmax(network(x), 1) == np.argmax(teacher(x), 1)) > 0.95
    assert same(teacher.get_weights(), before)


# Groups


def test_group_weights_follow_the_losses(rng):
    shares = np.array([0.5, 0.3])
    trained = learner(linear(0), group_shares=shares)
    x = rng.normal(size=(10, 4)).astype("float32")
    y = np.eye(3, dtype="float32")[rng.integers(0, 3, 10)]
    member = np.eye(3, dtype="float32")[[0, 0, 0, 0, 0, 1, 1, 1, 2, 2]]
    logits = trained(x)
    losses = keras.ops.convert_to_numpy(WORDS.loss(FitConfig()).call(y, logits))
    loss = float(trained.compute_loss(x, y, logits, sample_weight=member))
    means = np.array([losses[:5].mean(), losses[5:8].mean()])
    weights = np.exp(GROUP_STEP * means) / np.exp(GROUP_STEP * means).sum()
    np.testing.assert_allclose(trained.group_weights, weights, rtol=1e-5)
    # Four fifths of the loss are the groups', weighted; the two clips of no group count as they are.
    assert loss == pytest.approx(0.8 * (weights * means).sum() + losses[8:].sum() / 10, rel=1e-5)


def test_the_worst_group_gains(rng):
    """Nine tenths of the clips tell the word by the sign of one feature, the others by its opposite.

    A second feature, noisy, tells it of all; one linear layer on average does better without it, for the many.
    """
    minority = np.arange(600) < 60
    word = rng.integers(0, 2, 600)
    x = rng.normal(size=(600, 4)).astype("float32")
    x[:, 0] = np.where(word ^ minority, 3, -3)
    x[:, 1] = np.where(word, 1, -1) + 0.8 * rng.normal(size=600)
    y = np.eye(3, dtype="float32")[word]
    member = np.stack([~minority, minority, np.zeros(600)], 1).astype("float32")

    def worst(group_shares):
        network = linear(0)
        weights = None if group_shares is None else member
        learner(network, group_shares=group_shares).fit(
            x, y, sample_weight=weights, epochs=15, batch_size=60, verbose=0
        )
        right = np.argmax(network(x), 1) == word
        return min(right[minority].mean(), right[~minority].mean())

    assert worst(np.array([0.9, 0.1])) > worst(None) + 0.2


def test_groups_are_found_in_any_column():
    utterances = [
        Utterance("1", speaker="ann", extra={"accent": "fr"}),
        Utterance("2", speaker="bob", extra={"accent": "de"}),
        Utterance("3", speaker="bob"),
    ]
    groups = find_groups(utterances, "accent")
    assert (groups.names, groups.index.tolist()) == (("de", "fr"), [1, 0, -1])
    assert find_groups(utterances, "speaker").names == ("ann", "bob")
    with raises("column-not-found"):
        find_groups(utterances, "room")
    with raises("column-not-found"):
        find_groups(utterances[1:], "speaker")
    labels = np.array([0, 1, 1])
    assert find_strata(None, None) is None
    assert len(set(find_strata(labels, groups))) == 3
    np.testing.assert_array_equal(find_strata(labels, None), labels)
    np.testing.assert_array_equal(find_strata(None, groups), groups.index)


# What an epoch draws


def test_an_even_draw_takes_as_many_of_each(rng):
    strata = np.array([0] * 80 + [1] * 15 + [2] * 5, np.int32)
    drawn = draw_evenly(strata, (0, 1)).numpy()
    assert sorted(Counter(strata[drawn]).values()) == [33, 33, 34]
    times = Counter(drawn)
    assert {times[clip] for clip in drawn if strata[clip] == 0} == {1}
    assert {times[clip] for clip in range(80, 95)} == {2, 3}
    assert {times[clip] for clip in range(95, 100)} == {6, 7}
    np.testing.assert_array_equal(drawn, draw_evenly(strata, (0, 1)))
    assert set(drawn) != set(draw_evenly(strata, (0, 2)).numpy())


@pytest.fixture(scope="module")
def uneven(tones):
    """The tones, with two of one word only; groups are given by number."""
    utterances = [item for item in load_corpus(str(tones)).utterances if item.label != "high"]
    utterances += [item for item in load_corpus(str(tones)).utterances if item.label == "high"][:2]
    index = np.array([("high", "low", "middle").index(item.label) for item in utterances])
    features = Features(SPEC, mean=[0.0] * 20, std=[10.0] * 20)

    def pipeline(seed=0, **balance):
        balance = Balance(**balance)
        return Pipeline(
            utterances,
            Targets.one_hot(index, 3),
            features,
            batch_size=7,
            augment=Augmentation(),
            seed=seed,
            balance=balance,
        )

    return pipeline, index


def test_balanced_sampling_shows_rare_words_as_often(uneven):
    pipeline, index = uneven

    def epochs(first_step=0, **options):
        return [
            batch[1].numpy() for batch in pipeline(strata=index, **options).batches(epochs=2, first_step=first_step)
        ]

    batches = epochs()
    assert len(batches) == 12
    assert np.concatenate(batches[:6]).sum(0) == pytest.approx([14, 14, 14])
    assert not np.array_equal(batches[0], batches[6])
    for one, other in zip(batches[8:], epochs(first_step=8), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(not np.array_equal(one, other) for one, other in zip(batches, epochs(seed=1), strict=True))


def test_groups_and_class_weights_reach_the_loss_through_mixup(uneven):
    pipeline, index = uneven
    groups = np.arange(len(index)) % 3 - 1
    mixed = pipeline(group_index=groups)
    mixed._augment = Augmentation(mixup=1.0)
    _, targets, member = next(iter(mixed.batches()))
    assert member.shape == (7, 3)
    np.testing.assert_allclose(np.sum(member, 1), 1, atol=1e-6)
    assert ((member.numpy() > 0).sum(1) > 1).any()
    assert targets.shape == (7, 3)
    weights = class_weights(index)
    of_word = np.array([weights[index == word][0] for word in range(3)])
    _, targets, both = next(iter(pipeline(group_index=groups, weights=weights).batches()))
    np.testing.assert_allclose(np.sum(both, 1), of_word[targets.numpy().argmax(1)], rtol=1e-6)


def test_group_shares_are_those_of_the_draw(uneven):
    pipeline, index = uneven
    groups = (np.arange(len(index)) % 4 == 0).astype(int)
    np.testing.assert_allclose(pipeline(group_index=groups).group_shares, [31 / 42, 11 / 42])
    np.testing.assert_allclose(pipeline(group_index=groups, strata=groups).group_shares, [0.5, 0.5])
    made = pipeline(group_index=groups, strata=index)
    drawn = np.concatenate([batch[2].numpy() for batch in made.batches(epochs=15)])
    np.testing.assert_allclose(drawn.mean(0)[:2], made.group_shares, atol=0.05)
    assert pipeline().group_shares is None


# Pseudo-labels


@pytest.fixture(scope="module")
def unlabelled(tones, tmp_path_factory):
    """Four new tones, a noise, and a recording of each split under another name."""
    folder = tmp_path_factory.mktemp("unlabelled")
    time = np.arange(3200) / 8000
    noise = np.random.default_rng(0).standard_normal(3200)
    for number, pitch in enumerate((290, 310, 2450, 2550)):
        audio.write(folder / f"new{number}.wav", 0.3 * np.sin(2 * np.pi * pitch * time) + 0.01 * noise, 8000)
    audio.write(folder / "noise.wav", 0.3 * noise, 8000)
    corpus, _ = split_corpus(load_corpus(str(tones)))
    for split in ("train", "validation", "test"):
        item = next(item for item in corpus.utterances if item.split == split)
        (folder / f"{split}.wav").write_bytes(Path(item.path).read_bytes())
    return folder, corpus


def test_sure_labels_join_the_training_and_no_other_split(config, unlabelled, tone_run):
    folder, corpus = unlabelled
    config = config.replace(pseudo_labels=str(folder), teacher=str(tone_run), pseudo_threshold=0.8)
    task = task_of(corpus.labels)
    more = add_pseudo_labels(corpus, config, task)
    assert more.utterances[: len(corpus.utterances)] == corpus.utterances
    added = more.utterances[len(corpus.utterances) :]
    names = {Path(item.path).stem: item for item in added}
    assert {"new0", "new1", "new2", "new3"} <= set(names) <= {"new0", "new1", "new2", "new3", "noise"}
    assert [names[f"new{number}"].label for number in range(4)] == ["low", "low", "high", "high"]
    for item in added:
        assert (item.split, item.speaker, item.extra["label_source"]) == ("train", None, "pseudo")
        assert float(item.extra["probability"]) >= 0.8
    surer = config.replace(pseudo_threshold=1.0)
    assert len(add_pseudo_labels(corpus, surer, task).utterances) < len(more.utterances)
    assert add_pseudo_labels(corpus, config.replace(pseudo_labels=None), task) is corpus


def test_a_run_remembers_whose_label_it_was(config, unlabelled, tone_run):
    folder, corpus = unlabelled
    before = Counter(item.split for item in corpus.utterances)
    config = config.replace(epochs=1, pseudo_labels=str(folder), init_from=str(tone_run), pseudo_threshold=0.8)
    run = train_recipe(config, console=quiet())
    pseudo = [item for item in run.utterances("train") if item.extra.get("label_source") == "pseudo"]
    assert len(pseudo) >= 4
    assert len(run.utterances("train")) == before["train"] + len(pseudo)
    for split in ("validation", "test"):
        assert len(run.utterances(split)) == before[split]
        assert not any(item.extra for item in run.utterances(split))


# What cannot be


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"init_from": "nowhere"}, "run-not-found"),
        ({"init_from": "RUN", "model": "ResNet18", "model_options": {}}, "settings-conflict"),
        ({"init_from": "RUN", "features": replace(SPEC, n_mels=30)}, "settings-conflict"),
        ({"teacher": "nowhere"}, "run-not-found"),
        ({"teacher": "RUN", "wanted": "low"}, "labels-differ"),
        ({"teacher": "RUN", "features": replace(SPEC, n_mels=30)}, "features-differ"),
        ({"teacher": "RUN", "temperature": 0.0}, "setting-out-of-range"),
        ({"init_from": "RUN", "head_share": 1.5}, "setting-out-of-range"),
        ({"balance_groups": "accent"}, "column-not-found"),
        ({"pseudo_labels": "TONES"}, "setting-missing"),
        ({"pseudo_labels": "TONES", "init_from": "RUN", "wanted": "low"}, "labels-differ"),
        ({"pseudo_labels": "OUT", "init_from": "RUN"}, "no-recordings"),
    ],
)
def test_what_cannot_be_learnt_is_named_before_a_run_is_made(config, tones, tone_run, tmp_path, change, code):
    places = {"RUN": str(tone_run), "TONES": str(tones), "OUT": str(tmp_path)}
    change = {name: places.get(value, value) if isinstance(value, str) else value for name, value in change.items()}
    with raises(code):
        train_recipe(config.replace(**change), console=quiet())
    assert not list(Path(config.logging.out).glob("*"))


def test_the_command_line_leaves_the_front_end_to_the_run(tone_run):
    begun = ["--init-from", str(tone_run)]
    inherited, theirs = inherit(train.parse_arguments(begun).train), load_run(tone_run).config
    assert (inherited.model.name, inherited.features) == (theirs.model.name, theirs.features)
    agreed = train.parse_arguments([*begun, "--features.n-mels", str(theirs.features.n_mels)]).train
    assert inherit(agreed).features == theirs.features
    for flag in (["--model", "ResNet18"], ["--model.width", "0.5"], ["--features.n-mels", "30"]):
        changed = train.parse_arguments([*begun, *flag]).train
        with raises("settings-conflict"):
            inherit(changed)


@pytest.mark.full
def test_jax_learns_in_every_way_too(everything):
    config, whole = everything
    out = Path(config.logging.out) / "jax"
    code = (
        "import json, sys; from kerasr.config import TrainConfig, from_json; "
        "from kerasr.training.trainer import train_recipe; "
        "train_recipe(from_json(TrainConfig, json.loads(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, json.dumps(to_json(config.replace(out=str(out), xla="auto")))]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": "jax"}, capture_output=True)
    (path,) = out.glob("*/run.json")
    run = load_run(path.parent)
    assert run.facts["status"] == "done"
    assert len(run.history) == len(whole.history)
    assert run.facts["group_weights"]["hall"] == pytest.approx(whole.facts["group_weights"]["hall"], abs=0.05)
