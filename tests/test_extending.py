"""What is brought from outside: the examples of docs/extending.md, run as they stand there, and what goes wrong."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _errors import raises
from _shared import quiet

import kerasr
from kerasr import audio
from kerasr.core import imports, registry
from kerasr.data.augment.registry import AUGMENTATIONS
from kerasr.data.corpora import CORPORA
from kerasr.models.registry import MODELS, builder
from kerasr.recipes.registry import RECIPES
from kerasr.tasks.registry import TASKS, list_tasks

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
EXAMPLES = "\n\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^kerasr (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder with the page's `my_speech.py` and its corpus; afterwards nothing of it is known any more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("KERASR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(imports, "_asked", {})
    list_tasks()
    for known in (MODELS, RECIPES, CORPORA, AUGMENTATIONS, TASKS):
        for table in ("_things", "_modules"):
            monkeypatch.setattr(known, table, dict(getattr(known, table)))
    (tmp_path / "my_speech.py").write_text(EXAMPLES)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.fixture
def pitches(outside, rng):
    """The page's corpus: ten recordings of each word, by five speakers."""
    folder = outside / "data" / "pitches"
    folder.mkdir(parents=True)
    for word, pitch in (("low", 300), ("middle", 900), ("high", 2500)):
        for number in range(15):
            time = np.arange(int(rng.uniform(0.2, 0.4) * 8000)) / 8000
            tone = 0.3 * np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * time)
            speaker = ("anna", "ben", "cleo", "dora", "emil")[number % 5]
            audio.write(folder / f"{word}-{speaker}-{number}.wav", tone, 8000)
    shutil.copy(folder / "low-anna-0.wav", outside / "clip.wav")
    return folder


def command(line):
    """Do in this process what a command line says; in one of its own what wants TensorFlow with one thread."""
    name, *argv = shlex.split(line)
    if name == "compare":
        print(subprocess.check_output([sys.executable, "-m", "kerasr.compare", *argv], text=True))
        return
    module = f"kerasr.{name}.__main__" if name in ("models", "runs") else f"kerasr.{name}"
    importlib.import_module(module).main(argv)


def forget(name):
    """As in a process that has not imported it."""
    del sys.modules[name]
    imports._asked.clear()


@pytest.mark.full
def test_every_command_of_the_page_does_what_it_says(pitches, capsys):
    out = {}
    for line in COMMANDS:
        runs = [str(path) for path in kerasr.list_runs("runs")]
        for name, path in zip(("FIRST", "SECOND"), runs, strict=False):
            line = line.replace(f"runs/{name}", path)
        capsys.readouterr()
        command(line)
        out[line] = capsys.readouterr().out
    shown, first, second, *_, compared, predicted = out.values()
    assert re.search(r"TinyNet +│ +- │ +- │ +- │ +- │ +window", shown)
    assert "right" in first
    assert "--import my_speech" in second
    assert "TinyNet" in compared
    assert "low" in predicted
    one, two = (kerasr.load_run(path) for path in kerasr.list_runs("runs"))
    assert (one.config.recipe, one.config.model.name, one.config.augment.extra) == ("tiny", "TinyNet", ("hum=0.02",))
    assert (two.config.model.options["filters"], two.config.augment.extra) == (8, ("hum", "blur=0.2"))
    assert {one.config.runtime.imports, two.config.runtime.imports} == {("my_speech",)}
    assert one.labels == ("high", "low", "middle")
    other, deep = map(kerasr.load_run, kerasr.list_runs("others"))
    assert (other.labels, other.config.recipe) == (("high", "low"), "words")
    assert (deep.labels, deep.task.name) == (("deep", "other"), "deep")
    assert deep.metrics is not None
    assert sum(word["num_clips"] for word in deep.metrics["words"]) == deep.metrics["num_clips"]


@pytest.fixture
def own_run(pitches):
    """A run of a few steps that needs `my_speech`, which Python code has imported."""
    import my_speech  # noqa: F401  # pyright: ignore[reportMissingImports]

    config = kerasr.get_recipe("tiny").replace(epochs=1, **{"augment.extra": ("hum", "blur=0.5")})
    return kerasr.train_recipe(config, console=quiet()).path


def test_a_run_is_loaded_only_where_somebody_asks_for_what_it_needs(own_run, capsys, monkeypatch):
    assert kerasr.load_run(own_run).config.runtime.imports == ("my_speech",)
    forget("my_speech")
    with raises("run-needs-import", "--import my_speech"):
        kerasr.load_run(own_run)
    with raises("run-needs-import", "my_speech"):
        command(f"predict {own_run} clip.wav")
    with raises("run-needs-import", "config.json: needs my_speech"):
        command(f"train --config {own_run}/config.json --print-config")
    with raises("run-needs-import", "my_speech"):
        command(f"train --resume {own_run}")
    assert "my_speech" not in sys.modules
    command(f"predict --import my_speech {own_run} clip.wav --json")
    assert json.loads(capsys.readouterr().out)["word"] in ("high", "low", "middle")
    config = kerasr.load_run(own_run).config
    command(f"train --config {own_run}/config.json --import=my_speech --print-config")
    assert "- my_speech" in capsys.readouterr().out
    with raises("run-finished"):
        command(f"train --resume {own_run} --import my_speech")
    assert config.augment.extra == ("hum", "blur=0.5")


def test_the_list_of_runs_says_how_to_go_on_with_one(own_run, capsys):
    facts = json.loads((own_run / "run.json").read_text())
    (own_run / "run.json").write_text(json.dumps(facts | {"status": "training"}))
    forget("my_speech")
    command("runs")
    assert f"--resume {own_run} --import my_speech" in capsys.readouterr().out


@pytest.mark.full
def test_killed_and_resumed_it_ends_with_the_same_weights(pitches):
    import keras
    import my_speech  # noqa: F401  # pyright: ignore[reportMissingImports]

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    extra = {"augment.extra": ("hum=0.1", "blur=0.5")}
    config = kerasr.get_recipe("tiny").replace(epochs=2, checkpoint_seconds=0, **extra)
    whole = kerasr.train_recipe(config, console=quiet())
    with pytest.raises(KeyboardInterrupt):
        kerasr.train_recipe(config, console=quiet(), callbacks=[Kill()])
    killed = kerasr.list_runs("runs")[-1]
    assert killed != whole.path
    resumed = kerasr.resume_run(killed, console=quiet())
    for one, other in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    plain = kerasr.train_recipe(config.replace(**{"augment.extra": ()}), console=quiet())
    assert not np.allclose(plain.network.get_weights()[0], whole.network.get_weights()[0], atol=1e-5)


def test_what_the_page_registers_in_a_notebook_is_known_at_once(outside):
    exec(compile(EXAMPLES, "cell", "exec"), {"__name__": "__main__"})
    # A cell may be run twice.
    exec(compile(EXAMPLES, "cell", "exec"), {"__name__": "__main__"})
    assert kerasr.get_recipe("tiny", "CRNN").model.name == "CRNN"
    assert kerasr.get_recipe("digits", "TinyNet").model.options == {"filters": 16, "dropout": 0.1}
    assert builder("TinyNet")((20, 20), 3).layers[-1].name == "logits"
    assert "TinyNet" in [facts.name for facts in kerasr.list_models()]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import kerasr\n@kerasr.register_model\ndef CRNN(input_shape, num_outputs, *, name='n'): ...", "name-taken"),
        ("import kerasr\n@kerasr.register_corpus('fsdd')\ndef read(folder): ...", "name-taken"),
        ("import kerasr\n@kerasr.register_corpus('a:b')\ndef read(folder): ...", "name-invalid"),
        ("import kerasr\n@kerasr.register_recipe\ndef words(model=None):\n    'Mine.'", "name-taken"),
        ("import kerasr\n@kerasr.register_recipe\ndef mine(model=None): ...", "import-failed"),
        ("import kerasr\n@kerasr.register_model\ndef N(input_shape, num_outputs, *, a): ...", "import-failed"),
        ("import kerasr\n@kerasr.register_model\ndef N(input_shape, num_outputs, *, a=len): ...", "import-failed"),
        ("1 / 0", "import-failed"),
    ],
)
def test_a_package_with_a_fault_is_one_line(outside, text, code):
    (outside / "my_fault.py").write_text(text)
    with raises(code):
        command("models --import my_fault")


def test_settings_name_modules_and_changes_as_such():
    for place, value in (("import", "a b"), ("import", "../a"), ("augment.extra", "a b"), ("augment.extra", "a=1=2")):
        with raises("setting-out-of-range", place):
            kerasr.TrainConfig().replace(**{place: (value,)})


@pytest.mark.parametrize("name", ["nowhere", "my speech", "../my_speech", "my_speech.py"])
def test_what_is_no_module_is_told(outside, name):
    with raises("import-failed"):
        imports.import_asked(["--import", name])


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("hiss", "augmentation-not-found"),
        ("blur", "setting-out-of-range"),
        ("hum=much", "setting-out-of-range"),
        ("hum=", "setting-out-of-range"),
    ],
)
def test_an_augmentation_that_cannot_be_is_told_before_anything_is_read(pitches, extra, code):
    with raises(code):
        command(f"train tiny --import my_speech --augment.extra {extra}")
    assert not Path("runs").exists()


def test_a_corpus_that_is_nowhere_and_options_that_a_reader_has_not(outside):
    (outside / "my_corpus.py").write_text(
        "import kerasr\n@kerasr.register_corpus('plain', folder='flat')\ndef read(folder):\n    raise AssertionError\n"
    )
    imports.import_asked(["--import", "my_corpus,my_speech", "--import=my_speech"])
    with raises("corpus-unavailable", "flat"):
        kerasr.load_corpus("plain")
    (outside / "data" / "flat").mkdir(parents=True)
    with raises("corpus-task-not-found", "plain has none"):
        kerasr.load_corpus("plain:some")


def test_a_change_sees_its_own_clips_alone_and_keeps_the_padding(outside):
    import tensorflow as tf

    from kerasr.data import augment

    imports.import_asked(["--import", "my_speech"])
    settings = kerasr.Augmentation(extra=("hum=0.5",))
    spec = kerasr.FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80)
    waveform, num_samples = tf.zeros([2, 100]), tf.constant([100, 40])
    changed, lengths = augment.augment_waveform(
        waveform, num_samples, settings, spec=spec, noise=None, seed=tf.constant([1, 2], tf.int64)
    )
    assert list(lengths) == [100, 40]
    assert np.abs(changed[:, :40]).max() > 0
    assert not np.any(changed[1, 40:])
    assert augment.changes_waveform(settings)
    assert augment.feature_changes(kerasr.Augmentation(extra=("hum", "blur=1"))) == ["blur"]


def install(folder, name, text):
    """An installed package, as Python sees it: a module, and the facts of its distribution."""
    (folder / f"{name}.py").write_text(text)
    facts = folder / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[kerasr.plugins]\n{name} = {name}\n")


def test_an_installed_package_needs_no_import_and_a_broken_one_is_named(outside):
    registering = "import kerasr\n@kerasr.register_model\ndef PluginNet(input_shape, num_outputs, *, name='p'): ...\n"
    install(outside, "my_plugin", registering)
    install(outside, "my_broken_plugin", "raise RuntimeError('worn out')")
    path = os.pathsep.join([str(outside), *filter(None, sys.path)])
    models = subprocess.run(
        [sys.executable, "-m", "kerasr.models", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert "PluginNet" in [row["name"] for row in json.loads(models.stdout)]
    assert "my_broken_plugin" in models.stderr
    assert "worn out" in models.stderr


def test_a_run_that_needs_an_installed_package_loads_where_it_is_installed(own_run, outside, monkeypatch):
    forget("my_speech")
    install(outside, "my_speech", EXAMPLES)
    registry._plugins.cache_clear()
    try:
        assert kerasr.load_run(own_run).config.model.name == "TinyNet"
    finally:
        monkeypatch.undo()
        registry._plugins.cache_clear()
