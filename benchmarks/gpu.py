"""Step time on a GPU: each model in float32 and mixed precision, with and without XLA, its recurrence in each way.

    python benchmarks/gpu.py                          TensorFlow with a GPU
    KERAS_BACKEND=jax python benchmarks/gpu.py        JAX with a GPU; of kerasr's needs, only Keras and NumPy
    python benchmarks/gpu.py --allow-cpu              a try of the script itself: small clips, few steps

One step is forward, backward and Adam on one batch of the default clip (97 frames x 40 log-mels), as `fit` runs it. The
median of the epochs after the first, which compiles, is what is shown. JAX compiles everything with XLA. Without a GPU
the script says so and ends. Writes benchmarks/results/gpu-BACKEND.json.
"""

import argparse
import importlib.util
import itertools
import json
import os
import platform
import statistics
import sys
import time
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent


sys.path.insert(0, str(ROOT))
if importlib.util.find_spec("lazy_loader") is None:
    # A machine with Keras and JAX alone can build the models, with these in place of the packages' lazy `__init__`.
    for name in ("kerasr", "kerasr.models"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(ROOT / name.replace(".", "/"))]

import keras
import numpy as np

from kerasr.errors import UserError
from kerasr.layers.recurrent import IMPLEMENTATIONS, choose_implementation
from kerasr.models.registry import REFERENCE_OUTPUTS, REFERENCE_SHAPE, ModelFacts, builder, list_models, model_facts

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def main() -> None:
    names = [facts.name for facts in list_models(per_frame=False)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names, help="models to measure")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="arithmetic to measure")
    parser.add_argument("--batch-size", type=int, default=256, help="clips a step")
    parser.add_argument("--steps", type=int, default=50, help="steps an epoch")
    parser.add_argument("--epochs", type=int, default=4, help="epochs; the first one compiles and is not counted")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the clips")
    parser.add_argument("--allow-cpu", action="store_true", help="without a GPU, try the script at a tiny size")
    arguments = parser.parse_args()
    shape, small = REFERENCE_SHAPE, {}
    gpus = [device for device in keras.distribution.list_devices() if device.startswith("gpu")]
    if not gpus:
        if not arguments.allow_cpu:
            print(f"no GPU for Keras on {keras.backend.backend()}: nothing was measured (--allow-cpu tries the script)")
            return
        shape, small = (33, 16), {"width": 0.125, "units": 8, "filters": 8}
        arguments.batch_size, arguments.steps, arguments.epochs = 4, 2, 2
    compiled = (True,) if keras.backend.backend() == "jax" else (False, True)
    rows = []
    print("| model | implementation | precision | XLA | ms a step | clips a second |\n|---|---|---|---|---|---|")
    for name, precision, xla in itertools.product(arguments.models, arguments.precisions, compiled):
        for implementation in implementations(model_facts(name), xla):
            rows.append(measure(model_facts(name), shape, small, precision, xla, implementation, arguments))
            print(f"| {' | '.join(cells(rows[-1]))} |", flush=True)
    if gpus:
        write(rows, gpus, arguments)


def implementations(facts: ModelFacts, xla: bool) -> list[str | None]:
    """The implementations that run here, for a model with recurrent layers."""
    if "implementation" not in facts.options:
        return [None]
    possible = []
    for implementation in IMPLEMENTATIONS:
        try:
            possible.append(choose_implementation(implementation, xla=xla))
        except UserError:
            continue
    return possible


def measure(
    facts: ModelFacts,
    shape: tuple[int, int],
    small: dict[str, Any],
    precision: str,
    xla: bool,
    implementation: str | None,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Seconds a step of one model in one way, or the reason why it did not run."""
    keras.utils.set_random_seed(arguments.seed)
    keras.config.set_dtype_policy(precision)
    options = {name: value for name, value in small.items() if name in facts.options}
    row = {"model": facts.name, "implementation": implementation, "precision": precision, "xla": xla}
    try:
        model = builder(facts.name)(
            shape, REFERENCE_OUTPUTS, **options, **({"implementation": implementation} if implementation else {})
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=xla)
        times = Times()
        clips = random_clips(arguments.batch_size * arguments.steps, shape, arguments.seed)
        model.fit(*clips, batch_size=arguments.batch_size, epochs=arguments.epochs, callbacks=[times], verbose=0)
    except Exception as error:  # One way that fails (no memory, no kernel) must not cost the others.
        return {**row, "error": f"{type(error).__name__}: {error}".splitlines()[0]}
    seconds = statistics.median(times.epochs[1:]) / arguments.steps
    return {**row, "seconds_a_step": seconds, "clips_a_second": arguments.batch_size / seconds}


class Times(keras.callbacks.Callback):
    """Seconds of each epoch. Keras reads the loss at its end, so all of its steps are done by then."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epochs.append(time.perf_counter() - self.begun)


def random_clips(size: int, shape: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of clips that fill a third of the time or more, and labels."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(size, *shape)).astype("float32")
    features[np.arange(shape[0]) >= rng.integers(shape[0] // 3, shape[0] + 1, size)[:, None]] = 0
    return features, rng.integers(0, REFERENCE_OUTPUTS, size)


def cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        numbers = [f"did not run: {row['error']}", ""]
    else:
        numbers = [f"{1000 * row['seconds_a_step']:.2f}", f"{row['clips_a_second']:,.0f}"]
    return [row["model"], row["implementation"] or "", row["precision"], "on" if row["xla"] else "off", *numbers]


def write(rows: list[dict[str, Any]], gpus: list[str], arguments: argparse.Namespace) -> None:
    backend = keras.backend.backend()
    versions = {"python": platform.python_version(), "keras": keras.__version__, "backend": backend}
    versions[backend] = importlib.import_module(backend).__version__
    machine = {"system": platform.platform(), "gpus": gpus, "names": gpu_names(backend)}
    settings = {name: getattr(arguments, name) for name in ("batch_size", "steps", "epochs", "seed")}
    path = ROOT / "benchmarks" / "results" / f"gpu-{backend}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"versions": versions, "machine": machine, **settings, "rows": rows}, indent=2) + "\n")


def gpu_names(backend: str) -> list[str]:
    """The GPUs as their maker calls them."""
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices()]
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(device).get("device_name", "") for device in devices]


if __name__ == "__main__":
    main()
