"""What a run needs from outside of kerasr: recorded as it is made, asked for as it is loaded."""

from kerasr.config import TrainConfig
from kerasr.data.augment.registry import AUGMENTATIONS, extra_changes
from kerasr.models.registry import MODELS
from kerasr.tasks import find_task


def with_imports(config: TrainConfig) -> TrainConfig:
    """The config, with the modules named that have registered its architecture, its task and its augmentations.

    Those of kerasr and what `--import` named are left out, and so is a notebook, which nobody can import.
    """
    asked = config.runtime.imports
    used = [find_task(config.task).__module__]
    # (A network of one's own has no builder.)
    used += [MODELS.module_of(config.model.name)] if config.model.name in MODELS else []
    used += [AUGMENTATIONS.module_of(known.name) for known, _ in extra_changes(config.augment)]
    packages = ("kerasr", "__main__", *asked)
    own = [name for name in used if not any(name == each or name.startswith(f"{each}.") for each in packages)]
    return config.derive(**{"import": tuple(dict.fromkeys([*asked, *own]))}) if own else config
