"""What really runs, once `auto` has been decided: device, precision, compiler, implementation of recurrent layers."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from kerasr.config import TrainConfig
from kerasr.layers.recurrent import choose_implementation
from kerasr.models.cost import count_macs
from kerasr.models.registry import model_facts


@dataclass(frozen=True)
class Runtime:
    """What really runs, after `auto` has been decided."""

    backend: str
    device: str
    precision: str
    xla: bool
    implementation: str | None


def decide_runtime(config: TrainConfig) -> Runtime:
    """What `auto` means on this machine.

    Mixed precision and XLA pay on a GPU; on a CPU they cost time (bfloat16) or minutes of compilation.
    """
    device = device_name()
    on_gpu = device != "CPU"
    quickest = "mixed_bfloat16" if on_gpu and _has_bfloat16() else "float32"
    precision = quickest if config.runtime.precision == "auto" else config.runtime.precision
    xla = on_gpu if config.runtime.xla == "auto" else config.runtime.xla == "on"
    backend = keras.backend.backend()
    facts = model_facts(config.model.name)
    # TensorFlow's quick CTC, which is for outputs of frames, is unknown to XLA.
    xla = (xla and not facts.per_frame) or backend == "jax"
    policy = {**facts.options, **config.model.options}.get("implementation")
    return Runtime(backend, device, precision, xla, choose_implementation(policy, xla=xla) if policy else None)


def device_name() -> str:
    """The name of the first accelerator, or CPU."""
    return next(iter(list_accelerators()), "CPU")


def list_accelerators() -> list[str]:
    """The names of the backend's accelerators; none where there is the CPU alone."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        return [tf.config.experimental.get_device_details(device).get("device_name", "GPU") for device in found]
    if keras.backend.backend() == "jax":
        import jax

        return [] if jax.default_backend() == "cpu" else [device.device_kind for device in jax.devices()]
    return []


def _has_bfloat16() -> bool:
    """Whether the first accelerator computes in bfloat16 itself: NVIDIA's do from Ampere, capability 8.0, on."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
        return details.get("compute_capability", (8, 0)) >= (8, 0)
    import jax

    # Others than NVIDIA's have none, or a name.
    capability = str(getattr(jax.devices()[0], "compute_capability", ""))
    return not capability[:1].isdigit() or float(capability) >= 8.0


@contextlib.contextmanager
def under_precision(policy: str) -> Iterator[None]:
    """Build layers under a precision policy, and leave the process's own as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def runtime_facts(runtime: Runtime, network: keras.Model, num_passes: int) -> dict[str, Any]:
    """What a run remembers of it, and what the network costs for a clip that it is run on so many times."""
    return {
        "backend": runtime.backend,
        "device": runtime.device,
        "precision": runtime.precision,
        "xla": runtime.xla,
        "implementation": runtime.implementation,
        "parameters": network.count_params(),
        "macs": num_passes * count_macs(network) if network.input_shape[1] else None,
    }
