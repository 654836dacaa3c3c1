"""Few shapes, where the backend compiles a program for each."""

import keras


def compiles_shapes() -> bool:
    """Whether each shape is compiled for itself: by XLA, as JAX has no other compiler."""
    return keras.backend.backend() == "jax"


def compile_few_shapes(*models: keras.Model) -> None:
    """Let XLA compile models where it compiles each shape; TensorFlow's graph takes any, and they are kept from XLA."""
    for model in models:
        model.jit_compile = compiles_shapes()


def padded_size(size: int) -> int:
    """What to pad to, so that shapes are few: the next power of two, where each is compiled for itself."""
    return 1 << (size - 1).bit_length() if compiles_shapes() else size
