"""Files from strangers: whatever stands in a run's folder, it runs no code, and what is wrong with it is one line."""

import contextlib
import copy
import io
import json
import pickle
import random
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from _errors import raises
from _shared import quiet

from kerasr.core import regular
from kerasr.errors import UserError
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.report.page import own_folder
from kerasr.runs import __main__ as runs
from kerasr.runs.network import check_network
from kerasr.runs.run import load_run
from kerasr.streaming.listener import stream_model_of
from kerasr.training import tensorboard
from kerasr.training.checkpoint import load_checkpoint, save_checkpoint
from kerasr.training.trainer import resume_run

NESTED = "[" * 100_000
# What stands for another value: of each JSON type, and beyond what one expects of it.
ODD = [
    *(None, True, -1, 0, 1.5, 2**31, 2**63 - 1, 10**40, 10**400, 1e308, float("nan"), float("inf")),
    *("", "x", "\ud800", "9" * 400, [], {}, [None], {"a": 1}, [[[]]]),
]


@pytest.fixture(scope="module")
def original(tone_run, tmp_path_factory):
    """A run in a folder that tests may change and must mend."""
    return shutil.copytree(tone_run, tmp_path_factory.mktemp("strangers") / "run")


@pytest.fixture
def folder(original, tmp_path):
    """A copy of it."""
    return shutil.copytree(original, tmp_path / "run")


def places(value, path=()):
    """The way to each value in a JSON value; of a list, to its first three."""
    yield path
    items = value.items() if isinstance(value, dict) else list(enumerate(value))[:3] if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutate(text, rng):
    """A JSON text with one thing about it changed: a value, a name, what is around it, or where it ends."""
    value = json.loads(text)
    *way, last = [None, *rng.choice(list(places(value)))]
    holder = outer = {None: value}
    for key in way:
        holder = holder[key]
    match rng.choice(["odd", "odd", "odd", "gone", "nested", "renamed", "torn"]):
        case "odd":
            holder[last] = copy.deepcopy(rng.choice(ODD))
        case "gone" if last is not None:
            del holder[last]
        case "nested":
            holder[last] = [holder[last]]
        case "renamed" if isinstance(holder, dict) and last is not None:
            holder["other"] = holder.pop(last)
        case "torn":
            return rng.choice([text[: rng.randrange(len(text))], NESTED])
    return json.dumps(outer[None])


def complaint(call):
    """The one line in which a call refuses; None where it does not."""
    try:
        call()
    except UserError as error:
        return str(error)
    return None


def use(folder, whole, clip, *, scores=False):
    """Open a run, and ask it for a word."""
    run = load_run(folder)
    check_network(run.path, whole.model, run.config.features, run.task)
    run.__dict__["model"] = whole.model  # Reading the weights each time takes too long.
    if scores:  # And so does compiling what no score is a part of.
        run.__dict__["compiled"] = whole.compiled
    assert np.isfinite(run.predict_files([clip])).all()
    stream_model_of(run)
    assert run.metrics is None or isinstance(run.metrics, dict)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("run.json", 60),
        ("config.json", 60),
        ("metrics.json", 30),
        # The default's mutations are the first of these.
        pytest.param("run.json", 120, marks=pytest.mark.full),
        pytest.param("config.json", 120, marks=pytest.mark.full),
    ],
)
def test_mutated_json_works_or_is_one_line(original, tones, name, times):
    text, rng, clip = json.dumps({"accuracy": 0.5}), random.Random(0), tones / "low" / "0.wav"
    if (original / name).exists():
        text = (original / name).read_text()
    whole, complaints = load_run(original), []
    for _ in range(times):
        (original / name).write_text(mutate(text, rng))
        with contextlib.redirect_stdout(io.StringIO()):
            runs.print_table([runs.describe_run(original)])
        complaints.append(complaint(lambda: use(original, whole, clip, scores=name == "metrics.json")))
    (original / name).write_text(text)
    refused = [line for line in complaints if line is not None]
    assert times / 10 < len(refused) < times
    assert not [line for line in refused if "\n" in line]


@pytest.mark.parametrize(
    ("group", "change", "code"),
    [
        ("model", {"options": {"width": []}}, "setting-out-of-range"),
        ("model", {"options": {"width": None}}, "setting-out-of-range"),
        ("model", {"options": {"nobody": 1}}, "setting-not-found"),
        ("model", {"name": "../ResNet18"}, "model-not-found"),
        ("fit", {"epochs": None}, "run-damaged"),
        ("task", {"wanted": "nobody says this"}, "word-not-found"),
    ],
)
def test_a_training_that_cannot_go_on_is_one_line(folder, group, change, code):
    config, facts = (json.loads((folder / name).read_text()) for name in ("config.json", "run.json"))
    (folder / "config.json").write_text(json.dumps(config | {group: config[group] | change}))
    (folder / "run.json").write_text(json.dumps(facts | {"status": "training"}))
    with raises(code):
        resume_run(folder, console=quiet())


def test_bytes_of_a_model_changed_work_or_are_one_line(folder):
    content, rng = (folder / "model.keras").read_bytes(), random.Random(0)
    refused = 0
    for _ in range(15):
        changed = bytearray(content)
        for _ in range(rng.randrange(1, 30)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        (folder / "model.keras").write_bytes(changed[: rng.choice([len(changed), rng.randrange(len(changed))])])
        refused += is_refused(folder)
    assert refused > 5


def is_refused(folder):
    """Whether a run's model is refused, in one line that names it; if not, it answers."""
    line = complaint(lambda: load_run(folder).probs([np.zeros(3000, np.float32)]))
    assert line is None or (str(folder / "model.keras") in line and "\n" not in line)
    return line is not None


def test_a_small_model_that_unpacks_to_a_huge_one_is_refused(folder, monkeypatch):
    monkeypatch.setattr(regular, "ALWAYS_BYTES", 1 << 20)
    assert not is_refused(folder)
    with zipfile.ZipFile(folder / "model.keras", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes((1 << 20) + 60 * (folder / "model.keras").stat().st_size))
    assert is_refused(folder)


def test_links_in_the_place_of_a_runs_folders_give_way(folder, tmp_path):
    """They may lead to folders of yours."""
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("evaluations", "suspects", "tensorboard"):
        (folder / name).symlink_to(mine)
    run = load_run(folder)
    places = [run.evaluation_folder("stream"), tensorboard.own_folder(run)]
    evaluate_run(run, split="validation")
    assert (folder / "evaluations" / "validation" / "report.html").exists()
    tensorboard.write_beginning(run)
    assert {path.name for path in places[1].iterdir()} == {"pictures"}
    (folder / "evaluations" / "stream").symlink_to(mine)
    assert not run.evaluation_folder("stream").is_symlink()
    (folder / "evaluations" / "other").symlink_to(mine)
    assert own_folder(folder / "evaluations" / "other", "x", lambda text: True).name == "other-2"
    assert not list(mine.iterdir())


def dense(shape=(3,), units=3):
    return keras.Sequential([keras.Input(shape), keras.layers.Dense(units)])


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Dense(3),
        lambda: dense(),
        lambda: keras.Sequential([keras.layers.Dense(3)]),
        lambda: keras.Sequential([keras.Input((3,)), dense()]),
        lambda: keras.Sequential([keras.Input((39, 20)), keras.layers.Flatten(), dense((780,), 3)]),
        lambda: keras.Sequential([keras.Input((3,)), dense(), dense()]),
    ],
    ids=["layer", "no network", "not built", "other features", "flat", "two networks"],
)
def test_what_is_no_network_of_a_run_is_told(folder, make):
    keras.saving.save_model(make(), folder / "model.keras")
    assert is_refused(folder)


MARK = "kerasr_was_attacked"


class Bomb:
    """Unpickled, it would leave a mark."""

    def __reduce__(self):
        return exec, (f"import builtins; builtins.{MARK} = True",)


def assert_unharmed():
    import builtins

    assert not hasattr(builtins, MARK)


CODE = f"__import__('builtins').__dict__.update({MARK}=True)"


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "builtins", "class_name": "exec", "config": {"source": CODE}, "registered_name": None},
        {"module": "builtins", "class_name": "eval", "config": CODE, "registered_name": "eval"},
        {"module": "os", "class_name": "system", "config": {"command": "false"}, "registered_name": None},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"class_name": "__lambda__", "config": {"value": CODE}},
        {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAAA"}}},
            "registered_name": None,
        },
        {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {"name": "l", "function": {"module": "builtins", "class_name": "function", "config": "eval"}},
            "registered_name": None,
        },
        {
            "module": "keras.layers",
            "class_name": "TorchModuleWrapper",
            "config": {"name": "t", "module": pickle.dumps(Bomb()).hex()},
            "registered_name": None,
        },
    ],
    ids=["exec", "eval", "os.system", "function", "__lambda__", "Lambda of bytes", "Lambda of eval", "pickle"],
)
def test_a_models_config_runs_no_code(folder, layer):
    """In the place of a layer, and of a layer's activation."""

    def in_place(config):
        config["config"]["layers"][1] = {**config["config"]["layers"][1], **layer}

    def as_activation(config):
        network = next(inner for inner in config["config"]["layers"] if "layers" in inner["config"])
        part = next(inner for inner in network["config"]["layers"] if "activation" in inner["config"])
        part["config"]["activation"] = layer

    for change in (in_place, as_activation):
        rewrite(folder / "model.keras", **{"config.json": lambda text, edit=change: edited(text, edit)})
        assert is_refused(folder)
        assert_unharmed()


def edited(text, change):
    config = json.loads(text)
    change(config)
    return json.dumps(config)


def rewrite(path: Path, **changes):
    """Put what a function makes of them in the place of an archive's members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, changes[name](content) if name in changes else content)


@pytest.mark.parametrize("way", ["external", "link"])
def test_weights_in_another_file_are_not_read(folder, tmp_path, way):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.full((3, 3), 7.0)

    def lead_out(content):
        memory = io.BytesIO(content)
        with h5py.File(memory, "r+") as file:
            names = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            shape = file[names[0]].shape
            del file[names[0]]
            if way == "link":
                file[names[0]] = h5py.ExternalLink(str(secret), "/secret")
            else:
                size = 4 * int(np.prod(shape))
                file.create_dataset(names[0], shape, np.float32, external=[(str(secret), 0, size)])
        return memory.getvalue()

    rewrite(folder / "model.keras", **{"model.weights.h5": lead_out})
    assert is_refused(folder)


def test_members_outside_of_the_folder_are_not_written(folder, tmp_path):
    with zipfile.ZipFile(folder / "model.keras", "a") as archive:
        for name in ("../outside", f"{tmp_path}/outside", "assets/../../outside"):
            archive.writestr(name, "x")
    is_refused(folder)
    assert not [path for path in tmp_path.rglob("*") if path.name == "outside"]
    assert not (Path.cwd().parent / "outside").exists()


def archive(state, *arrays):
    """A checkpoint's bytes."""
    memory = io.BytesIO()
    np.savez(memory, state=state, **{f"v{number}": array for number, array in enumerate(arrays)})
    return memory.getvalue()


def squeezed(state, array):
    """A checkpoint as none is written: it may unpack to a thousand times its size."""
    memory = io.BytesIO()
    np.savez_compressed(memory, state=state, v0=array)
    return memory.getvalue()


def patched(content, signature, offset, value):
    """An archive with another number at a place of each of its headers of a kind."""
    changed, start = bytearray(content), 0
    while (start := changed.find(signature, start)) >= 0:
        changed[start + offset : start + offset + 2] = value.to_bytes(2, "little")
        start += 4
    return bytes(changed)


STATE = np.frombuffer(b"{}", np.uint8)
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


@pytest.mark.parametrize(
    "content",
    [
        patched(archive(STATE), CENTRAL, 6, 88),
        patched(archive(STATE), CENTRAL, 10, 99),
        patched(archive(STATE), CENTRAL, 8, 1),
        patched(patched(archive(STATE), LOCAL, 8, 8), CENTRAL, 10, 8),
        squeezed(STATE, np.zeros(10)),
        archive(STATE, np.array([Bomb()], dtype=object)),
        archive(np.array([Bomb()], dtype=object)),
        pickle.dumps(Bomb()),
        archive(np.frombuffer(b"[]", np.uint8)),
        archive(np.frombuffer(NESTED.encode(), np.uint8)),
        archive(np.frombuffer(b"\xff", np.uint8)),
        archive(np.zeros(3)),
        b"\x93NUMPY\x01\x00\x00\x00",
        b"",
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_odd_checkpoints_are_one_line_and_run_no_code(tmp_path, content):
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with raises("checkpoint-damaged") as error:
        load_checkpoint(tmp_path / "checkpoint.npz")
    assert "\n" not in str(error.value)
    assert_unharmed()


def test_a_checkpoint_of_words_for_weights_belongs_to_another_model(tmp_path):
    model = dense()
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    save_checkpoint(tmp_path / "checkpoint.npz", model, {})
    checkpoint = load_checkpoint(tmp_path / "checkpoint.npz")
    checkpoint.restore(model)
    checkpoint.arrays[0] = np.full(checkpoint.arrays[0].shape, "word")
    with raises("checkpoint-of-another-model"):
        checkpoint.restore(model)
