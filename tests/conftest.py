"""What the tests share: quiet frameworks, recordings at hand, recordings made here."""

import json
import os
import shutil
import time
from dataclasses import replace

from _shared import SPEC, quiet

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Of two processes each has a core: more threads than cores wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

from pathlib import Path

import numpy as np
import pytest

from kerasr import audio
from kerasr.core import locks

# oneDNN's AMX kernels give NaN gradients of wide ResNets in bfloat16 (TensorFlow 2.21, Xeon; docs/platforms.md). Capped
# one step lower, not two: TensorFlow takes float16 kernels where the processor has them, and crashes if oneDNN may not.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")


def _corpus(folder: str) -> Path:
    """A corpus under KERASR_DATA; the test that needs it is skipped where it is absent."""
    root = os.environ.get("KERASR_DATA")
    if not root or not Path(root, folder).is_dir():
        pytest.skip(f"KERASR_DATA has no {folder}: set it to a folder that holds the corpora")
    return Path(root, folder)


@pytest.fixture(scope="session")
def fsdd_folder() -> Path:
    """FSDD's recordings."""
    return _corpus("free-spoken-digit-dataset/recordings")


@pytest.fixture(scope="session")
def speech_commands_folder() -> Path:
    """The clips of Speech Commands."""
    return _corpus("speech_commands")


@pytest.fixture(scope="session")
def an4_folder() -> Path:
    """AN4, with its lists and its recordings."""
    return _corpus("an4")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in each run."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Folders that take long to make, once for all processes of the suite: the first to ask makes it, others wait."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def find(name, make):
        note = root / f"{name}.path"
        while (lock := locks.take(root / f"{name}.lock", create=True)) is None:
            time.sleep(0.2)
        try:
            if not note.exists():
                note.write_text(str(make()))
        finally:
            os.close(lock)
        return Path(note.read_text())

    return find


@pytest.fixture(scope="session")
def tones(made_once, tmp_path_factory) -> Path:
    """A folder of three "words" that a network learns in seconds: tones low, middle and high, twenty clips each."""
    return made_once("tones", lambda: _write_tones(tmp_path_factory.mktemp("tones")))


def _write_tones(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for word, pitch in (("low", 300), ("middle", 900), ("high", 2500)):
        (root / word).mkdir()
        for number in range(20):
            seconds = rng.uniform(0.2, 0.5)
            time = np.arange(int(seconds * 8000)) / 8000
            tone = 0.3 * np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * time)
            audio.write(root / word / f"{number}.wav", tone + 0.01 * rng.standard_normal(len(time)), 8000)
    return root


@pytest.fixture(scope="session")
def tone_run(made_once, tones, tmp_path_factory) -> Path:
    """A finished run that tells the tones apart; a test that changes it takes a copy."""
    return made_once("tone-run", lambda: _train_on_tones(tones, tmp_path_factory.mktemp("runs")))


def _train_on_tones(tones: Path, out: Path) -> Path:
    from kerasr.config import FeatureSpec, OptimizerConfig, TrainConfig
    from kerasr.training.trainer import train_recipe

    config = TrainConfig().replace(
        data=str(tones),
        out=str(out),
        model_options={"width": 0.25, "dropout": 0.0},
        features=FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, clip_seconds=0.4),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        epochs=10,
        batch_size=8,
    )
    return train_recipe(config, console=quiet()).path


@pytest.fixture
def short_config(tones, tmp_path):
    """A training of a few seconds on the tones, to its end."""
    from kerasr.config import FeatureSpec, TrainConfig

    return TrainConfig().replace(
        data=str(tones),
        out=str(tmp_path / "runs"),
        model_options={"width": 0.25},
        features=FeatureSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=160, n_mels=20, clip_seconds=0.4),
        epochs=1,
        batch_size=8,
    )


@pytest.fixture(scope="session")
def convert_here():
    """Puts a conversion in this process, where TensorFlow is imported, in the place of one apart: half its time.

    Who exports has a process of its own for it, as other tests have.
    """
    from kerasr.exporters import files

    def convert(run, file, kind, converter, *options):
        files.main(converter, str(run.path), str(file), *options)

    return lambda patch: patch.setattr(files, "_convert_apart", convert)


@pytest.fixture
def few_signatures(monkeypatch):
    """SavedModels have the signatures of waveforms and of streams alone, where a test asks for no others."""
    from kerasr.exporters import saved_model

    every = saved_model._endpoints
    monkeypatch.setattr(saved_model, "_endpoints", lambda *given: {"serving_default": every(*given)["serving_default"]})


@pytest.fixture
def scores_alone(monkeypatch):
    """Evaluations write their scores and no page, which takes longer than all else about them."""

    def write(folder, *, metrics, **_):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps(metrics))

    monkeypatch.setattr("kerasr.evaluation.evaluator.write_report", write)
    monkeypatch.setattr("kerasr.evaluation.evaluator.MAX_CLIPS", 0)


@pytest.fixture
def untrained(tone_run, tmp_path):
    """Makes runs of other, narrow models, with the weights that they begin with, in folders of their own."""
    import keras

    from kerasr.models.from_waveform import attach_front_ends
    from kerasr.models.registry import builder
    from kerasr.runs.run import load_run

    def make(facts, *, features=None, **options):
        folder = shutil.copytree(tone_run, tmp_path / f"run-{facts.name}-{len(list(tmp_path.iterdir()))}")
        config = json.loads((folder / "config.json").read_text())
        options = {**facts.options, **facts.narrow, **options}
        config |= {
            "model": config["model"] | {"name": facts.name, "options": options},
            "features": {**config["features"], **(features or {})},
        }
        (folder / "config.json").write_text(json.dumps(config))
        run = load_run(folder)
        keras.utils.set_random_seed(0)
        network = builder(facts.name)(run.config.features.shape, run.task.output.size, **options)
        attach_front_ends(run.front_ends, network).save(folder / "model.keras")
        return run

    return make


@pytest.fixture(scope="session")
def noises(tmp_path_factory):
    """Six recordings of noise of different lengths, each with a text."""
    from kerasr.data.manifest import Corpus, Utterance

    root, rng = tmp_path_factory.mktemp("noises"), np.random.default_rng(0)
    items = []
    for number, split in enumerate(("train", "validation", "validation", "test", "test", "test")):
        path = str(root / f"{number}.wav")
        audio.write(path, 0.1 * rng.standard_normal(2000 + 1100 * number), 8000)
        items.append(Utterance(path, text="low mid top"[number:], split=split))
    return Corpus("noise", tuple(items), source=str(root))


@pytest.fixture
def untrained_encoder(noises, tmp_path):
    """Makes runs of narrow encoders, with the weights that they begin with, in folders of their own."""
    import keras

    from kerasr.audio.features import Features
    from kerasr.models.registry import builder
    from kerasr.runs.run import Run, load_run

    def make(facts, *, jitter=0.0, **options):
        spec = replace(SPEC, clip_seconds=None)
        mean, std = -30.0, 10.0
        if facts.reads_waveform:
            spec, mean, std = replace(spec, kind="waveform"), 0.0, 1.0
        options = {**facts.options, **facts.narrow, "dropout": 0.0, **options}
        keras.utils.set_random_seed(0)
        network = builder(facts.name)(spec.shape, 1 + len({*"low mid top"}), **options)
        # Biases and norms that begin as zeros and ones would hide what is not masked.
        for weight in (weight for weight in network.weights if len(weight.shape) == 1):
            weight.assign_add(np.random.default_rng(0).uniform(0, jitter, weight.shape))
        features = Features(spec, mean=[mean] * spec.num_features, std=[std] * spec.num_features)
        path = tmp_path / f"run-{facts.name}-{len(list(tmp_path.iterdir()))}"
        Run.from_model(network, noises, features, task="transcribe", path=path)
        config = json.loads((path / "config.json").read_text())
        config |= {"recipe": "sentences", "model": config["model"] | {"name": facts.name, "options": options}}
        (path / "config.json").write_text(json.dumps(config))
        return load_run(path)

    return make


@pytest.fixture(scope="session")
def tone_texts(made_once, tmp_path_factory) -> Path:
    """A manifest of recordings of two "words" each, tones as of `tones`, by two speakers, in three splits."""
    return made_once("tone-texts", lambda: _write_tone_texts(tmp_path_factory.mktemp("texts")))


def _write_tone_texts(root: Path) -> Path:
    from kerasr.data.manifest import Utterance, write_manifest

    rng, pitches, items = np.random.default_rng(0), {"low": 300, "mid": 900, "top": 2500}, []
    for number in range(24):
        words, parts = list(rng.choice([*pitches], 2)), [0.003 * rng.standard_normal(800)]
        for word in words:
            time = np.arange(int(rng.uniform(0.2, 0.25) * 8000)) / 8000
            parts += [0.3 * np.sin(2 * np.pi * pitches[word] * time), 0.003 * rng.standard_normal(400)]
        path = root / f"{number}.wav"
        audio.write(path, np.concatenate(parts), 8000)
        split = ("train", "train", "train", "train", "validation", "test")[number // 2 % 6]
        items.append(Utterance(str(path), text=" ".join(words), speaker=f"speaker{number % 2}", split=split))
    write_manifest(root / "texts.csv", items)
    return root / "texts.csv"


@pytest.fixture(scope="session")
def voice_config(tone_texts, tmp_path_factory):
    """A training of a narrow network, of seconds, that speaks and that nobody understands."""
    from kerasr.config import OptimizerConfig
    from kerasr.recipes import get_recipe

    return get_recipe("grid_voice").replace(
        data=str(tone_texts),
        split="official",
        out=str(tmp_path_factory.mktemp("voices")),
        model_options={"channels": 8, "num_stacks": 1},
        features=replace(SPEC, hop_length=100, clip_seconds=None),
        optimizer=OptimizerConfig(weight_decay=0.0, schedule="constant"),
        epochs=1,
        batch_size=8,
    )


@pytest.fixture(scope="session")
def voice_run(made_once, voice_config):
    """A finished run of `voice_config`."""
    from kerasr.runs.run import load_run

    return load_run(made_once("voice-run", lambda: _train_voice(voice_config)))


def _train_voice(config) -> Path:
    from kerasr.tasks import token_alignment
    from kerasr.training.trainer import train_recipe

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_alignment, "STEPS", 60)
        return train_recipe(config, console=quiet()).path
