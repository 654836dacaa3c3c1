"""The recipes, by name.

A recipe is a function from the name of an architecture (None: the recipe's own choice) to a `TrainConfig`.
"""

import inspect
from collections.abc import Callable

from kerasr.config import TrainConfig
from kerasr.config.transfer import is_hub
from kerasr.core.registry import Registry
from kerasr.errors import UserError
from kerasr.models.hub import ARCHITECTURE

Recipe = Callable[[str | None], TrainConfig]

RECIPES: Registry[Recipe] = Registry("recipe")


def register_recipe(recipe: Recipe) -> Recipe:
    """Decorator that makes a recipe known by its function's name, with - for _: `python -m kerasr.train my-recipe`.

    Its docstring's first line is its line in `--help`.

    Args:
        recipe: from the name of an architecture, or None for its own choice, to settings.

    Returns:
        The function, as it was.

    Raises:
        UserError: another module has registered a recipe of that name.
        TypeError: it has no docstring.
    """
    name = recipe.__name__.replace("_", "-")
    if not recipe.__doc__:
        raise TypeError(f"{recipe.__module__}.{recipe.__name__}: a recipe needs a docstring, which --help shows")
    RECIPES.register(name, recipe, recipe.__module__)
    return recipe


def list_recipes() -> dict[str, str]:
    """Each recipe's name and the first line of what it says of itself."""
    return {name: recipe_notes(name).splitlines()[0] for name in RECIPES}


def get_recipe(name: str, model: str | None = None) -> TrainConfig:
    """The settings of the recipe called `name`, for an architecture of your choice.

    Args:
        name: of the recipe, with - or _; `list_recipes` has them all.
        model: the architecture, or `hub:` and a pretrained model; the recipe's own where None.

    Returns:
        Complete settings; `config.replace(epochs=3)` changes some of them.

    Raises:
        UserError: there is no such recipe, or no such architecture.
    """
    if model and is_hub(model):
        return _find(name)(ARCHITECTURE).derive(recipe=_spelt(name), model=model)
    return _find(name)(model).derive(recipe=_spelt(name))


def recipe_notes(name: str) -> str:
    """What a recipe says of itself: what it is for, the score and the time to expect."""
    return inspect.cleandoc(_find(name).__doc__ or "")


def _find(name: str) -> Recipe:
    if _spelt(name) not in RECIPES:
        raise UserError("recipe-not-found", f"no recipe is called {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[_spelt(name)]


def _spelt(name: str) -> str:
    """The name as recipes are registered by."""
    return name.replace("_", "-")
