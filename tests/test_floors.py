"""The packages stand floor on floor: each imports only from below, and frameworks come in where they may."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "kerasr"

# Packages, lowest first: each imports only from those before it.
FLOORS = (
    "errors",
    "core",
    "config",
    "audio",
    "layers",
    "text",
    "data",
    "models",
    "decoding",
    "metrics",
    "tasks",
    "presets",
    "recipes",
    "inference",
    "pretrained",
    "runs",
    "report",
    "streaming",
    "evaluation",
    "training",
    "curation",
    "serving",
    "exporters",
)
# What stands at the top of the house beside them; a command may import from every package and from no other command.
COMMANDS = (
    *(
        "train",
        "evaluate",
        "predict",
        "synthesize",
        "export",
        "serve",
        "listen",
        "compare",
        "search",
        "record",
        "cache",
    ),
    "env",
)
MAINS = ("__main__", "models.__main__", "runs.__main__")
# The packages that know no framework, and those that know no TensorFlow.
PLAIN = FLOORS[: FLOORS.index("audio")]
PURE_KERAS = ("audio", "layers", "models")

MAX_LINES, MAX_PARAMETERS = 420, 12

# Where somebody who knows the field, and not this house, would look first.
GUESSES = {
    "the training loop": ("training/trainer.py", "train_recipe"),
    "checkpoints": ("training/checkpoint.py", "save_checkpoint"),
    "optimizers": ("training/optimizers.py", "make_optimizer"),
    "hyperparameter search": ("training/search.py", "Search"),
    "transfer learning": ("training/transfer.py", "copy_encoder"),
    "the front-end": ("audio/features.py", "Features"),
    "MFCCs": ("audio/features.py", "mfcc"),
    "reading a recording": ("audio/files.py", "read"),
    "the microphone": ("audio/microphone.py", "Microphone"),
    "SpecAugment's masks": ("data/augment/features.py", "mask"),
    "mixup": ("data/augment/mix.py", "mixup"),
    "settings of augmentation": ("config/augmentation.py", "Augmentation"),
    "settings of a training": ("config/train.py", "TrainConfig"),
    "ResNet18": ("models/keyword/resnet.py", "ResNet18"),
    "the list of models": ("models/registry.py", "list_models"),
    "the input pipeline": ("data/pipeline.py", "Pipeline"),
    "splits": ("data/splits.py", "split_corpus"),
    "length bucketing": ("data/bucketing.py", "Buckets"),
    "SpecAugment": ("data/augment/features.py", "mask"),
    "a settings file": ("config/files.py", "read_settings"),
    "accuracy": ("metrics/accuracy.py", "accuracy_metrics"),
    "a task": ("tasks/base.py", "Task"),
    "a detector": ("tasks/detect.py", "Detect"),
    "multi-label tagging": ("tasks/tag.py", "Tag"),
    "plugins": ("core/registry.py", "load_plugins"),
    "a run": ("runs/run.py", "Run"),
    "attribution": ("inference/attribution.py", "Explainer"),
    "calibration error": ("metrics/calibration.py", "calibration_bins"),
    "Platt scaling": ("metrics/calibration.py", "fit_platt"),
    "confidence intervals": ("metrics/intervals.py", "mean_interval"),
    "comparing two models": ("evaluation/comparison.py", "compare_runs"),
    "label errors": ("curation/label_errors.py", "find_suspects"),
    "active learning": ("curation/active_learning.py", "rank_unlabelled"),
    "the export to TensorFlow Serving": ("exporters/serving.py", "export_serving"),
    "the cache's folder": ("data/corpora/user_cache.py", "cache_folder"),
    "how to install an extra": ("core/extras.py", "install_line"),
    "recurrent layers": ("layers/recurrent.py", "MaskedRNN"),
    "connected digits": ("recipes/connected_digits.py", "connected_digits"),
    "joining words to strings": ("data/connected.py", "connect"),
    "CTC": ("layers/ctc.py", "ctc_loss"),
    "the attention decoder": ("models/decoders/transformer_decoder.py", "TransformerDecoder"),
    "greedy decoding": ("decoding/greedy.py", "best_path"),
    "beam search": ("decoding/beam.py", "BeamDecoder"),
    "forced alignment": ("decoding/alignment.py", "align"),
    "times of words": ("decoding/alignment.py", "Word"),
    "subtitles": ("decoding/subtitles.py", "format_subtitles"),
    "n-grams": ("decoding/ngram.py", "NGrams"),
    "Kneser-Ney smoothing": ("decoding/kneser_ney.py", "estimate_ngrams"),
    "the vocabulary": ("text/vocabulary.py", "Vocabulary"),
    "SentencePiece": ("text/pieces.py", "train_pieces"),
    "a picture of CTC's alignment": ("report/transcripts.py", "draw_alignment"),
    "word error rate": ("metrics/transcription.py", "transcription_metrics"),
    "LibriSpeech": ("data/corpora/librispeech.py", "read_librispeech"),
    "Kaldi's data directories": ("data/corpora/kaldi.py", "read_kaldi"),
    "Kaldi's feature archives": ("data/archives.py", "read_matrix"),
    "transcripts of a stream": ("inference/transcriber.py", "Transcriber"),
    "long recordings": ("inference/windows.py", "OverlappingWindows"),
    "the receptive field": ("models/receptive_field.py", "receptive_field"),
    "Whisper": ("pretrained/whisper.py", "WhisperDecoder"),
    "generation token by token": ("pretrained/generation.py", "generate"),
    "transcripts": ("tasks/transcribe.py", "Transcribe"),
    "speech synthesis": ("tasks/synthesize.py", "Synthesize"),
    "the acoustic model": ("models/synthesis/speedy_speech.py", "SpeedySpeech"),
    "the vocoder": ("models/synthesis/vocos.py", "Vocos"),
    "the discriminator": ("models/synthesis/period_discriminator.py", "MultiPeriodDiscriminator"),
    "the length regulator": ("layers/length_regulator.py", "LengthRegulator"),
    "Griffin-Lim": ("audio/inverse.py", "griffin_lim"),
    "monotonic alignment search": ("decoding/monotonic.py", "monotonic_paths"),
    "mel-cepstral distortion": ("metrics/cepstral_distortion.py", "cepstral_distortion"),
}

FRAMEWORKS = {"tensorflow", "keras", "jax", "torch", "librosa", "sklearn", "matplotlib"}
PRIVATE = ("keras.src", "tensorflow.python")

MODULES = {
    ".".join(path.relative_to(HOUSE).with_suffix("").parts): path
    for path in sorted(HOUSE.rglob("*.py"))
    if path.relative_to(HOUSE).parts != ("__init__.py",)
}


def package_of(module: str) -> str:
    """The package that holds `module`, named without `kerasr.`, or the command that it is."""
    if module in COMMANDS or module in MAINS:
        return module
    package = module.split(".")[0]
    assert package in FLOORS, f"kerasr.{module} is on no floor: a verb at the top is a command, a noun is a package"
    return package


def imports(module: str) -> Iterator[tuple[str, bool, int]]:
    """Every import of `module`: the absolute name, whether it runs on importing the module, and the line."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    inside = {
        child
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.walk(function)
    }
    here = ["kerasr", *module.split(".")]
    for node in ast.walk(tree):
        at_once = node not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, at_once, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield f"{origin}.{alias.name}", at_once, node.lineno


def house_room(name: str) -> str | None:
    """The part of the absolute `name` that is a module of ours, without `kerasr.`; None for anyone else's."""
    parts = name.split(".")
    if parts[0] != "kerasr" or name == "kerasr.__version__":
        return None
    for end in range(len(parts), 1, -1):
        module = ".".join(parts[1:end])
        if module in MODULES or f"{module}.__init__" in MODULES:
            return module
    return ""


def starts_with(name: str, package: str) -> bool:
    """Whether `name` is `package` or something in it."""
    return name == package or name.startswith(f"{package}.")


def is_command(module: str) -> bool:
    """Whether it parses arguments, calls and prints."""
    return module in COMMANDS or module in MAINS


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_below(module):
    package = package_of(module)
    for name, _, line in imports(module):
        target = house_room(name)
        if target is None:
            continue
        where = f"{MODULES[module]}:{line} imports {name}"
        assert target, f"{where} from the top of kerasr: import it from the module that defines it"
        other = package_of(target)
        assert not is_command(other), f"{where}, and nobody imports a command"
        if not is_command(module) and other != package:
            assert FLOORS.index(other) < FLOORS.index(package), f"{where}, which stands above {package}"


def test_no_modules_import_each_other():
    """Not in a round either; what a function imports as it runs counts too."""
    graph = {
        module: {target for name, _, _ in imports(module) if (target := house_room(name)) and target in MODULES}
        for module in MODULES
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"these import each other: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("module", MODULES)
def test_frameworks_come_in_where_they_may(module):
    package = package_of(module)
    for name, at_once, line in imports(module):
        where = f"{MODULES[module]}:{line} imports {name}"
        assert not any(starts_with(name, private) for private in PRIVATE), f"{where}, which is private to its package"
        if starts_with(name, "tensorflow"):
            inside = module == "layers.kernels" and not at_once
            assert inside or package not in (*PLAIN, *PURE_KERAS), f"{where}: {package} knows no TensorFlow"
        if starts_with(name, "keras"):
            assert package not in PLAIN, f"{where}: {package} is plain data and knows no framework"
        if package in ("metrics", "tasks", "runs"):
            waits = at_once and name.split(".")[0] in ("sklearn", "scipy")
            assert not waits, f"{where} on being imported, for which everybody would wait who loads a run"
        if is_command(module) and name.split(".")[0] in FRAMEWORKS:
            assert not at_once, f"{where} on being imported: a command does so only after its arguments are parsed"


@pytest.mark.parametrize("module", MODULES)
def test_files_and_functions_are_short_enough_to_read(module):
    text = MODULES[module].read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES, f"{MODULES[module]} is longer than {MAX_LINES} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
            assert len(names - {"self", "cls"}) <= MAX_PARAMETERS, (
                f"{MODULES[module]}:{node.lineno}: {node.name} takes too many"
            )


def test_every_package_and_command_stands():
    for name in (*FLOORS, *COMMANDS, *MAINS):
        assert name in MODULES or f"{name}.__init__" in MODULES, f"there is no kerasr.{name}"


@pytest.mark.parametrize("thing", GUESSES)
def test_a_strangers_guess_holds(thing):
    path, name = GUESSES[thing]
    names = {node.name for node in ast.parse((HOUSE / path).read_text("utf-8")).body if hasattr(node, "name")}
    assert name in names, f"{thing}: {path} does not define {name}"
