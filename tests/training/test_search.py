"""The search: what it may set, that validation decides, and that a kill costs it nothing."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from _errors import raises

from kerasr import search as command
from kerasr import train
from kerasr.config import Augmentation, TrainConfig
from kerasr.errors import UserError
from kerasr.recipes import get_recipe
from kerasr.report import draw_search
from kerasr.runs.run import load_run
from kerasr.training.search import STARTUP_TRIALS, Search, run_trial
from kerasr.training.search_space import SearchSpace, Span, parse_space, with_values

pytest.importorskip("optuna")

SPACE = "optimizer.learning_rate=1e-4..1e-1,model.width=0.5|1|2"


def test_space():
    space = parse_space(
        "optimizer.learning_rate=1e-4..1e-2, batch_size=16..64 ,model.width=0.5|1|2,xla=on|off,cache=True"
    )
    assert space == {
        "optimizer.learning_rate": Span(1e-4, 1e-2),
        "batch_size": Span(16, 64),
        "model.width": (0.5, 1, 2),
        "xla": ("on", "off"),
        "cache": (True,),
    }
    assert [span.log for span in (Span(1e-4, 1e-2), Span(16, 64), Span(0, 1), Span(-3, 3))] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["", "epochs", "epochs=", "=3", "epochs=9..3", "epochs=a..b", "epochs=1|2,epochs=3"])
def test_no_space(text):
    with raises("search-space-invalid", "--space"):
        parse_space(text)


def test_values_land_in_their_fields():
    config = get_recipe("digits")
    values = {
        "optimizer.learning_rate": 0.5,
        "model.width": 2,
        "augment.time-masks": 3,
        "epochs": 7,
        "class_weights": True,
    }
    changed = with_values(config, values)
    assert changed == config.replace(
        optimizer=replace(config.optimizer, learning_rate=0.5),
        model_options={**config.model.options, "width": 2},
        augment=replace(config.augment, time_masks=3),
        epochs=7,
        class_weights=True,
    )
    assert with_values(config, {}) == config


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("learning_rate", 1, "search-space-invalid"),
        ("optimizer.rate", 1, "search-space-invalid"),
        ("model.units", 3, "search-space-invalid"),
        ("model", "Nothing", "model-not-found"),
        ("model_options", 1, "search-space-invalid"),
        ("out", "here", "search-space-invalid"),
        ("epochs", 2.5, "setting-out-of-range"),
        ("epochs", "many", "setting-out-of-range"),
        ("cache", 1, "setting-out-of-range"),
        ("optimizer.name", "rmsprop", "setting-out-of-range"),
        ("augment.speed", 1.0, "search-space-invalid"),
        ("features.n_fft", 0, "setting-out-of-range"),
    ],
)
def test_values_that_do_not_fit(name, value, code):
    with raises(code):
        with_values(get_recipe("digits"), {name: value})


@pytest.fixture
def config(tones, tone_run):
    return load_run(tone_run).config.replace(epochs=2, augment=Augmentation())


@pytest.fixture
def trained(monkeypatch):
    """Trials that take no time: the best learning rate is 0.01. Says which were made, and what goes wrong when."""
    made = []

    def made_up(config, values, folder, *, callbacks=()):
        made.append((values, Path(folder).name))
        if made_up.fault:
            raise made_up.fault
        score = 1 - abs(values.get("optimizer.learning_rate", 0.01) - 0.01)
        score -= {"CRNN": 0.3, "ResNet8": 0.2}.get(values.get("model"), 0) - values.get("seed", 0) / 100
        for epoch in range(6):
            callbacks[0].on_epoch_end(epoch, {"val_accuracy": made_up.low or score})
        return {"score": score, "loss": 1.0}

    made_up.fault = made_up.low = None
    made_up.made = made
    monkeypatch.setattr("kerasr.training.search.run_trial", made_up)
    return made_up


def test_a_range_of_a_share_is_not_of_whole_numbers_however_it_is_written():
    config = TrainConfig().replace(model="BCResNet", model_options={"tau": 1.0})
    space = SearchSpace(config, parse_space("augment.noise=0..1,model.tau=1..2,max_bad=1..2,batch_size=16..32"))
    assert space.choices == {
        "augment.noise": Span(0.0, 1.0),
        "model.tau": Span(1.0, 2.0),
        "max_bad": Span(1, 2),
        "batch_size": Span(16, 32),
    }
    kinds = {name: type(choices.low) for name, choices in space.choices.items()}
    assert kinds == {"augment.noise": float, "model.tau": float, "max_bad": int, "batch_size": int}


ARCHITECTURES = "model=ResNet8|TCResNet8|CRNN,model.width=0.5|1,seed=0..2"


def test_an_option_is_for_the_architectures_that_have_it():
    space = SearchSpace(get_recipe("digits"), parse_space(ARCHITECTURES))
    assert space.seeds == (0, 1, 2)
    wide = [{"model": model, "model.width": width} for model in ("ResNet8", "TCResNet8") for width in (0.5, 1)]
    assert space.combinations(5) == [*wide, {"model": "CRNN"}]
    assert space.combinations(4) is None
    assert SearchSpace(get_recipe("digits"), parse_space("model.width=0.5..1")).combinations(100) is None
    for text, code in [
        ("model=CRNN|Conv1DLSTM,model.width=1|2", "search-space-invalid"),
        ("model=CRNN|Nothing", "model-not-found"),
        ("seed=0.5..2", "search-space-invalid"),
        ("seed=-1|2", "setting-out-of-range"),
    ]:
        with raises(code):
            SearchSpace(get_recipe("digits"), parse_space(text))


def test_another_architecture_brings_the_recipes_settings_and_keeps_what_was_asked_for():
    config = get_recipe("digits").replace(**{"epochs": 3, "model.width": 0.5, "features.n_mels": 20})
    found = with_values(config, {"model.width": 2.0, "model": "ResNet18"})
    assert found == get_recipe("digits", "ResNet18").replace(**{"epochs": 3, "features.n_mels": 20, "model.width": 2.0})
    assert with_values(config, {"model": "CRNN"}) == get_recipe("digits", "CRNN").replace(
        **{"epochs": 3, "features.n_mels": 20}
    )


def test_the_mean_over_the_seeds_decides_and_each_combination_is_tried_once(trained, tmp_path):
    config = get_recipe("digits")
    search = Search(config, parse_space(ARCHITECTURES), tmp_path, 9)
    for left in (5, 4):
        assert search.num_left == left
        search.run_next()
    trained.fault = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        search.run_next()
    trained.fault = None
    search = Search(config, parse_space(ARCHITECTURES), tmp_path, 9)
    while search.num_left:
        search.run_next()
    assert len(search.trials) == 5
    done = [(values["model"], values.get("model.width"), values["seed"]) for values, _ in trained.made]
    assert len({*done}) == 15
    assert len(done) == 16, "the one that was cut short comes again"
    assert search.best.params["model"] == "TCResNet8"
    result = json.loads((tmp_path / "search.json").read_text())
    assert result["seeds"] == [0, 1, 2]
    assert result["best"]["scores"] == pytest.approx([1.0, 1.01, 1.02])
    assert result["best"]["score"] == pytest.approx(1.01)
    assert draw_search(result["trials"], result["best"]).png()


def test_goes_on_where_it_stopped_and_repeats_nothing(trained, tmp_path):
    first = Search(TrainConfig(), parse_space(SPACE), tmp_path)
    for _ in range(3):
        first.run_next()
    again = Search(TrainConfig(), parse_space(SPACE), tmp_path)
    assert len(again.trials) == 3
    for _ in range(3):
        again.run_next()
    rates = [values["optimizer.learning_rate"] for values, _ in trained.made]
    assert len(set(rates)) == 6
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert again.best.params["optimizer.learning_rate"] == min(rates, key=lambda rate: abs(rate - 0.01))
    result = json.loads((tmp_path / "search.json").read_text())
    assert len(result["trials"]) == 6
    assert result["best"]["values"] == again.best.params
    assert result["config"]["optimizer"]["learning_rate"] == again.best.params["optimizer.learning_rate"]


def test_a_killed_trial_goes_on_in_its_folder(trained, tmp_path):
    search = Search(TrainConfig(), parse_space(SPACE), tmp_path)
    search.run_next()
    trained.fault = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        search.run_next()
    trained.fault = None
    again = Search(TrainConfig(), parse_space(SPACE), tmp_path)
    assert len(again.trials) == 1
    again.run_next()
    assert trained.made[1] == trained.made[2]
    assert len(again.trials) == 2
    again.run_next()
    assert trained.made[3][1] not in {folder for _, folder in trained.made[:3]}


def test_a_hopeless_trial_is_given_up(trained, tmp_path):
    search = Search(TrainConfig(), parse_space(SPACE), tmp_path)
    for _ in range(STARTUP_TRIALS):
        assert search.run_next().state.name == "COMPLETE"
    trained.low = 0.1
    assert search.run_next().state.name == "PRUNED"
    assert len(search.trials) == STARTUP_TRIALS + 1


def test_a_trial_that_goes_wrong_is_counted_unless_it_is_the_first(trained, tmp_path):
    trained.fault = UserError("loss-not-finite", "the loss became nan")
    search = Search(TrainConfig(), parse_space(SPACE), tmp_path)
    with raises("loss-not-finite", "nan"):
        search.run_next()
    assert not Search(TrainConfig(), parse_space(SPACE), tmp_path).trials
    trained.fault = None
    search.run_next()
    trained.fault = UserError("loss-not-finite", "the loss became nan")
    assert search.run_next().user_attrs["reason"] == "the loss became nan"
    # Whatever it is, as of a framework whose memory is full: a trial that stayed open would come again for ever.
    trained.fault = MemoryError()
    assert search.run_next().user_attrs["reason"] == "MemoryError"
    assert len(search.trials) == 3
    assert search.best.number == 1


def test_another_search_in_the_folder_is_refused(trained, tmp_path):
    Search(TrainConfig(), parse_space(SPACE), tmp_path).run_next()
    with raises("settings-conflict"):
        Search(TrainConfig().replace(epochs=3), parse_space(SPACE), tmp_path)
    with raises("settings-conflict"):
        Search(TrainConfig(), parse_space("epochs=3|4"), tmp_path)
    with raises("search-space-invalid"):
        Search(TrainConfig(), parse_space("optimizer.rate=1|2"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_command_says_how_to_train_the_best(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my words").mkdir()
    space = "optimizer.learning_rate=1e-4..1e-1,class_weights=True|False,model.width=1|2"
    argv = ["--space", space, "--trials=4", "--data", "my words", "--epochs", "5"]
    command.main(argv)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "trial 4/4 " in line]
    folder = tmp_path / "runs" / "searches" / "words"
    assert (folder / "search.png").read_bytes().startswith(b"\x89PNG")
    (line,) = (line for line in lines if line.startswith("next"))
    parts = shlex.split(line)
    assert parts[1:4] == ["python", "-m", "kerasr.train"]
    best = json.loads((folder / "search.json").read_text())["best"]["values"]
    words = get_recipe("words").replace(data="my words", epochs=5)
    assert train.parse_arguments(parts[4:]).train == with_values(words, best)
    command.main([*argv, "--json"])
    assert len(trained.made) == 4
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result == {
        "search": "runs/searches/words",
        "next": line.removeprefix("next").strip(),
        **json.loads((folder / "search.json").read_text()),
    }
    assert len(result["trials"]) == 4
    assert line in err.splitlines()


def test_the_command_searches_architectures_and_seeds(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command.main(["digits", "--space", ARCHITECTURES, "--epochs", "5", "--model.width", "0.7"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "trial 5/5 " in line]
    table = lines[lines.index("") + 1 :]
    assert table[1].split()[:4] == ["101.0%", "100.0%,", "102.0%", "3"]
    assert "TCResNet8" in table[1]
    assert "CRNN" in table[5]
    (line,) = (line for line in lines if line.startswith("next"))
    best = json.loads((tmp_path / "runs/searches/digits/search.json").read_text())["best"]["values"]
    digits = get_recipe("digits").replace(**{"epochs": 5, "model.width": 0.7})
    assert train.parse_arguments(shlex.split(line)[4:]).train == with_values(digits, best)


@pytest.mark.full
def test_a_trial_is_scored_by_its_validation_split_and_never_evaluated(config, tmp_path):
    values = {"optimizer.learning_rate": 3e-3, "model.width": 0.25}
    found = run_trial(config, values, str(tmp_path / "trial"))
    (path,) = (tmp_path / "trial").iterdir()
    run = load_run(path)
    assert (run.config.optimizer.learning_rate, run.config.model.options["width"]) == (3e-3, 0.25)
    best = max(run.history, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    assert found == {"score": best["val_accuracy"], "loss": best["val_loss"]}
    assert run.metrics is None
    assert run_trial(config, values, str(tmp_path / "trial")) == found  # It is done: nothing is trained.

    def stop(epoch, logs):
        raise KeyboardInterrupt

    killer = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        run_trial(config, values, str(tmp_path / "killed"), callbacks=[killer])
    assert run_trial(config, values, str(tmp_path / "killed")) == pytest.approx(found)
    assert len(list((tmp_path / "killed").iterdir())) == 1
