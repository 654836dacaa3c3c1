"""Few shapes, where the backend compiles a program for each."""

import keras


def compile_few_shapes(*models: keras.Model) -> bool:
    """Whether sizes are to be rounded up to few, as `round_up` does, since XLA compiles each shape anew.

    JAX has no other compiler. TensorFlow's graph takes any shape, and the models are kept from XLA there.
    """
    few_shapes = keras.backend.backend() == "jax"
    for model in models:
        model.jit_compile = few_shapes
    return few_shapes


def round_up(size: int) -> int:
    """The next power of two."""
    return 1 << (size - 1).bit_length()
