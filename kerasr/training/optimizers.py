"""How weights move: Keras's optimisers with a schedule, and Muon for networks of convolutions."""

from typing import Any

import keras
from keras import ops

from kerasr.config import OptimizerConfig

# The odd polynomial that brings singular values near one in five rounds (Jordan et al., its coefficients).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


@keras.saving.register_keras_serializable(package="kerasr")
class Muon(keras.optimizers.AdamW):
    """AdamW, but for the kernels of hidden layers, whose momentum is made orthogonal before it is a step.

    A step then turns all directions of a kernel alike, where Adam's is mostly that of a few. A convolution's kernel is
    taken as the matrix from its window to its filters, a recurrent layer's as a matrix for each of its gates. Steps are
    scaled to the size that AdamW's have, so that one learning rate and one weight decay serve both (Liu et al. 2025,
    https://arxiv.org/abs/2502.16982, section 2.2). The last layer, kernels from or to one channel (depthwise ones, a
    first convolution), biases, norms, tokens and positions are AdamW's. Keras's own Muon does the same for dense layers
    alone.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/.

    Args:
        learning_rate: as for `keras.optimizers.AdamW`.
        momentum: share of the kernels' running gradient that is kept at each step, with Nesterov's look ahead.
        **kwargs: as for `keras.optimizers.AdamW`.
    """

    def __init__(self, learning_rate: Any = 1e-3, *, momentum: float = 0.95, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.running = [
            self.add_variable_from_reference(variable, name="running") if is_hidden_kernel(variable) else None
            for variable in variables
        ]
        self.num_matrices = count_gates(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        running = self.running[index]
        if running is None:
            super().update_step(gradient, variable, learning_rate)
            return
        shape, gradient = tuple(variable.shape), ops.cast(gradient, variable.dtype)
        self.assign(running, gradient + self.momentum * running)
        ahead = ops.reshape(gradient + self.momentum * running, (-1, shape[-1]))
        parts = ops.split(ahead, self.num_matrices[index], axis=1)
        size = 0.2 * max(parts[0].shape) ** 0.5 * ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, size * ops.reshape(ops.concatenate([*map(orthogonal, parts)], axis=1), shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}


def is_hidden_kernel(variable: Any) -> bool:
    """Whether a variable is a kernel between channels, of another layer than the last."""
    return variable.name.endswith("kernel") and min(variable.shape[-2:]) > 1 and "logits" not in variable.path


def count_gates(variables: list[Any]) -> list[int]:
    """How many matrices stand side by side in each variable: of a recurrent layer's kernels as many as it has gates."""
    layers = {
        variable.path.rpartition("/")[0]: variable for variable in variables if "recurrent_kernel" in variable.name
    }
    gates = {layer: kernel.shape[1] // kernel.shape[0] for layer, kernel in layers.items()}
    return [gates.get(variable.path.rpartition("/")[0], 1) for variable in variables]


def orthogonal(matrix: Any) -> Any:
    """About the nearest matrix whose singular values are all one: they come to lie between 0.7 and 1.2.

    Those below a few thousandths of the matrix's norm grow, but stay smaller.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return ops.transpose(orthogonal(ops.transpose(matrix)))
    a, b, c = NEWTON_SCHULZ
    matrix = matrix / (ops.norm(matrix) + 1e-7)
    for _ in range(ROUNDS):
        square = ops.matmul(matrix, ops.transpose(matrix))
        matrix = a * matrix + ops.matmul(b * square + c * ops.matmul(square, square), matrix)
    return matrix


def make_optimizer(
    config: OptimizerConfig, num_steps: int, epochs: int, precision: str = "float32"
) -> keras.optimizers.Optimizer:
    """The optimiser with its learning rate as a function of the step.

    In float16 a small gradient would be zero, so there the loss is scaled up before the gradients are taken, and they
    are scaled down after (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740, section 3.2). Keras does this by
    itself for a model of that precision; the model that is fitted here, around the network, is of none.
    """
    optimizer = _optimizer(config, num_steps, epochs)
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer


def _optimizer(config: OptimizerConfig, num_steps: int, epochs: int) -> keras.optimizers.Optimizer:
    warmup = round(config.warmup_epochs * num_steps)
    rate = keras.optimizers.schedules.CosineDecay(
        # The first step moves, too.
        initial_learning_rate=config.learning_rate / max(warmup, 1),
        decay_steps=max(num_steps * epochs - warmup, 1),
        # A cosine that falls to its own height is a constant.
        alpha=1.0 if config.schedule == "constant" else 0.0,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    if config.name == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, global_clipnorm=config.clip_norm)
    if config.name == "adam":
        return keras.optimizers.Adam(rate, global_clipnorm=config.clip_norm)
    kind = Muon if config.name == "muon" else keras.optimizers.AdamW
    optimizer = kind(rate, weight_decay=config.weight_decay, global_clipnorm=config.clip_norm)
    # Decay pulls weights to zero; a bias or a norm's scale has no reason to be there.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
